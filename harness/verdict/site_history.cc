#include "harness/verdict/site_history.h"

#include <algorithm>
#include <map>
#include <utility>

namespace plimsoll {
namespace {

// The first entry of an epoch at or after `epoch`.
std::vector<EpochSurvivors>::const_iterator From(const std::vector<EpochSurvivors>& epochs,
                                                 uint32_t epoch) {
  return std::lower_bound(
      epochs.begin(), epochs.end(), epoch,
      [](const EpochSurvivors& survivors, uint32_t wanted) { return survivors.epoch < wanted; });
}

}  // namespace

std::vector<SiteHistory> Histories(std::span<const Snapshot> snapshots) {
  if (snapshots.empty()) return {};
  std::vector<SiteHistory> histories;
  std::map<std::pair<ResourceKind, uint32_t>, size_t> index;
  for (const SiteSurvivors& site : snapshots.back().sites) index[{site.kind, site.site}] = 0;
  for (auto& [key, position] : index) {
    position = histories.size();
    histories.push_back({.kind = key.first,
                         .site = key.second,
                         .at = std::vector<const SiteSurvivors*>(snapshots.size())});
  }
  for (size_t i = 0; i < snapshots.size(); ++i) {
    for (const SiteSurvivors& site : snapshots[i].sites) {
      const auto found = index.find({site.kind, site.site});
      if (found != index.end()) histories[found->second].at[i] = &site;
    }
  }
  return histories;
}

const std::vector<EpochSurvivors>& EpochsAt(const SiteHistory& site, size_t index) {
  static const std::vector<EpochSurvivors>& none = *new std::vector<EpochSurvivors>;
  return site.at[index] == nullptr ? none : site.at[index]->epochs;
}

std::vector<Fate> FatesBetween(const SiteHistory& site, size_t from, size_t to, uint32_t first,
                               uint32_t last) {
  std::vector<Fate> fates;
  const std::vector<EpochSurvivors>& before = EpochsAt(site, from);
  const std::vector<EpochSurvivors>& after = EpochsAt(site, to);
  auto now = From(after, first);
  for (auto then = From(before, first); then != before.end() && then->epoch <= last; ++then) {
    if (then->blocks == 0) continue;
    while (now != after.end() && now->epoch < then->epoch) ++now;
    const uint64_t left = now != after.end() && now->epoch == then->epoch ? now->blocks : 0;
    fates.push_back({.epoch = then->epoch,
                     .blocks = then->blocks,
                     .died = then->blocks - std::min(then->blocks, left)});
  }
  return fates;
}

std::vector<uint32_t> Positions(const std::vector<EpochSurvivors>& epochs, uint32_t start,
                                uint32_t end) {
  std::vector<uint32_t> positions;
  for (auto it = From(epochs, start + 1); it != epochs.end() && it->epoch <= end; ++it) {
    if (it->blocks > 0) positions.push_back(it->epoch - start);
  }
  return positions;
}

uint32_t CountAbove(const std::vector<uint32_t>& positions, uint32_t bound) {
  return static_cast<uint32_t>(positions.end() -
                               std::upper_bound(positions.begin(), positions.end(), bound));
}

HeldCount HeldOf(const std::vector<EpochSurvivors>& epochs, uint32_t start, uint32_t end) {
  HeldCount held;
  for (auto it = From(epochs, start + 1); it != epochs.end() && it->epoch <= end; ++it) {
    held.blocks += it->blocks;
    held.bytes += it->bytes;
  }
  return held;
}

}  // namespace plimsoll
