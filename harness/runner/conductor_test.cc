#include "harness/runner/conductor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <functional>
#include <map>

namespace plimsoll {
namespace {

constexpr uint32_t kSite = 5;       // the suspect's caller
constexpr uint32_t kFullSite = 77;  // the same place, by full call stack
constexpr uint32_t kOtherWay = 78;  // and by another one, in odd iterations, if there is one
constexpr uint64_t kCaller = 0x1010;

// An agent and its program without a process: one site that leaks as told.
class SimulatedProgram {
 public:
  // How many 64-byte blocks of an iteration stay for ever.
  explicit SimulatedProgram(std::function<uint64_t(uint32_t)> leak, bool two_ways = false)
      : leak_(std::move(leak)), two_ways_(two_ways) {}

  // Runs until the conductor has seen enough; false if it does not come to an end.
  bool Run(Conductor& conductor) { return RunTo(conductor, 100000); }

  // The same, but says goodbye after so many iterations.
  bool RunTo(Conductor& conductor, uint32_t last) {
    iteration_ = 0;
    Say(conductor, wire::Hello{wire::kVersion, 1, 1});
    while (!conductor.finished() && iteration_ < last) {
      ++iteration_;
      if (const uint64_t blocks = leak_(iteration_); blocks > 0) {
        const uint32_t way = two_ways_ && iteration_ % 2 == 1 ? kOtherWay : kFullSite;
        held_[full_ ? way : kSite][iteration_] = blocks;
      }
      Sample sample;
      sample.iteration = iteration_;
      sample.ledger.emplace();
      Say(conductor, sample);
      if (iteration_ != plan_.next_look) continue;
      looks_.push_back(iteration_);
      Say(conductor, TakeSnapshot());
    }
    Say(conductor, Goodbye());
    return conductor.finished();
  }

  const std::vector<uint32_t>& looks() const { return looks_; }
  bool full() const { return full_; }

 private:
  Snapshot TakeSnapshot() const {
    Snapshot snapshot;
    snapshot.iteration = iteration_;
    for (const auto& [site, epochs] : held_) {
      SiteSurvivors survivors;
      survivors.site = site;
      for (const auto& [epoch, blocks] : epochs) {
        survivors.live_blocks += blocks;
        const uint32_t shown = epoch <= plan_.fold_through ? 0 : epoch;
        if (survivors.epochs.empty() || survivors.epochs.back().epoch != shown) {
          survivors.epochs.push_back({shown, 0, 0});
        }
        survivors.epochs.back().blocks += blocks;
        survivors.epochs.back().bytes += 64 * blocks;
      }
      survivors.live_bytes = 64 * survivors.live_blocks;
      survivors.floor_blocks = survivors.live_blocks;
      survivors.floor_bytes = survivors.live_bytes;
      snapshot.sites.push_back(survivors);
    }
    return snapshot;
  }

  void Say(Conductor& conductor, AgentEvent event) {
    std::deque<std::string> replies = {conductor.Take(std::move(event))};
    while (!replies.empty()) {
      const std::string bytes = replies.front();
      replies.pop_front();
      size_t position = 0;
      while (position < bytes.size()) {
        wire::MessageHeader header;
        std::memcpy(&header, bytes.data() + position, sizeof(header));
        const char* payload = bytes.data() + position + sizeof(header);
        switch (static_cast<wire::MessageType>(header.type)) {
          case wire::MessageType::kContinue:
            std::memcpy(&plan_, payload, sizeof(plan_));
            EXPECT_GT(plan_.next_look, iteration_);
            break;
          case wire::MessageType::kCaptureStacks:
            full_ = true;
            break;
          case wire::MessageType::kSendFrames: {
            uint32_t site = 0;
            std::memcpy(&site, payload, sizeof(site));
            SiteFrames frames{site, {kCaller}};
            if (site == kFullSite) frames.addresses = {kCaller, 0x2020, 0x3030};
            if (site == kOtherWay) frames.addresses = {kCaller, 0x2020, 0x5050};
            replies.push_back(conductor.Take(frames));
            break;
          }
          case wire::MessageType::kSendRetention:
            replies.push_back(conductor.Take(wire::RetentionMessage{}));
            break;
          default:
            break;
        }
        position += sizeof(header) + header.size;
      }
    }
  }

