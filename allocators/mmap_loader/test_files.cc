#include "allocators/mmap_loader/test_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "allocators/mmap_loader/os.h"

namespace plimsoll::weights {

TestFolder::TestFolder() : path_(testing::TempDir() + "/plimsoll_weights_XXXXXX") {
  if (mkdtemp(path_.data()) == nullptr) std::abort();
}

TestFolder::~TestFolder() { std::filesystem::remove_all(path_); }

std::string TestFolder::Path(std::string_view name) const {
  return path_ + "/" + std::string(name);
}

std::string TestFolder::Write(std::string_view name, std::string_view contents) const {
  const std::string path = Path(name);
  const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  EXPECT_GE(descriptor, 0) << path;
  while (!contents.empty()) {
    const ssize_t written = write(descriptor, contents.data(), contents.size());
    EXPECT_GT(written, 0) << path;
    if (written <= 0) break;
    contents.remove_prefix(static_cast<size_t>(written));
  }
  fsync(descriptor);
  close(descriptor);
  return path;
}

std::string Pattern(size_t count, uint32_t seed) {
  std::string bytes(count, '\0');
  uint32_t state = seed * 2654435761u + 1;
  for (char& byte : bytes) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<char>(state >> 24);
  }
  return bytes;
}

std::string SafetensorsBytes(std::string_view header, std::string_view data) {
  std::string bytes(8, '\0');
  for (size_t i = 0; i < 8; ++i) {
    bytes[i] = static_cast<char>(static_cast<uint64_t>(header.size()) >> (8 * i) & 0xff);
  }
  bytes += header;
  bytes += data;
  return bytes;
}

std::string ByteTensorField(std::string_view name, uint64_t begin, uint64_t bytes) {
  return "\"" + std::string(name) + "\":{\"dtype\":\"U8\",\"shape\":[" + std::to_string(bytes) +
         "],\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(begin + bytes) +
         "]}";
}

std::string ByteTensors(size_t count, size_t bytes) {
  std::string header = "{";
  for (size_t i = 0; i < count; ++i) {
    if (i > 0) header += ",";
    header += ByteTensorField("t" + std::to_string(i), i * bytes, bytes);
  }
  header += "}";
  header.resize(PageCeil(8 + header.size()) - 8, ' ');
  return SafetensorsBytes(header, Pattern(count * bytes));
}

void ExpectLineWith(const std::string& message, std::initializer_list<std::string_view> parts) {
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  for (const std::string_view part : parts) {
    EXPECT_NE(message.find(part), std::string::npos) << "expected '" << part << "' in: " << message;
  }
}

int MappingsOf(std::string_view ending) {
  std::ifstream maps("/proc/self/maps");
  int count = 0;
  for (std::string line; std::getline(maps, line);) count += line.ends_with(ending);
  return count;
}

int Descriptors() {
  int count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    ++count;
  }
  return count;
}

}  // namespace plimsoll::weights
