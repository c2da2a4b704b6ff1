#include "scenarios/engines/reference/leak.h"

#include <stdexcept>

namespace plimsoll {

ReachableLeak::ReachableLeak(size_t bytes, uint64_t every) : bytes_(bytes), every_(every) {
  plans_.reserve(kMostBlocks);
}

void ReachableLeak::Iterate() {
  if (++iteration_ % every_ == 0) RememberPlan();
}

void ReachableLeak::RememberPlan() {
  if (plans_.size() == kMostBlocks) throw std::length_error("the planted leak is full");
  plans_.push_back(std::make_unique<std::byte[]>(bytes_));
  PLIMSOLL_SITE_END();
}

}  // namespace plimsoll
