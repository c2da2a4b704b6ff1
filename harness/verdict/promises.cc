#include "harness/verdict/promises.h"

#include "base/units.h"
#include "harness/verdict/site_history.h"

namespace plimsoll {

Promises CheckBounds(const Rule& rule, const Snapshot& snapshot) {
  Promises promises;
  for (const SiteBound& bound : rule.bounds) {
    HeldCount held;
    std::vector<std::pair<ResourceKind, uint32_t>> covered;
    for (const SiteSurvivors& site : snapshot.sites) {
      if (site.kind != bound.kind || (bound.site && *bound.site != site.site)) continue;
      const HeldCount born = HeldOf(site.epochs, rule.warmup, snapshot.iteration);
      held.blocks += bound.site ? site.live_blocks : born.blocks;
      held.bytes += bound.site ? site.live_bytes : born.bytes;
      covered.emplace_back(site.kind, site.site);
    }
    const std::string name = ResourceKindName(bound.kind);
    if (bound.blocks && held.blocks > *bound.blocks) {
      promises.broken.push_back(name + " bounded by " + std::to_string(*bound.blocks) + " blocks" +
                                " holds " + std::to_string(held.blocks));
    } else if (bound.bytes && held.bytes > *bound.bytes) {
      promises.broken.push_back(name + " bounded by " +
                                FormatBytes(static_cast<double>(*bound.bytes)) + " holds " +
                                FormatBytes(static_cast<double>(held.bytes)));
    } else {
      promises.kept.insert(covered.begin(), covered.end());
    }
  }
  return promises;
}

}  // namespace plimsoll
