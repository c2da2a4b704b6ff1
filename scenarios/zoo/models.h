#ifndef SCENARIOS_ZOO_MODELS_H_
#define SCENARIOS_ZOO_MODELS_H_

// The networks of the zoo: published architectures at full size, and tiny ones for
// quick tests, each with deterministic weights. Thread-safe: pure functions.

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <span>
#include <string_view>

namespace plimsoll {

// Part of every cached file's name: raise it when a change here changes any weight.
constexpr std::string_view kZooVersion = "v1";

struct ZooModel {
  std::string_view name;         // as in "zoo:NAME"
  std::string_view description;  // one line
  uint64_t file_bytes;           // size of the ONNX file; a cached file of another size is stale
  onnx::ModelProto (*build)();
};

// Every model, sorted by name.
std::span<const ZooModel> ZooModels();

}  // namespace plimsoll

#endif  // SCENARIOS_ZOO_MODELS_H_
