#ifndef SCENARIOS_ENGINES_TORCH_TORCH_ENGINE_H_
#define SCENARIOS_ENGINES_TORCH_TORCH_ENGINE_H_

// Runs training cases on libtorch. Used from one thread.

#include <memory>

#include "base/error.h"
#include "scenarios/engines/config.h"
#include "scenarios/engines/engine_main.h"

namespace plimsoll {

// Steps:
//   build          model and optimizer, from the seed
//   train: N       N training steps (1)
//   evaluate: N    N forward passes without gradients (1)
//   save, load     a checkpoint of model and optimizer, in a temporary file
//   export: FILE   the model's weights to FILE.safetensors or FILE.blob.json
//   release        drop model and optimizer
// Models and knobs: options.h. Weights (../weights.h): build wraps the loader's pages, so
// train and load want loader private.
Expected<std::unique_ptr<Engine>> MakeTorchEngine(const EngineConfig& config);

}  // namespace plimsoll

#endif  // SCENARIOS_ENGINES_TORCH_TORCH_ENGINE_H_
