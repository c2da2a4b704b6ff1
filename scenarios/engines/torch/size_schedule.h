#ifndef SCENARIOS_ENGINES_TORCH_SIZE_SCHEDULE_H_
#define SCENARIOS_ENGINES_TORCH_SIZE_SCHEDULE_H_

// Which input size comes next. Deterministic by seed; one schedule belongs to one thread.

#include <cstdint>
#include <random>
#include <vector>

#include "scenarios/engines/torch/options.h"

namespace plimsoll {

class SizeSchedule {
 public:
  explicit SizeSchedule(const TorchOptions& options);

  int64_t Next();

 private:
  SizeOrder order_;
  std::vector<int64_t> sizes_;
  size_t position_ = 0;
  std::mt19937_64 random_;
};

}  // namespace plimsoll

#endif  // SCENARIOS_ENGINES_TORCH_SIZE_SCHEDULE_H_
