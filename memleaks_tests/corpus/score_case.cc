#include "memleaks_tests/corpus/score_case.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>

#include "base/file.h"
#include "harness/runner/environment.h"
#include "harness/verdict/rivals.h"

namespace plimsoll {
namespace {

constexpr double kOneInIterations = 34;
constexpr uint32_t kRecordedIterations = 512;
constexpr double kBytesOfABlock = 64;

Expected<CaseSpec> Prepare(const ScoreSetup& setup, const Pattern& pattern, uint64_t seed) {
  const std::string name(pattern.name);
  const nlohmann::json step = {{"pattern", {{"name", name}, {"seed", seed}}}};
  const nlohmann::json config = {{"scenario", name},
                                 {"engine", "reference"},
                                 {"allocator", "system"},
                                 {"iteration", nlohmann::json::array({step})}};
  const std::string path = setup.folder + "/config.json";
  if (const Status written = WriteFile(path, config.dump()); !written.has_value()) {
    return tl::unexpected(written.error());
  }
  Expected<Environment> environment = FindEnvironment("glibc");
  if (!environment.has_value()) return tl::unexpected(environment.error());
  CaseSpec spec;
  spec.scenario = name;
  spec.engine = "corpus";
  spec.allocator = "system";
  spec.environment = *std::move(environment);
  spec.command = {setup.engine, path};
  spec.rule = setup.rule;
  return spec;
}

bool IsRightSite(const SiteFinding& site, const Pattern& pattern) {
  return site.verdict == Verdict::kLeak && site.kind == pattern.kind &&
         std::any_of(site.stack.begin(), site.stack.end(), [&](const std::string& frame) {
           return frame.find(pattern.site) != std::string::npos;
         });
}

}  // namespace

Rule ScoreRule() {
  Rule rule;
  rule.wanted_one_in_iterations = kOneInIterations;
  return rule;
}

std::vector<std::optional<bool>> ScoreRivals(const CaseResult& recording, ResourceKind kind) {
  std::vector<double> bytes;
  std::vector<double> objects;
  std::vector<double> rss;
  for (const Sample& sample : recording.samples) {
    if (sample.iteration <= recording.warmup || !sample.ledger) continue;
    const HeldCount& held = sample.ledger->held[static_cast<size_t>(kind)];
    bytes.push_back(static_cast<double>(held.bytes));
    objects.push_back(static_cast<double>(held.blocks));
    if (sample.process.rss_bytes) {
      rss.push_back(static_cast<double>(*sample.process.rss_bytes));
    }
  }
  if (std::all_of(bytes.begin(), bytes.end(), [](double value) { return value == 0; })) {
    std::transform(objects.begin(), objects.end(), bytes.begin(),
                   [](double count) { return count * kBytesOfABlock; });
  }
  std::vector<std::optional<bool>> opinions;
  for (const Rival& rival : Rivals()) {
    const bool enough = bytes.size() >= rival.iterations && rss.size() == bytes.size();
    opinions.push_back(enough ? std::optional(rival.flags({bytes, objects, rss})) : std::nullopt);
  }
  return opinions;
}

Expected<Score> ScorePattern(const ScoreSetup& setup, const Pattern& pattern, uint64_t seed,
                             CaseObserver& observer) {
  Expected<CaseSpec> spec = Prepare(setup, pattern, seed);
  if (!spec.has_value()) return tl::unexpected(spec.error());
  const CaseResult result = RunCase(*spec, setup.ledger, observer);
  Score score = {.pattern = std::string(pattern.name),
                 .innocent = pattern.innocent,
                 .seed = seed,
                 .verdict = result.verdict,
                 .iterations = result.iterations,
                 .seconds = result.seconds,
                 .reason = result.reason,
                 .rivals = {}};
  score.right_site =
      result.verdict == Verdict::kLeak &&
      std::any_of(result.sites.begin(), result.sites.end(),
                  [&](const SiteFinding& site) { return IsRightSite(site, pattern); });
  if (!setup.rivals || observer.Cancelled()) return score;
  spec->rule = Rule();
  // One look, at the end: all iterations are recorded.
  spec->rule.first_look = spec->rule.max_iterations = kRecordedIterations;
  spec->capture_stacks = false;
  score.rivals = ScoreRivals(RunCase(*spec, setup.ledger, observer), pattern.kind);
  return score;
}

}  // namespace plimsoll
