#ifndef STRESS_TESTS_ARENA_TORCH_TRAINING_H_
#define STRESS_TESTS_ARENA_TORCH_TRAINING_H_

// Trainings of networks in libtorch, with weights and data made from a seed: the same
// losses, bit by bit, wherever tensors live. Not thread-safe.

#include <cstdint>
#include <memory>
#include <string>

#include "allocators/planner_arena/arena.h"
#include "base/error.h"

namespace plimsoll {

class TorchTraining {
 public:
  // "resnet50" on images of 64 x 64, or "transformer": four encoder layers of 256 on
  // sequences of 128. On one thread. An error names `model` and what is allowed.
  static Expected<std::unique_ptr<TorchTraining>> Create(const std::string& model, int64_t batch);

  virtual ~TorchTraining() = default;
  // Forward, backward, and an update of the weights; returns the loss.
  virtual float Step() = 0;
};

// From here on libtorch's tensors live in `arena`, which must stay until the process ends.
void PutTensorsInto(PlannerArena& arena);

}  // namespace plimsoll

#endif  // STRESS_TESTS_ARENA_TORCH_TRAINING_H_
