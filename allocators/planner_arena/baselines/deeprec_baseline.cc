#include "allocators/planner_arena/baselines/deeprec_baseline.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace plimsoll {
namespace {

// The instance that was made last is the one that is planned.
std::atomic<uint64_t> g_instances{0};

constexpr size_t kSmallHeader = 8;

// Bytes before a block; more than the header itself only to keep the block aligned.
size_t HeaderBytes(bool small, size_t alignment) {
  return std::max(small ? kSmallHeader : DeepRecPool::kHeaderBytes, alignment);
}

}  // namespace

DeepRecBaseline::DeepRecBaseline(const ArenaConfiguration& configuration,
                                 std::pmr::memory_resource* upstream)
    : configuration_(configuration),
      instance_(++g_instances),
      upstream_(upstream),
      pools_{DeepRecPool(4 << 10), DeepRecPool(8 << 10), DeepRecPool(16 << 10)} {}

DeepRecBaseline::~DeepRecBaseline() {
  for (auto& [number, bin] : bins_) {
    for (std::byte* chunk : bin.all) {
      upstream_.Free(chunk, bin.chunk_bytes, DeepRecPool::kHeaderBytes);
    }
  }
}

bool DeepRecBaseline::IsLast() const { return instance_ == g_instances.load(); }

void DeepRecBaseline::BeginStep() {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++steps_;
  const bool wanted = configuration_.enable_memory_optimization && !done_ && IsLast() &&
                      steps_ > configuration_.start_statistic_step;
  in_window_.store(wanted, std::memory_order_release);
}

// The window ends here: blocks that are still live are forgotten.
void DeepRecBaseline::EndStep() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!in_window_.load(std::memory_order_relaxed)) return;
  in_window_.store(false, std::memory_order_release);
  open_.clear();
  bool grown = false;
  const std::vector<DeepRecPool::Lifetime> lifetimes = std::exchange(closed_, {});
  for (DeepRecPool& pool : pools_) grown = pool.Extend(lifetimes) || grown;
  stable_steps_ = grown ? 0 : stable_steps_ + 1;
  ++recorded_steps_;
  if (stable_steps_ < configuration_.stable_statistic_step &&
      recorded_steps_ < configuration_.max_statistic_step) {
    return;
  }
  done_ = true;
  Install();
}

void DeepRecBaseline::Install() {
  const DeepRecPool& pool =
      *std::min_element(pools_.begin(), pools_.end(),
                        [](const auto& a, const auto& b) { return a.PoolBytes() < b.PoolBytes(); });
  bin_bytes_ = pool.ChunkBytes(1);
  pool_bytes_ = static_cast<int64_t>(pool.PoolBytes());
  for (const auto& [number, planned] : pool.bins()) {
    Bin& bin = bins_[number];
    bin.chunk_bytes = pool.ChunkBytes(number);
    bin.lenders = planned.lenders;
    for (size_t i = 0; i < planned.chunks; ++i) {
      auto* const chunk =
          static_cast<std::byte*>(upstream_.Allocate(bin.chunk_bytes, DeepRecPool::kHeaderBytes));
      bin.all.push_back(chunk);
    }
    bin.free = bin.all;
  }
  installed_.store(true, std::memory_order_release);
}

std::byte* DeepRecBaseline::PopOf(Bin& bin) {
  const Bin::Lock lock(bin);
  ++bin.locks;
  if (bin.free.empty()) return nullptr;
  std::byte* const chunk = bin.free.back();
  bin.free.pop_back();
  ++bin.hits;
  return chunk;
}

// A chunk of the request's bin, or of those that lent to it. Its first word names the bin
// that it goes back to.
std::byte* DeepRecBaseline::Pop(size_t bytes) {
  const size_t number = (bytes + DeepRecPool::kHeaderBytes + bin_bytes_ - 1) / bin_bytes_;
  const auto own = bins_.find(number);
  if (own == bins_.end()) return nullptr;
  uint64_t home = number;
  std::byte* chunk = PopOf(own->second);
  for (size_t i = 0; chunk == nullptr && i < own->second.lenders.size(); ++i) {
    home = own->second.lenders[i];
    chunk = PopOf(bins_.at(home));
  }
  if (chunk != nullptr) std::memcpy(chunk, &home, sizeof(home));
  return chunk;
}

void* DeepRecBaseline::do_allocate(size_t bytes, size_t alignment) {
  const bool small = bytes <= kBypassBytes;
  const size_t header = HeaderBytes(small, alignment);
  std::byte* base = nullptr;
  const bool pooled = !small && alignment <= DeepRecPool::kHeaderBytes;
  if (pooled && installed()) base = Pop(bytes);
  if (base == nullptr) {
    base = static_cast<std::byte*>(
        upstream_.Allocate(bytes + header, std::max(alignment, alignof(uint64_t))));
    if (!small) {
      misses_.fetch_add(1, std::memory_order_relaxed);
      const uint64_t none = 0;
      std::memcpy(base, &none, sizeof(none));
    }
  }
  std::byte* const block = base + header;
  const uint64_t word = small ? kSmallMagic : bytes;
  std::memcpy(block - sizeof(word), &word, sizeof(word));
  if (pooled && in_window_.load(std::memory_order_acquire)) NoteAllocate(block, bytes);
  return block;
}

void DeepRecBaseline::do_deallocate(void* block, size_t bytes, size_t alignment) {
  if (in_window_.load(std::memory_order_acquire)) NoteFree(block);
  const bool small = bytes <= kBypassBytes;
  uint64_t word = 0;
  std::memcpy(&word, static_cast<std::byte*>(block) - sizeof(word), sizeof(word));
  if ((word == kSmallMagic) != small) misjudged_frees_.fetch_add(1, std::memory_order_relaxed);
  const size_t header = HeaderBytes(small, alignment);
  std::byte* const base = static_cast<std::byte*>(block) - header;
  uint64_t number = 0;
  if (!small) std::memcpy(&number, base, sizeof(number));
  if (number == 0) {
    upstream_.Free(base, bytes + header, std::max(alignment, alignof(uint64_t)));
    return;
  }
  Bin& bin = bins_.at(number);
  const Bin::Lock lock(bin);
  ++bin.locks;
  bin.free.push_back(base);
}

void DeepRecBaseline::NoteAllocate(const void* block, size_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const int64_t now = clock_++;
  open_[block] = {now, now, bytes};
}

void DeepRecBaseline::NoteFree(const void* block) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto it = open_.find(block);
  if (it == open_.end()) return;
  it->second.end = clock_++;
  closed_.push_back(it->second);
  open_.erase(it);
}

StepMemoryStats DeepRecBaseline::Stats() const {
  StepMemoryStats stats = upstream_.Stats();
  if (installed()) {
    for (const auto& [number, bin] : bins_) {
      const Bin::Lock lock(bin);
      stats.hits += bin.hits;
    }
  }
  stats.misses = misses_.load(std::memory_order_relaxed);
  return stats;
}

int64_t DeepRecBaseline::locks() const {
  int64_t sum = 0;
  if (!installed()) return sum;
  for (const auto& [number, bin] : bins_) {
    const Bin::Lock lock(bin);
    sum += bin.locks;
  }
  return sum;
}

int64_t DeepRecBaseline::comparisons() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  int64_t sum = 0;
  for (const DeepRecPool& pool : pools_) sum += pool.comparisons();
  return sum;
}

}  // namespace plimsoll
