#ifndef STRESS_TESTS_HAMMER_H_
#define STRESS_TESTS_HAMMER_H_

// Many threads that allocate, check and free at random, in steps that nearly repeat.
// Every block's contents follow from its address and its generation, and are verified
// before it is freed, by whichever thread that is. Hammer itself is called by one thread.

#include <cstdint>
#include <functional>
#include <memory>
#include <memory_resource>
#include <string>

namespace plimsoll {

struct HammerOptions {
  int threads = 8;
  int64_t steps = 100;
  // Requests of each thread in a step; about as many blocks are freed.
  int64_t requests = 100;
  // Probability of each request to be left out, doubled, or of another size than in the
  // steps before.
  double change = 0.01;
  // Probability of each block to be freed by another thread, and to outlive its step.
  double hand_over = 0.1;
  double keep = 0.01;
  // Bytes that all threads together may hold; a request beyond it is left out.
  int64_t budget_bytes = int64_t{64} << 20;
  uint64_t seed = 1;
  // One request in eight is of 32 to 256 KiB.
  bool large = false;
  // The threads do not wait for each other, nor for the steps: requests are under way when a
  // step ends and the next begins. Steps then end as soon as the threads have done, all
  // together, about as much as one of them has to do in one.
  bool straddle = false;
};

struct HammerReport {
  int64_t operations = 0;  // blocks allocated and freed
  int64_t refused = 0;     // requests that threw std::bad_alloc
  // The first block that did not hold what was written to it, or was misaligned; empty: none.
  std::string error;
};

// What a thread keeps alive while it works on a step: an allocator's step scope.
using StepGuard = std::shared_ptr<void>;

// Runs the steps. `begin_step` is called by the calling thread before each step's work;
// what it returns is called by every thread, and the result kept until that thread's
// part is done. All blocks are freed in the end.
using BeginStep = std::function<std::function<StepGuard()>(int64_t step)>;
HammerReport Hammer(std::pmr::memory_resource& memory, const HammerOptions& options,
                    const BeginStep& begin_step);

}  // namespace plimsoll

#endif  // STRESS_TESTS_HAMMER_H_
