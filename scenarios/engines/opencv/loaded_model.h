#ifndef SCENARIOS_ENGINES_OPENCV_LOADED_MODEL_H_
#define SCENARIOS_ENGINES_OPENCV_LOADED_MODEL_H_

// An ONNX model whose weights come through the loader, in any format, and go back into the
// model for a runtime that parses it from memory. Thread-safe to read.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "allocators/mmap_loader/loader.h"
#include "base/error.h"

namespace plimsoll {

class LoadedModel {
 public:
  // `model` is the .onnx file, `weights_file` has a tensor for each of its initializers
  // that is stored as an array or outside; with format onnx it is the model itself.
  // Errors: either cannot be read, a tensor is missing or has another shape or type.
  static Expected<LoadedModel> Open(const std::string& model, const std::string& weights_file,
                                    const weights::LoadOptions& options);

  // Opens the weights, hands `parse` the whole model, and lets go of everything. A model
  // that is one ONNX file is handed over where the loader has it; any other is put together
  // in a buffer first. Throws what `parse` throws.
  Status Import(const std::function<void(std::span<const std::byte>)>& parse) const;

  // Of the first time.
  const weights::LoadReport& report() const { return report_; }
  uint64_t tensors() const { return tensors_; }
  uint64_t tensor_bytes() const { return tensor_bytes_; }

 private:
  // What TensorProto says of an initializer, without its data.
  struct Header {
    std::string name;
    std::string bytes;
    uint64_t data_bytes;
  };

  Status TakeApart(const std::string& model, const weights::Weights& weights);
  Expected<std::string> PutTogether(const weights::Weights& weights) const;

  std::string weights_file_;
  weights::LoadOptions options_;
  weights::LoadReport report_;
  uint64_t tensors_ = 0;
  uint64_t tensor_bytes_ = 0;
  bool whole_file_ = false;
  std::string skeleton_;         // the ModelProto without what is in headers_
  std::vector<Header> headers_;  // in the order of the model
};

}  // namespace plimsoll

#endif  // SCENARIOS_ENGINES_OPENCV_LOADED_MODEL_H_
