#include "harness/verdict/spread_rule.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "harness/verdict/site_history.h"

namespace plimsoll {

namespace {

// A site seen in more epochs is judged for itself, and several that fill up at random
// could between them cover every epoch.
constexpr uint32_t kMostEpochs = 3;
constexpr size_t kLeastSites = 24;

bool Wanders(const Rule& rule, const SiteOutcome& site) {
  const uint32_t epochs = site.first_half + site.second_half;
  return epochs > 0 && epochs <= kMostEpochs && site.dying == 0 && site.gap == rule.gap;
}

}  // namespace

std::vector<SiteOutcome> FindSpreadLeak(const Rule& rule, std::span<const Snapshot> snapshots,
                                        std::span<const SiteOutcome> sites_seen, double level) {
  for (size_t kind = 0; kind < kResourceKinds; ++kind) {
    std::vector<SiteOutcome> members;
    std::set<uint32_t> sites;
    for (const SiteOutcome& site : sites_seen) {
      if (static_cast<size_t>(site.kind) != kind || !Wanders(rule, site)) continue;
      members.push_back(site);
      sites.insert(site.site);
    }
    if (members.size() < kLeastSites) continue;
    std::vector<SiteSurvivors> pooled(snapshots.size());
    SiteHistory history = {.kind = members[0].kind, .site = 0, .at = {}};
    for (size_t i = 0; i < snapshots.size(); ++i) {
      std::map<uint32_t, HeldCount> epochs;
      for (const SiteSurvivors& site : snapshots[i].sites) {
        if (static_cast<size_t>(site.kind) != kind || !sites.contains(site.site)) continue;
        pooled[i].live_blocks += site.live_blocks;
        pooled[i].live_bytes += site.live_bytes;
        for (const EpochSurvivors& survivors : site.epochs) {
          epochs[survivors.epoch].blocks += survivors.blocks;
          epochs[survivors.epoch].bytes += survivors.bytes;
        }
      }
      for (const auto& [epoch, held] : epochs) {
        pooled[i].epochs.push_back({.epoch = epoch, .blocks = held.blocks, .bytes = held.bytes});
      }
      history.at.push_back(&pooled[i]);
    }
    const SiteOutcome outcome = ExamineSite(rule, snapshots, history);
    if (outcome.quiet || outcome.period_p_value > level / kResourceKinds) continue;
    for (SiteOutcome& member : members) {
      member.pattern = "one of " + std::to_string(members.size()) + " sites that together leak " +
                       outcome.pattern;
    }
    return members;
  }
  return {};
}

}  // namespace plimsoll
