#include "harness/runner/conductor.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "harness/ledger/stacks.h"

namespace plimsoll {
namespace {

using wire::MessageType;

// A second phase sees a suspect leak at least this often, if it goes on leaking.
constexpr uint32_t kLeaksToSee = 3;
constexpr uint32_t kShortestAttribution = 8;
constexpr uint32_t kLongestAttribution = 512;
// Call stacks asked for: the suspects' own, and candidates seen in the second phase.
constexpr size_t kMostFrames = 256;

template <typename T>
std::string Command(MessageType type, const T& payload) {
  const wire::MessageHeader header = {static_cast<uint32_t>(type), sizeof(payload)};
  std::string bytes(sizeof(header) + sizeof(payload), '\0');
  std::memcpy(bytes.data(), &header, sizeof(header));
  std::memcpy(bytes.data() + sizeof(header), &payload, sizeof(payload));
  return bytes;
}

std::string Command(MessageType type) {
  const wire::MessageHeader header = {static_cast<uint32_t>(type), 0};
  return std::string(reinterpret_cast<const char*>(&header), sizeof(header));
}

EndEvidence EvidenceOf(const wire::RetentionMessage& message) {
  EndEvidence evidence;
  switch (static_cast<wire::Purge>(message.purge)) {
    case wire::Purge::kMallocTrim:
      evidence.purge = "malloc_trim(0)";
      break;
    case wire::Purge::kJemallocPurge:
      evidence.purge = "jemalloc's arena purge";
      break;
    case wire::Purge::kTcmallocRelease:
      evidence.purge = "tcmalloc's ReleaseFreeMemory";
      break;
    case wire::Purge::kMimallocCollect:
      evidence.purge = "mi_collect";
      break;
  }
  if (message.rss_anon_before_bytes != UINT64_MAX) {
    evidence.rss_anon_before_purge_bytes = message.rss_anon_before_bytes;
  }
  if (message.rss_anon_after_bytes != UINT64_MAX) {
    evidence.rss_anon_after_purge_bytes = message.rss_anon_after_bytes;
  }
  if (message.stack_bytes != UINT64_MAX) evidence.stack_bytes = message.stack_bytes;
  return evidence;
}

}  // namespace

Conductor::Conductor(const Rule& rule, bool capture_stacks, std::vector<Suppression> suppressions)
    : rule_(rule),
      capture_stacks_(capture_stacks),
      suppressions_(std::move(suppressions)),
      looks_(Looks(rule)) {}

uint32_t Conductor::iterations() const { return samples_.empty() ? 0 : samples_.back().iteration; }

std::string Conductor::Take(AgentEvent event) {
  if (std::get_if<wire::Hello>(&event) != nullptr) return AtStart();
  if (std::get_if<Goodbye>(&event) != nullptr) return AtGoodbye();
  if (Sample* sample = std::get_if<Sample>(&event)) {
    samples_.push_back(*sample);
    return "";
  }
  if (Snapshot* snapshot = std::get_if<Snapshot>(&event)) return AtLook(std::move(*snapshot));
  if (SiteFrames* frames = std::get_if<SiteFrames>(&event)) {
    awaited_frames_.erase(frames->site);
    frames_.push_back(std::move(*frames));
    return MaybeStop();
  }
  if (Module* module = std::get_if<Module>(&event)) {
    modules_.push_back(std::move(*module));
    return "";
  }
  if (const auto* arena = std::get_if<wire::ArenaMessage>(&event)) {
    arenas_.push_back({arena->system_bytes, arena->free_bytes});
    return "";
  }
  if (const auto* retention = std::get_if<wire::RetentionMessage>(&event)) {
    retention_ = *retention;
    return MaybeStop();
  }
  return "";
}

// A process that executes another program greets twice: what was before is not its past.
std::string Conductor::AtStart() {
  phase_ = Phase::kDetect;
  ended_early_ = false;
  problem_.clear();
  judged_iterations_ = 0;
  snapshots_.clear();
  samples_.clear();
  frames_.clear();
  modules_.clear();
  arenas_.clear();
  retention_.reset();
  judgement_.reset();
  stacks_snapshot_.reset();
  awaited_frames_.clear();
  return ContinueTo(looks_.front(), rule_.warmup);
}

// What was not asked for would be judged by rules that do not hold for it.
std::string Conductor::Refuse(const Snapshot& snapshot) {
  problem_ = "the agent sent a snapshot of iteration " + std::to_string(snapshot.iteration) +
             ", which was not asked for";
  judgement_.reset();
  phase_ = Phase::kDone;
  return Command(MessageType::kStop);
}

std::string Conductor::AtLook(Snapshot snapshot) {
  if (phase_ == Phase::kAttribute) {
    if (snapshot.iteration != attribution_look_) return Refuse(snapshot);
    stacks_snapshot_ = std::move(snapshot);
    return Collect();
  }
  if (phase_ != Phase::kDetect) return "";
  if (snapshot.iteration != looks_[snapshots_.size()]) return Refuse(snapshot);
  snapshots_.push_back(std::move(snapshot));
  judgement_ = Judge(rule_, snapshots_, samples_);
  judged_iterations_ = snapshots_.back().iteration;
  const bool last = snapshots_.size() == looks_.size();
  if (!judgement_->decided && !last) {
    return ContinueTo(looks_[snapshots_.size()], rule_.warmup);
  }
  if (capture_stacks_ && !judgement_->findings.empty()) return Attribute();
  return Collect();
}

std::string Conductor::AtGoodbye() {
  if (phase_ != Phase::kDetect && phase_ != Phase::kAttribute) return "";
  ended_early_ = true;
  if (judgement_.has_value()) return Collect();
  phase_ = Phase::kDone;
  return Command(MessageType::kStop);
}

std::string Conductor::Attribute() {
  phase_ = Phase::kAttribute;
  double longest_wait = 1;
  for (const SiteFinding& finding : judgement_->findings) {
    const double wait = finding.period.has_value()         ? *finding.period
                        : finding.blocks_per_iteration > 0 ? 1 / finding.blocks_per_iteration
                                                           : kLongestAttribution;
    longest_wait = std::max(longest_wait, wait);
  }
  const double born = std::clamp<double>(kLeaksToSee * longest_wait + 0.5, kShortestAttribution,
                                         kLongestAttribution);
  attribution_look_ = judged_iterations_ + static_cast<uint32_t>(born) + rule_.gap;
  return Command(MessageType::kCaptureStacks, wire::CaptureStacksMessage{1}) +
         ContinueTo(attribution_look_, judged_iterations_);
}

std::string Conductor::Collect() {
  phase_ = Phase::kCollect;
  for (const SiteFinding& finding : judgement_->findings) awaited_frames_.insert(finding.site);
  if (stacks_snapshot_.has_value()) {
    for (const SiteSurvivors& site : stacks_snapshot_->sites) {
      const bool suspect_kind =
          std::any_of(judgement_->findings.begin(), judgement_->findings.end(),
                      [&](const SiteFinding& finding) { return finding.kind == site.kind; });
      if (suspect_kind && OldBlocks(site) > 0 && awaited_frames_.size() < kMostFrames) {
        awaited_frames_.insert(site.site);
      }
    }
  }
  std::string commands;
  for (const uint32_t site : awaited_frames_) {
    commands += Command(MessageType::kSendFrames, wire::SendFramesMessage{site});
  }
  if (!awaited_frames_.empty()) commands += Command(MessageType::kSendModules);
  return commands + Command(MessageType::kSendRetention);
}

// The agent answers in order: with frames and retention there, the modules are too.
std::string Conductor::MaybeStop() {
  if (phase_ != Phase::kCollect || !awaited_frames_.empty() || !retention_.has_value()) return "";
  phase_ = Phase::kDone;
  return Command(MessageType::kStop);
}

std::string Conductor::ContinueTo(uint32_t look, uint32_t fold_through) {
  wire::ContinueMessage message = {};
  message.next_look = look;
  message.fold_through = fold_through;
  for (const uint32_t point : FloorPoints(rule_)) {
    if (point > iterations() && point < look && message.floor_point_count < wire::kMaxFloorPoints) {
      message.floor_points[message.floor_point_count++] = point;
    }
  }
  return Command(MessageType::kContinue, message);
}

uint64_t Conductor::OldBlocks(const SiteSurvivors& site) const {
  const uint32_t newest = stacks_snapshot_->iteration - rule_.gap;
  uint64_t blocks = 0;
  for (const EpochSurvivors& row : site.epochs) {
    if (row.epoch > judged_iterations_ && row.epoch <= newest) blocks += row.blocks;
  }
  return blocks;
}

const SiteFrames* Conductor::FramesOf(uint32_t site) const {
  for (const SiteFrames& frames : frames_) {
    if (frames.site == site) return &frames;
  }
  return nullptr;
}

std::vector<const SiteFrames*> Conductor::StacksOf(const SiteFinding& finding) const {
  const SiteFrames* caller = FramesOf(finding.site);
  if (caller == nullptr) return {};
  std::vector<std::pair<uint64_t, const SiteFrames*>> stacks;
  if (stacks_snapshot_.has_value() && !caller->addresses.empty()) {
    // A full stack begins with the address that is the whole of a counting-mode site.
    for (const SiteSurvivors& site : stacks_snapshot_->sites) {
      const SiteFrames* frames = FramesOf(site.site);
      if (site.kind != finding.kind || frames == nullptr || frames->addresses.size() < 2 ||
          frames->addresses.front() != caller->addresses.front()) {
        continue;
      }
      if (const uint64_t blocks = OldBlocks(site); blocks > 0) stacks.emplace_back(blocks, frames);
    }
  }
  std::stable_sort(stacks.begin(), stacks.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  if (stacks.empty()) return {caller};
  std::vector<const SiteFrames*> frames;
  for (const auto& [blocks, stack] : stacks) frames.push_back(stack);
  return frames;
}

Judgement Conductor::JudgeWithout(const std::set<std::pair<ResourceKind, uint32_t>>& sites) const {
  std::vector<Snapshot> snapshots = snapshots_;
  for (Snapshot& snapshot : snapshots) {
    std::erase_if(snapshot.sites, [&](const SiteSurvivors& site) {
      return sites.count({site.kind, site.site}) != 0;
    });
  }
  return Judge(rule_, snapshots, samples_);
}

// Puts names to the sites, and takes those out that are suppressed.
void Conductor::Name(std::vector<SiteFinding>& findings, CaseResult& result) const {
  ledger::Symbolizer symbolizer(modules_);
  std::set<std::pair<ResourceKind, uint32_t>> left_out;
  for (SiteFinding& finding : findings) {
    const Suppression* suppression = nullptr;
    std::vector<std::vector<std::string>> stacks;
    for (const SiteFrames* frames : StacksOf(finding)) stacks.push_back(symbolizer.Stack(*frames));
    if (!stacks.empty()) finding.stack = stacks.front();
    // Every way that leads to the site must be known, or another leak would hide behind it.
    for (const std::vector<std::string>& stack : stacks) {
      suppression = nullptr;
      for (const Suppression& candidate : suppressions_) {
        if (Matches(candidate, finding.kind, stack)) suppression = &candidate;
      }
      if (suppression != nullptr) continue;
      finding.stack = stack;
      break;
    }
    if (suppression == nullptr) continue;
    left_out.insert({finding.kind, finding.site});
    result.suppressed.push_back({suppression->name, suppression->reason, finding.kind,
                                 finding.bytes_per_iteration, finding.stack});
  }
  if (left_out.empty()) return;
  const Judgement judgement = JudgeWithout(left_out);
  result.verdict = judgement.verdict;
  result.reason = judgement.reason + "; " + std::to_string(left_out.size()) +
                  (left_out.size() == 1 ? " site is suppressed" : " sites are suppressed");
  result.growth = judgement.growth;
  std::vector<SiteFinding> remaining = judgement.findings;
  for (SiteFinding& finding : remaining) {
    for (const SiteFinding& named : findings) {
      if (named.site == finding.site && named.kind == finding.kind) finding.stack = named.stack;
    }
  }
  findings = std::move(remaining);
}

void Conductor::Report(CaseResult& result) const {
  result.warmup = rule_.warmup;
  result.samples = samples_;
  result.iterations = iterations() > rule_.warmup ? iterations() - rule_.warmup : 0;
  result.peak = PeakOf(samples_, rule_.warmup);
  if (!judgement_.has_value()) {
    result.verdict = Verdict::kError;
    result.reason = problem_.empty() ? "ended before its verdict" : problem_;
    return;
  }
  result.iterations = judged_iterations_ - rule_.warmup;
  result.verdict = judgement_->verdict;
  result.reason = judgement_->reason;
  result.growth = judgement_->growth;
  result.sites = judgement_->findings;
  EndEvidence evidence;
  if (retention_.has_value()) evidence = EvidenceOf(*retention_);
  evidence.arenas = arenas_;
  result.diagnosis = Diagnose(rule_.warmup, samples_, evidence);
  if (!result.sites.empty()) Name(result.sites, result);
}

}  // namespace plimsoll
