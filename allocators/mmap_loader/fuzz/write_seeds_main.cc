// Writes the seed corpus of each fuzz target: write_seeds FOLDER makes FOLDER/TARGET/N.

#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>

#include "allocators/mmap_loader/fuzz/targets.h"
#include "base/file.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: write_seeds FOLDER\n");
    return 2;
  }
  for (const plimsoll::weights::FuzzTarget& target : plimsoll::weights::FuzzTargets()) {
    const std::filesystem::path folder = std::filesystem::path(argv[1]) / target.name;
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) {
      std::fprintf(stderr, "write_seeds: %s: %s\n", folder.c_str(), error.message().c_str());
      return 2;
    }
    int number = 0;
    for (const std::string& seed : target.seeds()) {
      const auto written = plimsoll::WriteFile((folder / std::to_string(number++)).string(), seed);
      if (!written) {
        std::fprintf(stderr, "write_seeds: %s\n", written.error().message.c_str());
        return 2;
      }
    }
  }
  return 0;
}
