#ifndef ALLOCATORS_PLANNER_ARENA_PROFILE_H_
#define ALLOCATORS_PLANNER_ARENA_PROFILE_H_

// What one step asks of its allocator: every request in order, with the lifetime of its
// block on a logical clock, and the recorder that takes it down. Not thread-safe: the
// recorder's owner serialises its calls.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace plimsoll {

// Offsets and sizes in the arena are whole granules; every block is aligned to one.
inline constexpr uint64_t kGranuleBytes = 64;

// What became of a block by the end of the step after its own.
enum class Fate : uint8_t {
  kInStep,    // freed in its own step, at tick `upper`
  kCarried,   // freed in the next step, at tick `upper` of that step
  kOutlives,  // still live when the next step ended: not the arena's business
};

struct ProfiledRequest {
  uint64_t bytes = 0;      // as requested, at least 1
  uint32_t alignment = 0;  // bytes, a power of two, at least kGranuleBytes
  uint32_t site = 0;       // who asked; 0 is nobody in particular
  int64_t lower = 0;       // tick of the request
  int64_t upper = 0;       // see Fate
  Fate fate = Fate::kOutlives;

  uint64_t Granules() const { return (bytes + kGranuleBytes - 1) / kGranuleBytes; }
};

struct StepProfile {
  // By lane (a thread's place in the step), in the order of the lane's requests.
  std::vector<std::vector<ProfiledRequest>> lanes;
  int64_t ticks = 0;  // every tick of the step is below this

  // As many requests in each lane, with equal alignments: the same program, perhaps on
  // data of another shape.
  bool SameStructure(const StepProfile& other) const;
  // And with equal granules.
  bool SameRequests(const StepProfile& other) const;
  // Each request is at least as large as the other's. REQUIRES: SameStructure(other).
  bool Covers(const StepProfile& other) const;

  // Widens each size and lifetime so that it covers `other`'s too. Returns whether that
  // changed anything but sizes within a granule. REQUIRES: SameStructure(other).
  bool Merge(const StepProfile& other);
};

// Names one request of one recorded step. A default one names none.
struct RequestRef {
  uint64_t step = 0;
  uint32_t lane = 0;
  uint32_t index = 0;

  explicit operator bool() const { return step != 0; }
};

// Takes down steps. A step's profile is complete when the step after it has ended, too,
// because until then one of its blocks may still be freed.
class StepRecorder {
 public:
  // `step` rises from call to call and is never 0. Leaving out a step drops the profile
  // of the one before it.
  void BeginStep(uint64_t step);

  // REQUIRES: a step has begun and has not ended.
  RequestRef Allocate(uint32_t lane, uint64_t bytes, uint32_t alignment, uint32_t site);

  // A block of a step that is no longer followed is ignored.
  void Free(const RequestRef& request);

  // Returns the profile of the step before the one that ends here, if it was kept.
  // `keep`: the step that ends here is wanted as well.
  std::optional<StepProfile> EndStep(bool keep);

  // Drops all: as if no step had begun.
  void Drop() noexcept;

  // Drops the kept profile, and with it the need to follow the next step.
  void Forget() { closing_ = Step{}; }

  // A kept profile waits for the next step.
  bool Following() const { return closing_.id != 0; }

 private:
  struct Step {
    uint64_t id = 0;
    StepProfile profile;
  };

  Step open_;
  Step closing_;
  bool in_step_ = false;
};

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_PROFILE_H_
