#include "stress_tests/loader/big_files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <vector>

#include "allocators/mmap_loader/write/safetensors_writer.h"

namespace plimsoll {
namespace {

// xorshift64: every word differs from its neighbours.
void Fill(std::vector<uint64_t>& words, uint64_t& state) {
  for (uint64_t& word : words) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    word = state;
  }
}

}  // namespace

BigFolder::BigFolder() {
  const char* parent = std::getenv("TMPDIR");
  path_ = std::string(parent != nullptr && *parent != '\0' ? parent : "/tmp") +
          "/plimsoll_loader_XXXXXX";
  if (mkdtemp(path_.data()) == nullptr) std::abort();
}

BigFolder::~BigFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Expected<std::string> WriteBigFile(const std::string& path, uint64_t tensors,
                                   uint64_t tensor_bytes) {
  std::vector<weights::TensorToWrite> all;
  std::vector<uint64_t> chunk(std::min<uint64_t>(tensor_bytes, 1 << 20) / 8 + 1);
  uint64_t state = 0x706c696d736f6c6c;
  for (uint64_t i = 0; i < tensors; ++i) {
    all.push_back({.name = "layer." + std::to_string(i) + ".weight",
                   .dtype = weights::DType::kF32,
                   .shape = {tensor_bytes / 4},
                   .read = [&](const weights::ByteSink& sink) -> Status {
                     for (uint64_t done = 0; done < tensor_bytes;) {
                       Fill(chunk, state);
                       const auto bytes = std::as_bytes(std::span(chunk));
                       const uint64_t count = std::min<uint64_t>(bytes.size(), tensor_bytes - done);
                       if (Status status = sink(bytes.first(count)); !status) return status;
                       done += count;
                     }
                     return {};
                   }});
  }
  return WriteSafetensors(weights::Os::Real(), path, all, {});
}

std::string HeaderOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  uint64_t length = 0;
  file.read(reinterpret_cast<char*>(&length), sizeof(length));
  std::string header(length, '\0');
  file.read(header.data(), static_cast<std::streamsize>(length));
  return header;
}

uint64_t EvictFile(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return 0;
  struct stat status;
  fstat(descriptor, &status);
  const auto bytes = static_cast<size_t>(status.st_size);
  fdatasync(descriptor);
  posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED);
  void* const base = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, descriptor, 0);
  close(descriptor);
  if (base == MAP_FAILED) return bytes;
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> present((bytes + page - 1) / page);
  mincore(base, bytes, present.data());
  munmap(base, bytes);
  uint64_t stayed = 0;
  for (const unsigned char flags : present) stayed += flags & 1;
  return stayed * page;
}

}  // namespace plimsoll
