#ifndef ALLOCATORS_MMAP_LOADER_FUZZ_TARGETS_H_
#define ALLOCATORS_MMAP_LOADER_FUZZ_TARGETS_H_

// What a fuzzer feeds: a parser each, with the properties that must hold whatever the
// bytes are, and the files to start from. Thread-safe: pure functions.

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace plimsoll::weights {

struct FuzzTarget {
  std::string_view name;
  // Parses the bytes. Aborts when what was accepted breaks a promise of Directory, or an
  // error is not one line that names the file. Says whether the bytes were accepted.
  bool (*run)(std::span<const std::byte> bytes);
  // Valid files, all accepted.
  std::vector<std::string> (*seeds)();
};

// "safetensors", "safetensors_index", "onnx", "openvino_ir", "gguf", "blob".
const std::vector<FuzzTarget>& FuzzTargets();

// REQUIRES: a name from above.
const FuzzTarget& FuzzTargetNamed(std::string_view name);

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_FUZZ_TARGETS_H_
