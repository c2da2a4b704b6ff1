#ifndef STRESS_TESTS_ARENA_REPLAY_H_
#define STRESS_TESTS_ARENA_REPLAY_H_

// Runs the calls of a step over an allocator, again and again. One thread a replay.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory_resource>
#include <utility>
#include <vector>

#include "stress_tests/arena/step_trace.h"

namespace plimsoll {

// malloc and free of the process, in the place of a memory resource.
struct MallocCalls {
  void* allocate(size_t bytes, size_t) { return std::malloc(bytes); }
  void deallocate(void* block, size_t, size_t) { std::free(block); }
};

enum class Touch {
  kNothing,
  kPages,  // one byte of each page of a block that was allocated
};

class Replay {
 public:
  explicit Replay(StepTrace trace) : trace_(std::move(trace)), live_(trace_.blocks.size()) {}
  // REQUIRES: Finish, if a step was run.
  ~Replay() = default;
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;

  // One step; returns how many calls it made. The first one leaves out the frees of blocks
  // that no step before it allocated. `memory` is a std::pmr::memory_resource, or like one,
  // the same in every step.
  template <Touch kTouch, typename Memory>
  int64_t Step(Memory& memory) {
    int64_t left_out = 0;
    for (const StepTrace::Call& call : trace_.calls) {
      const StepTrace::Block& block = trace_.blocks[call.block];
      void*& live = live_[call.block];
      if (call.frees) {
        if (live == nullptr) {
          ++left_out;
          continue;
        }
        memory.deallocate(live, block.bytes, block.alignment);
        live = nullptr;
      } else {
        live = memory.allocate(block.bytes, block.alignment);
        if constexpr (kTouch == Touch::kPages) TouchPages(live, block.bytes);
      }
    }
    return static_cast<int64_t>(trace_.calls.size()) - left_out;
  }

  // Frees what lives on.
  template <typename Memory>
  void Finish(Memory& memory) {
    for (size_t i = 0; i < live_.size(); ++i) {
      if (live_[i] == nullptr) continue;
      memory.deallocate(live_[i], trace_.blocks[i].bytes, trace_.blocks[i].alignment);
      live_[i] = nullptr;
    }
  }

  // Goes on with a step of the same structure on data of another size. What lives on keeps
  // its size. REQUIRES: as many blocks, and nothing lives on.
  void ChangeTo(const StepTrace& trace) { trace_ = trace; }

 private:
  static void TouchPages(void* memory, size_t bytes) {
    constexpr size_t kPage = 4096;
    for (size_t i = 0; i < bytes; i += kPage) static_cast<volatile char*>(memory)[i] = 1;
  }

  StepTrace trace_;
  std::vector<void*> live_;  // by block
};

}  // namespace plimsoll

#endif  // STRESS_TESTS_ARENA_REPLAY_H_
