#include "scenarios/engines/torch/size_schedule.h"

#include <algorithm>
#include <cstddef>

namespace plimsoll {

SizeSchedule::SizeSchedule(const TorchOptions& options)
    : order_(options.order), random_(options.seed) {
  for (int64_t i = 0; i < options.sizes; ++i) {
    sizes_.push_back(options.size + i * options.size_step);
  }
}

int64_t SizeSchedule::Next() {
  if (order_ == SizeOrder::kRandom) return sizes_[random_() % sizes_.size()];
  if (position_ == 0 && order_ == SizeOrder::kShuffled) {
    std::shuffle(sizes_.begin(), sizes_.end(), random_);
  }
  const int64_t size = sizes_[position_];
  position_ = (position_ + 1) % sizes_.size();
  return size;
}

}  // namespace plimsoll
