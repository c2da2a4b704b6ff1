#ifndef SCENARIOS_ENGINES_REFERENCE_PATTERN_H_
#define SCENARIOS_ENGINES_REFERENCE_PATTERN_H_

// What a pattern of memory use is: planted leaks and innocent twins with their ground
// truth, for the scripts of the reference engine and for the leak corpus. Tables of
// patterns are constants, thread-safe to read; a run belongs to one thread.

#include <cstdint>
#include <memory>
#include <string_view>

#include "harness/sample.h"

namespace plimsoll {

// One pattern at work. Its destructor gives back what an orderly program would; what
// the pattern leaks beyond reach stays leaked.
class PatternRun {
 public:
  virtual ~PatternRun() = default;

  // One iteration. Throws std::exception when the system refuses a resource.
  virtual void Iterate() = 0;
};

struct Pattern {
  std::string_view name;  // "map_growth"
  bool innocent = false;  // must never be called a leak
  ResourceKind kind = ResourceKind::kHeap;
  // The long-run mean of what is kept, the thing itself without what the library adds;
  // 0 for innocent patterns and for kinds that hold no bytes of their own.
  double bytes_per_iteration = 0;
  // Leaks in every period-th iteration; 0: irregular, or innocent.
  uint32_t period = 0;
  // A function in the call stack of what is kept.
  std::string_view site;
  // The report it is modelled on, or what it stands for.
  std::string_view models;
  // `seed` decides whatever is random in it.
  std::unique_ptr<PatternRun> (*make)(uint64_t seed) = nullptr;
};

// Keeps a function that allocates in the call stack: never inlined, and never left by a
// jump, as the barrier below stands after its last call.
#define PLIMSOLL_SITE __attribute__((noinline))
#define PLIMSOLL_SITE_END() asm volatile("" ::: "memory")

// For tables: makes a Run from a seed, or without one.
template <typename Run>
std::unique_ptr<PatternRun> MakeRun(uint64_t seed) {
  if constexpr (requires { Run(seed); }) {
    return std::make_unique<Run>(seed);
  } else {
    return std::make_unique<Run>();
  }
}

}  // namespace plimsoll

#endif  // SCENARIOS_ENGINES_REFERENCE_PATTERN_H_
