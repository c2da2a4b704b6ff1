#include "stress_tests/hammer.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <cstddef>
#include <cstring>
#include <mutex>
#include <new>
#include <random>
#include <thread>
#include <utility>
#include <vector>

namespace plimsoll {
namespace {

struct Block {
  std::byte* begin = nullptr;
  size_t bytes = 0;
  size_t alignment = 0;
  uint64_t generation = 0;
};

// A word in every 64 bytes, and the last byte.
constexpr size_t kStride = 64;

uint64_t WordFor(const Block& block, size_t at) {
  uint64_t word = reinterpret_cast<uintptr_t>(block.begin) + at;
  word ^= block.generation * 0x9E3779B97F4A7C15u;
  word *= 0xD6E8FEB86659FD93u;
  return word ^ word >> 32;
}

void Fill(const Block& block) {
  for (size_t at = 0; at + sizeof(uint64_t) <= block.bytes; at += kStride) {
    const uint64_t word = WordFor(block, at);
    std::memcpy(block.begin + at, &word, sizeof(word));
  }
  block.begin[block.bytes - 1] = static_cast<std::byte>(WordFor(block, block.bytes));
}

// Empty if the block holds what was written to it.
std::string Verify(const Block& block) {
  for (size_t at = 0; at + sizeof(uint64_t) <= block.bytes; at += kStride) {
    uint64_t word = 0;
    std::memcpy(&word, block.begin + at, sizeof(word));
    if (at + sizeof(word) == block.bytes) continue;  // its last byte is the block's last
    if (word != WordFor(block, at)) {
      return "block of " + std::to_string(block.bytes) + " bytes, generation " +
             std::to_string(block.generation) + ", is overwritten at byte " + std::to_string(at);
    }
  }
  if (block.begin[block.bytes - 1] != static_cast<std::byte>(WordFor(block, block.bytes))) {
    return "block of " + std::to_string(block.bytes) + " bytes is overwritten at its last byte";
  }
  return {};
}

// Blocks on their way from one thread to another.
class Exchange {
 public:
  // Leaves a block in place `at` and takes the one that was there, if any.
  Block* Swap(size_t at, Block* block) { return places_[at % kPlaces].exchange(block); }
  static constexpr size_t kPlaces = 64;

 private:
  std::array<std::atomic<Block*>, kPlaces> places_ = {};
};

class Run {
 public:
  Run(std::pmr::memory_resource& memory, const HammerOptions& options)
      : memory_(memory), options_(options) {}

  // One thread's part of a step. The script is the same in every step but for changes.
  void Work(int thread, int64_t step, std::vector<Block*>& kept) {
    std::mt19937_64 script(options_.seed * 1000 + static_cast<uint64_t>(thread));
    std::mt19937_64 chance(options_.seed + static_cast<uint64_t>(step * 1000 + thread));
    for (Block* block : std::exchange(kept, {})) Free(block);
    // By the request after which they go: a change then moves nothing else.
    std::vector<std::vector<Block*>> due(options_.requests);
    for (int64_t i = 0; i < options_.requests && !failed_; ++i) {
      const uint64_t shape = script();
      const uint64_t life = script();
      size_t bytes = SizeOf(shape);
      if (options_.large && shape % 8 == 1) bytes = (bytes + 128) * 256 % (224 << 10) + (32 << 10);
      const size_t alignment = shape % 50 == 0 ? 4096 : 64;
      int copies = 1;
      if (Happens(chance, options_.change)) {
        const uint64_t how = chance() % 3;
        if (how < 2) copies = how == 0 ? 0 : 2;
        if (how == 2) bytes = SizeOf(chance());
      }
      // Most are gone soon, some stay long.
      const int64_t length = static_cast<int64_t>(life % (life % 5 == 0 ? 100 : 8));
      const int64_t last = std::min(i + length, options_.requests - 1);
      for (int c = 0; c < copies; ++c) {
        if (Block* const block = Allocate(bytes, alignment)) due[last].push_back(block);
      }
      for (Block* block : due[i]) Dispose(block, chance, kept);
      due[i].clear();
    }
    for (const auto& blocks : due) {
      for (Block* block : blocks) Dispose(block, chance, kept);
    }
  }

  void Free(Block* block) {
    if (std::string error = Verify(*block); !error.empty()) Fail(std::move(error));
    memory_.deallocate(block->begin, block->bytes, block->alignment);
    held_bytes_.fetch_sub(static_cast<int64_t>(block->bytes));
    operations_.fetch_add(1, std::memory_order_relaxed);
    delete block;
  }

  int64_t operations() const { return operations_.load(std::memory_order_relaxed); }

