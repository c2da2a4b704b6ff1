#include "allocators/planner_arena/baselines/one_shot.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "allocators/planner_arena/planner/greedy.h"

namespace plimsoll {
namespace {

size_t RoundUp(size_t bytes, size_t unit) {
  return (std::max<size_t>(bytes, 1) + unit - 1) / unit * unit;
}

}  // namespace

OneShot::~OneShot() {
  if (region_ != nullptr) upstream_.Free(region_, static_cast<size_t>(height_), kAlignment);
}

void OneShot::BeginStep() {
  const std::lock_guard<std::mutex> lock(mutex_);
  next_ = 0;
  recording_ = ++steps_ == start_ + 1;
}

void OneShot::EndStep() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!std::exchange(recording_, false)) return;
  // What is still live keeps its bytes to the end of the step.
  for (const auto& [block, i] : open_) buffers_[i].upper = clock_ + 1;
  open_.clear();
  Install();
}

void OneShot::Install() {
  if (buffers_.empty()) return;
  const Plan plan = GreedyBySize(buffers_);
  region_ =
      static_cast<std::byte*>(upstream_.Allocate(static_cast<size_t>(plan.height), kAlignment));
  height_ = plan.height;
  offsets_ = plan.offsets;
}

// The next planned block, or nullptr.
std::byte* OneShot::TakeNext(size_t size) {
  if (next_ >= offsets_.size()) return nullptr;
  const size_t i = next_++;
  if (static_cast<size_t>(buffers_[i].size) != size) return nullptr;
  const int64_t begin = offsets_[i];
  const int64_t end = begin + buffers_[i].size;
  const auto after = live_.lower_bound(end);
  if (after != live_.begin() && std::prev(after)->second > begin) return nullptr;
  live_.emplace(begin, end);
  return region_ + begin;
}

void* OneShot::do_allocate(size_t bytes, size_t alignment) {
  const size_t size = RoundUp(bytes, kAlignment);
  const bool pooled = alignment <= kAlignment;
  if (pooled) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (std::byte* const block = TakeNext(size)) {
      ++hits_;
      return block;
    }
    ++misses_;
  }
  void* const block = upstream_.Allocate(bytes, alignment);
  const std::lock_guard<std::mutex> lock(mutex_);
  if (pooled && recording_) {
    open_[block] = buffers_.size();
    buffers_.push_back({clock_++, 0, static_cast<int64_t>(size), int64_t{kAlignment}});
  }
  return block;
}

void OneShot::do_deallocate(void* block, size_t bytes, size_t alignment) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto* const begin = static_cast<std::byte*>(block);
    if (region_ != nullptr && begin >= region_ && begin < region_ + height_) {
      live_.erase(begin - region_);
      return;
    }
    const auto it = open_.find(block);
    if (it != open_.end()) {
      buffers_[it->second].upper = clock_++;
      open_.erase(it);
    }
  }
  upstream_.Free(block, bytes, alignment);
}

StepMemoryStats OneShot::Stats() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  StepMemoryStats stats = upstream_.Stats();
  stats.hits = hits_;
  stats.misses = misses_;
  return stats;
}

int64_t OneShot::height() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return height_;
}

}  // namespace plimsoll
