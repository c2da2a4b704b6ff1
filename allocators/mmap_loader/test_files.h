#ifndef ALLOCATORS_MMAP_LOADER_TEST_FILES_H_
#define ALLOCATORS_MMAP_LOADER_TEST_FILES_H_

// Files and expectations that the loader's tests share. One thread at a time.

#include <gtest/gtest.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace plimsoll::weights {

// A folder of the test's own, removed at the end.
class TestFolder {
 public:
  TestFolder();
  ~TestFolder();
  std::string Path(std::string_view name) const;
  // Writes and syncs a file, so that its pages are clean; returns its path.
  std::string Write(std::string_view name, std::string_view contents) const;

 private:
  std::string path_;
};

// `count` bytes that tell their own place: no two pages are equal.
std::string Pattern(size_t count, uint32_t seed = 1);

// A safetensors file: the length, `header`, `data`.
std::string SafetensorsBytes(std::string_view header, std::string_view data);

// "NAME":{"dtype":"U8","shape":[BYTES],"data_offsets":[BEGIN,BEGIN+BYTES]}.
std::string ByteTensorField(std::string_view name, uint64_t begin, uint64_t bytes);

// A safetensors file of `count` tensors t0, t1 … of `bytes` bytes each, holding
// Pattern(count * bytes), the data starting at a page.
std::string ByteTensors(size_t count, size_t bytes);

// Success has no message.
template <typename Result>
std::string MessageOf(const Result& result) {
  return result.has_value() ? "" : result.error().message;
}

// That `message` is one line with each of `parts` in it.
void ExpectLineWith(const std::string& message, std::initializer_list<std::string_view> parts);

template <typename Result>
void ExpectError(const Result& result, std::initializer_list<std::string_view> parts) {
  ASSERT_FALSE(result.has_value()) << "expected an error";
  ExpectLineWith(MessageOf(result), parts);
}

// Mappings of files in this process whose path ends in `ending`, by /proc/self/maps.
int MappingsOf(std::string_view ending);
// Open descriptors of this process.
int Descriptors();

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_TEST_FILES_H_
