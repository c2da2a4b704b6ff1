#ifndef SCENARIOS_ENGINES_TORCH_MODULE_WEIGHTS_H_
#define SCENARIOS_ENGINES_TORCH_MODULE_WEIGHTS_H_

// A module's parameters and buffers, written to a weight file and taken from one without
// copying. From one thread.

#include <torch/nn.h>

#include <string>

#include "allocators/mmap_loader/loader.h"
#include "scenarios/engines/weights.h"

namespace plimsoll {

// To NAME.safetensors or NAME.blob.json. Throws std::runtime_error.
void WriteModuleWeights(const torch::nn::Module& module, const std::string& path);

// Opens the file and puts its tensors, by name, in the place of the module's parameters
// and buffers. A torch tensor wraps the loader's pages and holds them until its storage
// goes; one that is not aligned to its element is copied. With mode private the pages may
// be written; with any other a write to a parameter ends the process, so only inference is
// allowed. Throws std::runtime_error when a tensor is missing or has another shape or type.
struct BoundWeights {
  weights::LoadReport report;
  WeightsUse use;
};
BoundWeights BindModuleWeights(torch::nn::Module& module, const std::string& path,
                               const weights::LoadOptions& options);

}  // namespace plimsoll

#endif  // SCENARIOS_ENGINES_TORCH_MODULE_WEIGHTS_H_
