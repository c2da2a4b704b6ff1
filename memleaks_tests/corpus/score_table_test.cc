#include "memleaks_tests/corpus/score_table.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/verdict/rivals.h"

namespace plimsoll {
namespace {

Score Make(const char* pattern, bool innocent, uint64_t seed, Verdict verdict, bool right_site,
           uint32_t iterations) {
  return {.pattern = pattern,
          .innocent = innocent,
          .seed = seed,
          .verdict = verdict,
          .right_site = right_site,
          .iterations = iterations,
          .seconds = 0.5,
          .reason = "because",
          .rivals = std::vector<std::optional<bool>>(Rivals().size(), seed % 2 == 0)};
}

std::vector<Score> Good() {
  std::vector<Score> scores;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    scores.push_back(Make("planted", false, seed, Verdict::kLeak, true, seed < 20 ? 128 : 2048));
    scores.push_back(Make("innocent", true, seed, Verdict::kClean, false, 512));
  }
  return scores;
}

bool AllHold(const std::vector<Score>& scores) {
  for (const Bar& bar : CheckBars(scores)) {
    if (!bar.Holds()) return false;
  }
  return true;
}

TEST(Summarize, CountsByPattern) {
  const std::vector<PatternScore> table = Summarize(Good());
  ASSERT_EQ(table.size(), 2u);
  EXPECT_EQ(table[0].pattern, "planted");
  EXPECT_EQ(table[0].cases, 20u);
  EXPECT_EQ(table[0].verdicts[static_cast<size_t>(Verdict::kLeak)], 20u);
  EXPECT_EQ(table[0].right_sites, 20u);
  EXPECT_EQ(table[0].median_iterations, 128);
  EXPECT_EQ(table[0].most_iterations, 2048u);
  EXPECT_DOUBLE_EQ(table[0].seconds, 10);
  ASSERT_TRUE(table[1].rivals[0].has_value());
  EXPECT_EQ(*table[1].rivals[0], 0.5);
}

TEST(Summarize, WithoutRecordingsThereAreNoShares) {
  std::vector<Score> scores = Good();
  for (Score& score : scores) score.rivals.clear();
  EXPECT_FALSE(Summarize(scores)[0].rivals[0].has_value());
  EXPECT_NE(RenderCsv(scores).find("planted,planted,20,20,0,0,0,20,128,2048,10.00,,,"),
            std::string::npos)
      << RenderCsv(scores);
}

TEST(CheckBars, HoldOrBreak) {
  EXPECT_TRUE(AllHold(Good()));
  // One in twenty may be GROWING, or beside its site; not two.
  std::vector<Score> scores = Good();
  scores[0].verdict = Verdict::kGrowing;
  scores[0].right_site = false;
  EXPECT_TRUE(AllHold(scores));
  scores[2].right_site = false;
  EXPECT_FALSE(AllHold(scores));

  scores = Good();
  scores[0].verdict = Verdict::kClean;
  scores[0].right_site = false;
  EXPECT_FALSE(AllHold(scores));

  scores = Good();
  scores[1].verdict = Verdict::kGrowing;
  EXPECT_TRUE(AllHold(scores));
  scores[1].verdict = Verdict::kLeak;
  EXPECT_FALSE(AllHold(scores));
  scores[1].verdict = Verdict::kError;
  EXPECT_FALSE(AllHold(scores));

  scores = Good();
  for (size_t i = 0; i < 4; i += 2) scores[i].iterations = 4096;
  EXPECT_FALSE(AllHold(scores));
}

TEST(Render, SaysWhichBarIsBrokenAndWhichCaseIsNotAsItShouldBe) {
  std::vector<Score> scores = Good();
  EXPECT_EQ(RenderText(scores).find("BROKEN"), std::string::npos);
  scores[1].verdict = Verdict::kLeak;
  const std::string text = RenderText(scores);
  EXPECT_NE(text.find("BROKEN   innocent cases called LEAK: 1 (bar: at most 0)"), std::string::npos)
      << text;
  EXPECT_NE(text.find("innocent, seed 1: LEAK: because"), std::string::npos) << text;
  EXPECT_NE(text.find("flagged by the other rules"), std::string::npos);
}

TEST(Render, JsonHasEveryCase) {
  const auto json = nlohmann::json::parse(RenderJson(Good()));
  EXPECT_EQ(json["cases"].size(), 40u);
  EXPECT_EQ(json["patterns"][0]["leak"], 20);
  EXPECT_EQ(json["patterns"][1]["flagged_by"]["psleak"], 0.5);
  EXPECT_EQ(json["bars"].size(), 4u);
}

CaseResult Recording(ResourceKind kind, uint64_t bytes_each) {
  CaseResult recording;
  recording.warmup = 8;
  for (uint32_t i = 1; i <= 520; ++i) {
    Sample sample;
    sample.iteration = i;
    sample.process.rss_bytes = 100 << 20;
    sample.ledger = LedgerCounters();
    sample.ledger->held[static_cast<size_t>(kind)] = {.bytes = bytes_each * i, .blocks = i};
    recording.samples.push_back(sample);
  }
  return recording;
}

TEST(ScoreRivals, ReadTheCounterOfTheKind) {
  for (const uint64_t bytes : {64, 0}) {
    const auto opinions =
        ScoreRivals(Recording(ResourceKind::kDescriptor, bytes), ResourceKind::kDescriptor);
    for (size_t i = 0; i < opinions.size(); ++i) {
      ASSERT_TRUE(opinions[i].has_value()) << Rivals()[i].name;
      // All but OpenVINO's, which reads RSS, see a block in every iteration.
      EXPECT_EQ(*opinions[i], std::string(Rivals()[i].name) != "openvino") << Rivals()[i].name;
    }
    for (const auto& opinion :
         ScoreRivals(Recording(ResourceKind::kDescriptor, bytes), ResourceKind::kHeap)) {
      EXPECT_EQ(opinion, false);
    }
  }
}

TEST(ScoreRivals, HaveNoOpinionOfTooShortARecording) {
  CaseResult recording = Recording(ResourceKind::kHeap, 64);
  recording.samples.resize(60);
  const auto opinions = ScoreRivals(recording, ResourceKind::kHeap);
  EXPECT_FALSE(opinions.back().has_value());
  EXPECT_TRUE(opinions[1].has_value());
}

}  // namespace
}  // namespace plimsoll