  const std::function<uint64_t(uint32_t)> leak_;
  const bool two_ways_;
  uint32_t iteration_ = 0;
  wire::ContinueMessage plan_ = {};
  bool full_ = false;
  std::map<uint32_t, std::map<uint32_t, uint64_t>> held_;  // site -> epoch -> blocks
  std::vector<uint32_t> looks_;
};

CaseResult ResultOf(SimulatedProgram& program, const Rule& rule) {
  Conductor conductor(rule, /*capture_stacks=*/true);
  EXPECT_TRUE(program.Run(conductor));
  CaseResult result;
  conductor.Report(result);
  return result;
}

TEST(Conductor, CleanProgramEndsEarlyWithoutASecondPhase) {
  SimulatedProgram program([](uint32_t) { return 0; });
  const CaseResult result = ResultOf(program, Rule());
  EXPECT_EQ(result.verdict, Verdict::kClean) << result.reason;
  EXPECT_EQ(result.iterations, 128u);
  EXPECT_FALSE(program.full());
  EXPECT_TRUE(result.growth.minimum_detectable.has_value());
  EXPECT_TRUE(result.sites.empty());
}

TEST(Conductor, LeakIsDecidedAt128AndItsStackCapturedAfterwards) {
  SimulatedProgram program([](uint32_t) { return 1; });
  const CaseResult result = ResultOf(program, Rule());
  EXPECT_EQ(result.verdict, Verdict::kLeak) << result.reason;
  EXPECT_EQ(result.iterations, 128u);
  EXPECT_EQ(result.growth.bytes_per_iteration, 64);
  ASSERT_EQ(result.sites.size(), 1u);
  EXPECT_TRUE(program.full());
  // The second phase's three frames, not the first one's single caller. Without modules
  // they are only addresses.
  EXPECT_EQ(result.sites[0].stack.size(), 3u) << testing::PrintToString(result.sites[0].stack);
  // Long enough to see blocks grow old, not much longer.
  EXPECT_LT(program.looks().back(), 136u + 64u);
}

TEST(Conductor, RareLeakWaitsForMoreIterations) {
  SimulatedProgram program([](uint32_t i) { return i % 7 == 0 ? 1 : 0; });
  const CaseResult result = ResultOf(program, Rule());
  EXPECT_EQ(result.verdict, Verdict::kLeak) << result.reason;
  EXPECT_GT(result.iterations, 128u);
  EXPECT_LE(result.iterations, 1024u);
  ASSERT_EQ(result.sites.size(), 1u);
  EXPECT_EQ(result.sites[0].period, 7u);
  EXPECT_EQ(result.sites[0].stack.size(), 3u);
}

Suppression Suppress(const std::string& pattern) {
  Suppression suppression;
  suppression.name = "known";
  suppression.reason = "upstream";
  suppression.frames = {std::regex(pattern)};
  return suppression;
}

TEST(Conductor, ASuppressedSiteIsReportedAndNotJudged) {
  // Without modules a frame is its address.
  for (const char* pattern : {"0x3030", "0x4040"}) {
    SimulatedProgram program([](uint32_t) { return 1; });
    Conductor conductor(Rule(), true, {Suppress(pattern)});
    ASSERT_TRUE(program.Run(conductor));
    CaseResult result;
    conductor.Report(result);
    if (std::string(pattern) == "0x4040") {
      EXPECT_EQ(result.verdict, Verdict::kLeak) << result.reason;
      EXPECT_TRUE(result.suppressed.empty());
      continue;
    }
    EXPECT_EQ(result.verdict, Verdict::kClean) << result.reason;
    EXPECT_TRUE(result.growth.minimum_detectable.has_value());
    EXPECT_TRUE(result.sites.empty());
    ASSERT_EQ(result.suppressed.size(), 1u);
    EXPECT_EQ(result.suppressed[0].name, "known");
    EXPECT_EQ(result.suppressed[0].bytes_per_iteration, 64);
    EXPECT_THAT(result.reason, testing::HasSubstr("1 site is suppressed"));
  }
}

// One caller, two ways to it: who knows only one of them has not explained the other.
TEST(Conductor, EveryWayToASuppressedSiteMustBeKnown) {
  const auto result_with = [](std::vector<Suppression> suppressions) {
    SimulatedProgram program([](uint32_t) { return 1; }, /*two_ways=*/true);
    Conductor conductor(Rule(), true, std::move(suppressions));
    EXPECT_TRUE(program.Run(conductor));
    CaseResult result;
    conductor.Report(result);
    return result;
  };
  for (const auto& [known, unknown] : {std::pair("0x3030", "0x5050"), {"0x5050", "0x3030"}}) {
    const CaseResult result = result_with({Suppress(known)});
    EXPECT_EQ(result.verdict, Verdict::kLeak) << result.reason;
    EXPECT_TRUE(result.suppressed.empty());
    ASSERT_EQ(result.sites.size(), 1u);
    EXPECT_THAT(result.sites[0].stack, testing::Contains(testing::HasSubstr(unknown)))
        << "the way that nobody knows is shown";
  }
  EXPECT_EQ(result_with({Suppress("0x2020")}).verdict, Verdict::kClean);
  EXPECT_EQ(result_with({Suppress("0x3030"), Suppress("0x5050")}).verdict, Verdict::kClean);
}

TEST(Conductor, WithoutStacksTheCallerIsNamed) {
  SimulatedProgram program([](uint32_t) { return 1; });
  Conductor conductor(Rule(), /*capture_stacks=*/false);
  ASSERT_TRUE(program.Run(conductor));
  CaseResult result;
  conductor.Report(result);
  EXPECT_FALSE(program.full());
  ASSERT_EQ(result.sites.size(), 1u);
  EXPECT_EQ(result.sites[0].stack.size(), 1u);
}

TEST(Conductor, AProgramThatEndsEarlyHasTheVerdictOfTheLastLook) {
  SimulatedProgram program([](uint32_t i) { return i % 7 == 0 ? 1 : 0; });
  Conductor conductor(Rule(), true);
  ASSERT_TRUE(program.RunTo(conductor, 200));
  EXPECT_TRUE(conductor.ended_early());
  CaseResult result;
  conductor.Report(result);
  EXPECT_EQ(result.verdict, Verdict::kGrowing) << result.reason;
  EXPECT_EQ(result.iterations, 128u);
  EXPECT_EQ(result.samples.size(), 200u);
  ASSERT_EQ(result.sites.size(), 1u);
  EXPECT_EQ(result.sites[0].stack.size(), 1u) << "the caller, asked for at the goodbye";
}

TEST(Conductor, AGoodbyeInTheSecondPhaseKeepsTheProof) {
  SimulatedProgram program([](uint32_t) { return 1; });
  Conductor conductor(Rule(), true);
  ASSERT_TRUE(program.RunTo(conductor, 140));
  EXPECT_TRUE(program.full());
  EXPECT_TRUE(conductor.ended_early());
  CaseResult result;
  conductor.Report(result);
  EXPECT_EQ(result.verdict, Verdict::kLeak) << result.reason;
  EXPECT_EQ(result.sites.at(0).stack.size(), 1u);
}

TEST(Conductor, AProgramThatExecutesAnotherStartsAnew) {
  Conductor conductor(Rule(), true);
  SimulatedProgram shell([](uint32_t) { return 1; });
  shell.RunTo(conductor, 50);
  SimulatedProgram program([](uint32_t) { return 0; });
  ASSERT_TRUE(program.Run(conductor));
  CaseResult result;
  conductor.Report(result);
  EXPECT_EQ(result.verdict, Verdict::kClean) << result.reason;
  EXPECT_EQ(result.samples.size(), 136u);
}

TEST(Conductor, EndingBeforeTheVerdictIsAnError) {
  Conductor conductor(Rule(), true);
  conductor.Take(wire::Hello{wire::kVersion, 1, 1});
  Sample sample;
  sample.iteration = 3;
  conductor.Take(sample);
  CaseResult result;
  conductor.Report(result);
  EXPECT_EQ(result.verdict, Verdict::kError);
  EXPECT_EQ(result.samples.size(), 1u);
}

}  // namespace
}  // namespace plimsoll
