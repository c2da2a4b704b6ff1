// Writes the seed corpus of each fuzz target: write_seeds FOLDER makes FOLDER/TARGET/N.

#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <system_error>
#include <vector>

#include "base/file.h"
#include "harness/runner/fuzz/conversation.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: write_seeds FOLDER\n");
    return 2;
  }
  // A stream's first byte is the length of the pieces, less one.
  const std::map<std::string, std::vector<std::string>> seeds = {
      {"agent_stream", {'\xff' + plimsoll::Conversation(), '\x07' + plimsoll::ShortConversation()}},
      {"mark_lines", {"step 1\nstep 2\r\nother\ndone\n"}},
  };
  for (const auto& [target, texts] : seeds) {
    const std::filesystem::path folder = std::filesystem::path(argv[1]) / target;
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) {
      std::fprintf(stderr, "write_seeds: %s: %s\n", folder.c_str(), error.message().c_str());
      return 2;
    }
    int number = 0;
    for (const std::string& text : texts) {
      const auto written = plimsoll::WriteFile((folder / std::to_string(number++)).string(), text);
      if (!written) {
        std::fprintf(stderr, "write_seeds: %s\n", written.error().message.c_str());
        return 2;
      }
    }
  }
  return 0;
}
