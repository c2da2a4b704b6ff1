#ifndef SCENARIOS_ZOO_MODEL_INFO_H_
#define SCENARIOS_ZOO_MODEL_INFO_H_

// What an ONNX file says of its inputs, read without loading its weights, so that
// asking does not disturb the memory that is being measured. Thread-safe.

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"

namespace plimsoll {

struct ModelInput {
  std::string name;
  // A dimension that the file leaves open is 0.
  std::vector<int64_t> dims;
};

// The inputs that have no initializer, in file order. Errors: cannot be read, is not
// an ONNX model, or has no such input.
Expected<std::vector<ModelInput>> ReadModelInputs(const std::string& path);

}  // namespace plimsoll

#endif  // SCENARIOS_ZOO_MODEL_INFO_H_
