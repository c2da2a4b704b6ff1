#ifndef HARNESS_RUNNER_CONDUCTOR_H_
#define HARNESS_RUNNER_CONDUCTOR_H_

// Leads one case from its first sample to its verdict: takes the agent's events,
// asks verdict at every look whether to go on, has the suspects' call stacks
// captured, and says what to tell the agent. No I/O and no clock, so that a test, a
// socket and an in-process channel drive it alike. Thread-compatible.

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "harness/result.h"
#include "harness/runner/decoder.h"
#include "harness/sample.h"
#include "harness/verdict/diagnosis.h"
#include "harness/verdict/suppression.h"
#include "harness/verdict/verdict.h"

namespace plimsoll {

class Conductor {
 public:
  // `capture_stacks`: whether suspects are worth a second phase with full call stacks.
  // Sites that `suppressions` match, in each of their call stacks, are left out of the
  // verdict.
  Conductor(const Rule& rule, bool capture_stacks, std::vector<Suppression> suppressions = {});

  // Takes one event and returns the bytes to send to the agent (often none).
  std::string Take(AgentEvent event);

  // True once the agent was told that the harness has seen enough.
  bool finished() const { return phase_ == Phase::kDone; }
  // True when the program came to its end before the budget did: the verdict is that of the
  // last look, or none.
  bool ended_early() const { return ended_early_; }
  // Iterations that ended so far, warm-up included.
  uint32_t iterations() const;
  const std::vector<Sample>& samples() const { return samples_; }

  // Fills in verdict, reason, growth, peak, diagnosis, sites and samples. Before finished()
  // they are those of the last look, without call stacks; before the first look the verdict
  // is ERROR, and the caller adds why the case ended early.
  void Report(CaseResult& result) const;

 private:
  enum class Phase {
    kDetect,     // looks at growing numbers of iterations, cheap call sites
    kAttribute,  // some more iterations with full call stacks
    kCollect,    // asked for frames, modules and retention
    kDone,
  };

  std::string AtStart();
  std::string AtLook(Snapshot snapshot);
  std::string AtGoodbye();
  std::string Refuse(const Snapshot& snapshot);
  std::string Attribute();
  std::string Collect();
  std::string ContinueTo(uint32_t look, uint32_t fold_through);
  std::string MaybeStop();
  // Blocks that the attribution phase saw born and grow old.
  uint64_t OldBlocks(const SiteSurvivors& site) const;
  const SiteFrames* FramesOf(uint32_t site) const;
  // The full call stacks that held the suspect's new blocks, those with most of them first;
  // its caller alone when there is none.
  std::vector<const SiteFrames*> StacksOf(const SiteFinding& finding) const;
  void Name(std::vector<SiteFinding>& findings, CaseResult& result) const;
  Judgement JudgeWithout(const std::set<std::pair<ResourceKind, uint32_t>>& sites) const;

  const Rule rule_;
  const bool capture_stacks_;
  const std::vector<Suppression> suppressions_;
  Phase phase_ = Phase::kDetect;
  bool ended_early_ = false;
  std::string problem_;  // why there is no verdict, if not for the program's end
  const std::vector<uint32_t> looks_;
  uint32_t attribution_look_ = 0;
  uint32_t judged_iterations_ = 0;  // at the last look of the detection
  std::vector<Snapshot> snapshots_;
  std::vector<Sample> samples_;
  std::vector<SiteFrames> frames_;
  std::vector<Module> modules_;
  std::vector<ArenaFigures> arenas_;
  std::optional<wire::RetentionMessage> retention_;
  std::optional<Judgement> judgement_;
  std::optional<Snapshot> stacks_snapshot_;  // survivors by full call stack
  std::set<uint32_t> awaited_frames_;
};

}  // namespace plimsoll

#endif  // HARNESS_RUNNER_CONDUCTOR_H_
