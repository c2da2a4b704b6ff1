#ifndef ALLOCATORS_PLANNER_ARENA_ARENA_SCHEDULE_H_
#define ALLOCATORS_PLANNER_ARENA_ARENA_SCHEDULE_H_

// A plan in the form that serves requests: which slot comes next, whether the blocks
// that used its bytes before it are gone, and whose block starts at an offset.
//
// Claim, Release and the look-ups are thread-safe and take no lock. Prepare is not: one
// thread calls it, while others may still be inside calls of an earlier step.
//
// Why no live block is ever overlapped, whatever the program does: each slot has a word
// {step, state}. A slot is claimed once a step, by a compare-and-swap. Before it is
// handed out, every slot that precedes it in its bytes must be finished: released, or
// never claimed and now barred from being claimed in this step (kSkipped), with its own
// predecessors finished in turn. Finished is final within a step. A block that is still
// live when the next step begins bars all slots that share its bytes (Prepare). So a
// plan that does not fit what the program does costs misses and nothing else.
//
// A thread that comes late from an earlier step may claim a slot, and finds out only then
// that it must not. Until it has undone that, the slot looks live to Prepare and to other
// claims, which costs them misses; but a look-up never finds it, since a claim is made
// known (Publish) only by who keeps it. Slots that share an offset share bytes, so only
// one of them is known at a time.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "allocators/planner_arena/arena_layout.h"
#include "allocators/planner_arena/profile.h"

namespace plimsoll {

class Schedule {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  struct Slot {
    uint32_t offset = kNone;  // granules; kNone: planned to be served upstream
    uint32_t size = 0;        // granules
    uint32_t alignment_log2 = 0;
    uint32_t site = 0;
    uint32_t first_edge = 0;  // its predecessors end where the next slot's begin
    uint32_t owner = kNone;   // where its offset stands among the owners
  };

  // REQUIRES: `layout` is of `profile`, and offsets in granules are below kNone.
  Schedule(StepProfile profile, Layout layout);

  struct Range {  // granules
    uint32_t begin = 0;
    uint32_t end = 0;
  };

  // Makes the slots ready for step `step`, which rises from call to call and follows
  // step `previous`. `barred` are the ranges of other schedules' live blocks. Returns
  // how many of its own blocks are live past their planned lifetime.
  size_t Prepare(uint64_t step, uint64_t previous, std::vector<Range> barred);

  // How many blocks of step `previous` live on as planned.
  int64_t CarriedLive(uint64_t previous) const;

  // Ranges of this schedule's live blocks.
  std::vector<Range> LiveRanges() const;

  enum class Claimed {
    kNo,     // it is taken or barred
    kInUse,  // it was free, but its bytes are still in use: to be undone
    kYes,    // to be published, or to be undone if `step` is over by now
  };
  // Takes slot `i`, which is not kNone's, in step `step`.
  Claimed Claim(uint32_t i, uint64_t step);

  // Makes a claim's block known, of this many bytes, more than 0.
  void Publish(uint32_t i, uint64_t bytes);

  // Undoes a claim that was not published. The slot stays unused in step `now`, which is
  // the last that Prepare was or could have been called for: it may have taken the slot for
  // live, and left it out when it barred others. REQUIRES: Prepare is not called meanwhile.
  void Unclaim(uint32_t i, uint64_t now);

  // Ends the block of slot `i`, which was published; returns its bytes.
  uint64_t Release(uint32_t i);

  // The slot whose published block begins at `offset` granules, or kNone.
  uint32_t LiveSlotAt(uint32_t offset) const;

