#include "harness/runner/lost_blocks.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

namespace plimsoll {
namespace {

struct Lost {
  uint64_t bytes = 0;
  uint64_t blocks = 0;
  std::set<uint32_t> iterations;
};

std::string Pattern(size_t leaking, uint32_t judged) {
  if (leaking == judged) return "lost in every iteration: nothing points to the blocks";
  return "lost in " + std::to_string(leaking) + " of " + std::to_string(judged) +
         " iterations: nothing points to the blocks";
}

}  // namespace

void MergeDirectLeaks(const std::vector<ledger::DirectLeak>& leaks, uint32_t iterations,
                      CaseResult& result) {
  if (iterations <= result.warmup) return;
  const uint32_t judged = iterations - result.warmup;
  std::map<std::vector<std::string>, Lost> sites;
  for (const ledger::DirectLeak& leak : leaks) {
    if (leak.iteration <= result.warmup || leak.iteration > iterations) continue;
    Lost& lost = sites[leak.stack];
    lost.bytes += leak.bytes;
    lost.blocks += leak.blocks;
    lost.iterations.insert(leak.iteration);
  }
  if (sites.empty()) return;
  double bytes = 0;
  double blocks = 0;
  for (const auto& [stack, lost] : sites) {
    const auto same = std::find_if(
        result.sites.begin(), result.sites.end(), [&stack = stack](const SiteFinding& site) {
          return site.kind == ResourceKind::kHeap && !site.stack.empty() && !stack.empty() &&
                 site.stack.front() == stack.front();
        });
    if (same != result.sites.end()) {
      same->verdict = Verdict::kLeak;
      same->pattern += "; " + Pattern(lost.iterations.size(), judged);
      continue;
    }
    SiteFinding finding;
    finding.bytes_per_iteration = static_cast<double>(lost.bytes) / judged;
    finding.blocks_per_iteration = static_cast<double>(lost.blocks) / judged;
    finding.pattern = Pattern(lost.iterations.size(), judged);
    finding.stack = stack;
    bytes += finding.bytes_per_iteration;
    blocks += finding.blocks_per_iteration;
    result.sites.push_back(std::move(finding));
  }
  const bool was_leak = result.verdict == Verdict::kLeak;
  const std::string said = std::to_string(sites.size()) +
                           (sites.size() == 1 ? " site loses" : " sites lose") +
                           " blocks that nothing points to any more";
  result.reason = was_leak ? result.reason + "; " + said : said + "; " + result.reason;
  if (!was_leak) result.growth = Growth();
  result.growth.bytes_per_iteration += bytes;
  result.growth.blocks_per_iteration += blocks;
  result.growth.minimum_detectable.reset();
  result.verdict = Verdict::kLeak;
  if (result.iterations == 0) result.iterations = judged;
}

}  // namespace plimsoll
