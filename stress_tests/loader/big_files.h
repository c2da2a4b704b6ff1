#ifndef STRESS_TESTS_LOADER_BIG_FILES_H_
#define STRESS_TESTS_LOADER_BIG_FILES_H_

// Weight files of a given size, for measurements. One thread at a time.

#include <cstdint>
#include <string>

#include "base/error.h"

namespace plimsoll {

// A folder below $TMPDIR (else /tmp), removed with everything in it.
class BigFolder {
 public:
  BigFolder();
  ~BigFolder();
  BigFolder(const BigFolder&) = delete;
  BigFolder& operator=(const BigFolder&) = delete;
  std::string Path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// Writes safetensors of `tensors` float32 tensors "layer.N.weight" of `tensor_bytes` (a
// multiple of 4) each, no two pages of which are equal; returns the path.
Expected<std::string> WriteBigFile(const std::string& path, uint64_t tensors,
                                   uint64_t tensor_bytes);

// The JSON header of a safetensors file.
std::string HeaderOf(const std::string& path);

// Drops the file's clean pages from the page cache, as far as the kernel agrees; says how
// many bytes of it stayed.
uint64_t EvictFile(const std::string& path);

}  // namespace plimsoll

#endif  // STRESS_TESTS_LOADER_BIG_FILES_H_