  // What a request asks for that is not the next one planned.
  struct Wanted {
    uint64_t step = 0;
    uint32_t size = 0;  // granules
    uint32_t alignment_log2 = 0;
    uint32_t site = 0;
  };
  // The first slot in [begin, end) of exactly this size and alignment that could not yet
  // be ruled out for the step, and of this site if there is one; or kNone. The caller
  // claims it. Few that suit are looked at; those that are used up cost nothing.
  uint32_t FindUnused(const Wanted& wanted, uint32_t begin, uint32_t end) const;
  // Such a slot anywhere, whose bytes nobody needs before it: claiming it takes nothing
  // from any request but its own.
  uint32_t FindReady(const Wanted& wanted) const;
  // Whether slot `i` was handed out in the step, or still is since an earlier one.
  bool Taken(uint32_t i, uint64_t step) const;

  // Whether any slot is of exactly this size and alignment.
  bool Has(uint32_t size, uint32_t alignment_log2) const;

  // Which recorded request the block of live slot `i` answers.
  void SetRequest(uint32_t i, const RequestRef& request) { requests_[i] = request; }
  RequestRef GetRequest(uint32_t i) const { return requests_[i]; }

  // The slots of `lane` are [LaneBegin(lane), LaneEnd(lane)); empty beyond the lanes.
  uint32_t LaneBegin(uint32_t lane) const;
  uint32_t LaneEnd(uint32_t lane) const { return LaneBegin(lane + 1); }

  const Slot& slot(uint32_t i) const { return slots_[i]; }
  uint32_t site(uint32_t i) const { return slots_[i].site; }
  // Of its published block; 0 if there is none.
  uint64_t live_bytes(uint32_t i) const { return states_[i].bytes.load(); }
  uint32_t num_slots() const { return static_cast<uint32_t>(slots_.size() - 1); }
  uint32_t height() const { return height_; }  // granules
  const Layout& layout() const { return layout_; }
  const StepProfile& profile() const { return profile_; }

 private:
  enum State : uint64_t { kUnused = 0, kLive = 1, kFinished = 2, kSkipped = 3 };

  struct SlotState {
    std::atomic<uint64_t> word{0};   // step << 2 | State
    std::atomic<uint64_t> bytes{0};  // of the block, from Publish to Release; else 0
  };
  struct Owner {
    std::atomic<uint32_t> slot{kNone};  // the last to be published at this offset
    uint32_t offset = kNone;
  };
  // The slots of one size and alignment, in the order of their requests.
  struct SizeClass {
    uint64_t key = 0;
    uint32_t begin = 0;
    uint32_t end = 0;
  };

  static uint64_t ClassKey(uint32_t size, uint32_t alignment_log2) {
    return uint64_t{size} << 8 | alignment_log2;
  }
  static uint64_t Word(uint64_t step, State state) { return step << 2 | state; }
  static State StateOf(uint64_t word) { return static_cast<State>(word & 3); }
  static uint64_t StepOf(uint64_t word) { return word >> 2; }
  static uint32_t Hash(uint64_t key, uint32_t mask) {
    return static_cast<uint32_t>((key * 0x9E3779B97F4A7C15u) >> 32) & mask;
  }

  void MakeSlots();
  void MakeEdges();
  void MakeOwners();
  void MakeClasses();
  template <typename Suits>
  uint32_t Find(const Wanted& wanted, uint32_t begin, uint32_t end, Suits suits) const;
  uint32_t SkipUsedUp(uint32_t from, uint32_t end, uint64_t step) const;
  bool Ready(uint32_t i, uint64_t step) const;
  // Where the size class stands among classes_, or kNone.
  uint32_t FindClass(uint32_t size, uint32_t alignment_log2) const;
  bool FinishSkipped(uint32_t i, uint64_t step);
  bool Bar(uint32_t i, uint64_t step);
  void BarRanges(std::vector<Range> ranges, uint64_t step);
  bool LiveFromEarlier(uint32_t i, uint64_t step) const;

