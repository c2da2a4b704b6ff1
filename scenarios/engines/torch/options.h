#ifndef SCENARIOS_ENGINES_TORCH_OPTIONS_H_
#define SCENARIOS_ENGINES_TORCH_OPTIONS_H_

// The knobs of a libtorch training case, checked. Plain data.

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "scenarios/engines/config.h"
#include "scenarios/engines/tensor_allocator.h"

namespace plimsoll {

enum class TrainedModel { kResNet, kMlp, kTransformer };
enum class OptimizerKind { kSgd, kMomentum, kAdam };
// How the input's size changes from step to step: through all sizes in order, drawn
// anew each time, or every size once in random order, again and again.
enum class SizeOrder { kCycle, kRandom, kShuffled };

struct TorchOptions {
  TrainedModel model = TrainedModel::kResNet;
  // resnet: bottleneck blocks in each of four stages, and the first stage's channels.
  // mlp: layers and their width. transformer: layers and model width.
  std::vector<int64_t> stage_blocks = {1, 1, 1, 1};
  int64_t width = 16;
  int64_t depth = 2;
  int64_t heads = 2;
  int64_t classes = 10;

  int64_t batch = 4;
  // The input's varying extent: image side (resnet), tokens (transformer), features stay
  // and the batch varies (mlp). `sizes` distinct values from `size`, `size_step` apart.
  int64_t size = 32;
  int64_t sizes = 1;
  int64_t size_step = 8;
  SizeOrder order = SizeOrder::kCycle;

  OptimizerKind optimizer = OptimizerKind::kSgd;
  double learning_rate = 0.01;
  bool gradients_to_none = false;  // free gradients after each step instead of zeroing

  int64_t threads = 1;          // within an operator
  int64_t prefetch = 0;         // batches prepared ahead by a thread of its own; 0: none
  uint64_t prefetch_bytes = 0;  // no batch is begun while as many are held; 0: no bound
  uint64_t seed = 1;
  bool print_loss = false;  // the last loss at the end, 17 digits

  ArenaOptions arena = {};
};

// From `model` (resnet50, resnet_small, mlp or transformer) and the knobs of the same
// names as the fields above.
Expected<TorchOptions> ParseTorchOptions(const EngineConfig& config);

}  // namespace plimsoll

#endif  // SCENARIOS_ENGINES_TORCH_OPTIONS_H_
