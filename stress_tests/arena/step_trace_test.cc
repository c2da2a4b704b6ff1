#include "stress_tests/arena/step_trace.h"

#include <gtest/gtest.h>

#include <map>
#include <memory_resource>
#include <string>
#include <vector>

#include "allocators/planner_arena/arena.h"
#include "base/file.h"
#include "stress_tests/arena/replay.h"

namespace plimsoll {
namespace {

StepTrace Parsed(const std::string& text) {
  const Expected<LifetimesFile> file = ParseLifetimes("f", text, false);
  EXPECT_TRUE(file) << file.error().message;
  return TraceOf(*file);
}

// "+0" allocates block 0, "-0" frees it.
std::string CallsOf(const StepTrace& trace) {
  std::string calls;
  for (const StepTrace::Call& call : trace.calls) {
    calls += (call.frees ? "-" : "+") + std::to_string(call.block);
  }
  return calls;
}

// Knows what is live, and that it is given back as it was asked for.
class Ledger : public std::pmr::memory_resource {
 public:
  size_t live() const { return live_.size(); }
  uint64_t bytes() const { return bytes_; }
  uint64_t peak() const { return peak_; }

 protected:
  void* do_allocate(size_t bytes, size_t alignment) override {
    void* const block = std::pmr::new_delete_resource()->allocate(bytes, alignment);
    live_[block] = {bytes, alignment};
    bytes_ += bytes;
    peak_ = std::max(peak_, bytes_);
    return block;
  }
  void do_deallocate(void* block, size_t bytes, size_t alignment) override {
    ASSERT_EQ(live_.at(block), std::pair(bytes, alignment));
    live_.erase(block);
    bytes_ -= bytes;
    std::pmr::new_delete_resource()->deallocate(block, bytes, alignment);
  }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

 private:
  std::map<void*, std::pair<size_t, size_t>> live_;
  uint64_t bytes_ = 0;
  uint64_t peak_ = 0;
};

TEST(StepTraceTest, AtOneTimeFreesComeFirst) {
  const StepTrace trace = Parsed("id,lower,upper,size\na,0,2,100\nb,2,5,0\nc,1,5,30\n");
  EXPECT_EQ(CallsOf(trace), "+0+2-0+1-1-2");
  EXPECT_EQ(trace.blocks[1].bytes, 1u);
  EXPECT_EQ(trace.blocks[0].alignment, 64u);
  EXPECT_EQ(PeakLive(trace), 130u);
}

TEST(StepTraceTest, ReadsAThreeNumberLog) {
  const StepTrace trace = Parsed("0 3 10\n1 2 20\n");
  EXPECT_EQ(CallsOf(trace), "+0+1-1-0");
  EXPECT_EQ(PeakLive(trace), 30u);
}

TEST(StepTraceTest, CarriedBlocksAreFreedInTheNextStep) {
  // A clock of 10 ticks: block 1 is freed at tick 1 of the step after its own.
  const StepTrace trace = Parsed(
      "id,lower,upper,size,alignment,thread,fate,site\n"
      "0,0,8,100,128,0,in_step,\n1,9,11,50,64,0,carried,\n2,3,,9,64,0,outlives,\n");
  EXPECT_EQ(CallsOf(trace), "+0-1-0+1");
  EXPECT_EQ(trace.blocks[0].alignment, 128u);
  EXPECT_EQ(PeakLive(trace), 150u);
}

TEST(StepTraceTest, ReplayAllocatesAndFreesWhatTheTraceSays) {
  const StepTrace trace = SyntheticStep(500, 3);
  Ledger ledger;
  Replay replay(trace);
  for (int step = 0; step < 3; ++step) {
    EXPECT_EQ(replay.Step<Touch::kPages>(ledger), static_cast<int64_t>(trace.calls.size()));
    EXPECT_EQ(ledger.live(), 0u);
  }
  EXPECT_EQ(ledger.peak(), PeakLive(trace));
}

TEST(StepTraceTest, ReplayKeepsWhatLivesOnAndFinishFreesIt) {
  StepTrace trace;
  trace.blocks = {{100, 64}, {50, 64}};
  trace.calls = {{0, false}, {1, true}, {1, false}, {0, true}};
  Ledger ledger;
  Replay replay(trace);
  EXPECT_EQ(replay.Step<Touch::kNothing>(ledger), 3);
  EXPECT_EQ(ledger.bytes(), 50u);
  EXPECT_EQ(replay.Step<Touch::kNothing>(ledger), 4);
  EXPECT_EQ(ledger.peak(), PeakLive(trace));
  replay.Finish(ledger);
  EXPECT_EQ(ledger.live(), 0u);
}

TEST(StepTraceTest, ScalesAllButEveryTenthBlock) {
  const StepTrace trace = SyntheticStep(100, 1);
  const StepTrace half = Scaled(trace, 0.5);
  EXPECT_EQ(half.blocks[0].bytes, trace.blocks[0].bytes / 2);
  EXPECT_EQ(half.blocks[9].bytes, trace.blocks[9].bytes);
  EXPECT_EQ(CallsOf(half), CallsOf(trace));
  EXPECT_EQ(Scaled(trace, 0).blocks[3].bytes, 1u);
}

TEST(StepTraceTest, ReadsTheProfileThatAnArenaWrites) {
  StepTrace trace;
  trace.blocks = {{5000, 64}, {70, 64}, {900, 64}};
  trace.calls = {{2, true}, {0, false}, {1, false}, {0, true}, {2, false}, {1, true}};
  ArenaConfiguration configuration;
  configuration.start_statistic_step = 0;
  configuration.stable_statistic_step = 1;
  configuration.plan_in_background = false;
  const auto arena = PlannerArena::Create(configuration).value();
  Replay replay(trace);
  for (int step = 0; step < 6; ++step) {
    const StepScope scope(*arena);
    replay.Step<Touch::kNothing>(*arena);
  }
  const std::string path = testing::TempDir() + "/profile.csv";
  ASSERT_TRUE(WriteFile(path, arena->ProfileCsv()));
  replay.Finish(*arena);
  const Expected<StepTrace> read = ReadStepTrace(path);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(CallsOf(*read), CallsOf(trace));
  EXPECT_EQ(PeakLive(*read), PeakLive(trace));
  EXPECT_FALSE(ReadStepTrace(path + ".none"));
}

}  // namespace
}  // namespace plimsoll