  const StepProfile profile_;
  const Layout layout_;
  std::vector<Slot> slots_;  // by lane, in order; one more as a sentinel
  std::vector<uint32_t> lane_begin_;
  // Predecessors: slot << 1 | whether it is that slot's block of the step before.
  std::vector<uint32_t> edges_;
  std::vector<bool> carried_;  // by slot: its block is meant to live into the next step
  std::vector<uint32_t> carried_slots_;
  std::unique_ptr<SlotState[]> states_;
  std::unique_ptr<RequestRef[]> requests_;  // by slot
  std::unique_ptr<Owner[]> owners_;
  uint32_t owner_mask_ = 0;
  std::vector<uint32_t> class_members_;
  // By member: how far the members from here on are used up, in the step: its lower half
  // << 32 | a member. A step of 2^32 before is taken for this one: that costs misses.
  std::unique_ptr<std::atomic<uint64_t>[]> used_up_;
  std::unique_ptr<SizeClass[]> classes_;
  uint32_t class_mask_ = 0;
  uint32_t height_ = 0;
};

[[gnu::always_inline]] inline Schedule::Claimed Schedule::Claim(uint32_t i, uint64_t step) {
  SlotState& state = states_[i];
  uint64_t word = state.word.load(std::memory_order_relaxed);
  if (StateOf(word) == kLive || StepOf(word) >= step) return Claimed::kNo;
  // Sequentially consistent: two slots that share bytes each claim first and look at
  // the other afterwards, so at least one of them sees the other.
  if (!state.word.compare_exchange_strong(word, Word(step, kLive))) return Claimed::kNo;
  const uint64_t finished = Word(step, kFinished);
  const uint32_t end = slots_[i + 1].first_edge;
  for (uint32_t e = slots_[i].first_edge; e < end; ++e) {
    const uint32_t before = edges_[e] >> 1;
    if (edges_[e] & 1) {
      if (!LiveFromEarlier(before, step)) continue;
    } else {
      const uint64_t seen = states_[before].word.load();
      if (seen == finished || (StateOf(seen) != kLive && FinishSkipped(before, step))) continue;
    }
    return Claimed::kInUse;
  }
  return Claimed::kYes;
}

inline void Schedule::Publish(uint32_t i, uint64_t bytes) {
  states_[i].bytes.store(bytes, std::memory_order_relaxed);
  // Mostly it stands there from the step before, and other threads read the same line.
  std::atomic<uint32_t>& owner = owners_[slots_[i].owner].slot;
  if (owner.load(std::memory_order_relaxed) != i) owner.store(i, std::memory_order_relaxed);
}

inline bool Schedule::LiveFromEarlier(uint32_t i, uint64_t step) const {
  const uint64_t seen = states_[i].word.load();
  return StateOf(seen) == kLive && StepOf(seen) < step;
}

inline void Schedule::Unclaim(uint32_t i, uint64_t now) {
  states_[i].word.store(Word(now, kSkipped), std::memory_order_release);
}

inline uint64_t Schedule::Release(uint32_t i) {
  SlotState& state = states_[i];
  const uint64_t bytes = state.bytes.load(std::memory_order_relaxed);
  state.bytes.store(0, std::memory_order_relaxed);
  const uint64_t step = StepOf(state.word.load(std::memory_order_relaxed));
  // Release: the next owner of these bytes acquires the word before it writes them.
  state.word.store(Word(step, kFinished), std::memory_order_release);
  return bytes;
}

inline uint32_t Schedule::LiveSlotAt(uint32_t offset) const {
  for (uint32_t at = Hash(offset, owner_mask_);; at = (at + 1) & owner_mask_) {
    const Owner& owner = owners_[at];
    if (owner.offset == offset) {
      const uint32_t i = owner.slot.load(std::memory_order_relaxed);
      if (i == kNone) return kNone;
      return states_[i].bytes.load(std::memory_order_relaxed) != 0 ? i : kNone;
    }
    if (owner.offset == kNone) return kNone;
  }
}

inline uint32_t Schedule::LaneBegin(uint32_t lane) const {
  return lane < lane_begin_.size() ? lane_begin_[lane] : num_slots();
}

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_ARENA_SCHEDULE_H_