  void Drain() {
    for (size_t at = 0; at < Exchange::kPlaces; ++at) {
      if (Block* const block = exchange_.Swap(at, nullptr)) Free(block);
    }
  }

  HammerReport Report() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return {operations_.load(), refused_.load(), error_};
  }

 private:
  static bool Happens(std::mt19937_64& chance, double probability) {
    return std::uniform_real_distribution<double>(0, 1)(chance) < probability;
  }

  // Mostly small, a few of many pages.
  static size_t SizeOf(uint64_t shape) {
    const size_t most = shape % 64 == 0 ? size_t{1} << 18 : shape % 8 == 0 ? 1 << 14 : 1 << 10;
    return 1 + (shape >> 8) % most;
  }

  Block* Allocate(size_t bytes, size_t alignment) {
    const auto size = static_cast<int64_t>(bytes);
    if (held_bytes_.fetch_add(size) + size > options_.budget_bytes) {
      held_bytes_.fetch_sub(size);
      return nullptr;
    }
    auto block = std::make_unique<Block>();
    block->bytes = bytes;
    block->alignment = alignment;
    block->generation = generations_.fetch_add(1, std::memory_order_relaxed) + 1;
    try {
      block->begin = static_cast<std::byte*>(memory_.allocate(bytes, alignment));
    } catch (const std::bad_alloc&) {
      refused_.fetch_add(1, std::memory_order_relaxed);
      held_bytes_.fetch_sub(size);
      return nullptr;
    }
    if (reinterpret_cast<uintptr_t>(block->begin) % alignment != 0) {
      Fail("block is not aligned to " + std::to_string(alignment) + " bytes");
    }
    Fill(*block);
    operations_.fetch_add(1, std::memory_order_relaxed);
    return block.release();
  }

  void Dispose(Block* block, std::mt19937_64& chance, std::vector<Block*>& kept) {
    if (Happens(chance, options_.keep)) {
      kept.push_back(block);
      return;
    }
    if (Happens(chance, options_.hand_over)) block = exchange_.Swap(chance(), block);
    if (block != nullptr) Free(block);
  }

  void Fail(std::string error) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (error_.empty()) error_ = std::move(error);
    failed_ = true;
  }

  std::pmr::memory_resource& memory_;
  const HammerOptions options_;
  Exchange exchange_;
  std::atomic<int64_t> held_bytes_{0};
  std::atomic<uint64_t> generations_{0};
  std::atomic<int64_t> operations_{0};
  std::atomic<int64_t> refused_{0};
  std::atomic<bool> failed_{false};
  std::mutex mutex_;
  std::string error_;
};

// Threads that take no part in any step, and steps that come and go meanwhile.
HammerReport HammerAcrossSteps(std::pmr::memory_resource& memory, const HammerOptions& options,
                               const BeginStep& begin_step) {
  Run run(memory, options);
  std::atomic<int> working{options.threads};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < options.threads; ++thread) {
    threads.emplace_back([&, thread] {
      std::vector<Block*> kept;
      for (int64_t step = 0; step < options.steps; ++step) run.Work(thread, step, kept);
      for (Block* block : kept) run.Free(block);
      --working;
    });
  }
  for (int64_t step = 0; working > 0; ++step) {
    const std::function<StepGuard()> open = begin_step(step);
    const int64_t end = run.operations() + options.requests;
    while (run.operations() < end && working > 0) std::this_thread::yield();
  }
  for (std::thread& thread : threads) thread.join();
  run.Drain();
  return run.Report();
}

}  // namespace

HammerReport Hammer(std::pmr::memory_resource& memory, const HammerOptions& options,
                    const BeginStep& begin_step) {
  if (options.straddle) return HammerAcrossSteps(memory, options, begin_step);
  Run run(memory, options);
  std::function<StepGuard()> join;
  std::barrier gate(options.threads + 1);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < options.threads; ++thread) {
    threads.emplace_back([&, thread] {
      std::vector<Block*> kept;
      for (int64_t step = 0; step < options.steps; ++step) {
        gate.arrive_and_wait();
        {
          const StepGuard guard = join ? join() : nullptr;
          run.Work(thread, step, kept);
        }
        gate.arrive_and_wait();
      }
      for (Block* block : kept) run.Free(block);
    });
  }
  for (int64_t step = 0; step < options.steps; ++step) {
    join = begin_step ? begin_step(step) : nullptr;
    gate.arrive_and_wait();
    gate.arrive_and_wait();
    join = nullptr;
  }
  for (std::thread& thread : threads) thread.join();
  run.Drain();
  return run.Report();
}

}  // namespace plimsoll
