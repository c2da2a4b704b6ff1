#include <algorithm>
#include <utility>

#include "harness/verdict/synthetic.h"

namespace plimsoll {
namespace {

uint64_t SiteKey(ResourceKind kind, uint32_t site) {
  return static_cast<uint64_t>(kind) << 32 | site;
}

}  // namespace

SyntheticLedger::Block SyntheticLedger::Allocate(uint32_t site, uint64_t bytes, ResourceKind kind) {
  site += site_base_;
  Site& holder = sites_[SiteKey(kind, site)];
  HeldCount& born = holder.epochs.try_emplace(holder.epochs.end(), epoch_)->second;
  ++born.blocks;
  born.bytes += bytes;
  ++holder.live.blocks;
  holder.live.bytes += bytes;
  HeldCount& held = counters_.held[static_cast<size_t>(kind)];
  ++held.blocks;
  held.bytes += bytes;
  return {.kind = kind, .site = site, .epoch = epoch_, .bytes = bytes};
}

void SyntheticLedger::Free(const Block& block) {
  Site& holder = sites_[SiteKey(block.kind, block.site)];
  const auto born = holder.epochs.find(block.epoch);
  --born->second.blocks;
  born->second.bytes -= block.bytes;
  if (born->second.blocks == 0) holder.epochs.erase(born);
  --holder.live.blocks;
  holder.live.bytes -= block.bytes;
  HeldCount& held = counters_.held[static_cast<size_t>(block.kind)];
  --held.blocks;
  held.bytes -= block.bytes;
}

void SyntheticLedger::ObserveFloors() {
  for (auto& [key, site] : sites_) {
    // A site that first appears within a window held nothing at the points before.
    if (!site.floor_seen) site.floor = {};
    site.floor_seen = true;
    site.floor.blocks = std::min(site.floor.blocks, site.live.blocks);
    site.floor.bytes = std::min(site.floor.bytes, site.live.bytes);
  }
}

Snapshot SyntheticLedger::TakeSnapshot() {
  ObserveFloors();
  Snapshot snapshot = {.iteration = epoch_, .sites = {}, .complete = true};
  for (auto& [key, site] : sites_) {
    SiteSurvivors survivors = {.kind = static_cast<ResourceKind>(key >> 32),
                               .site = static_cast<uint32_t>(key),
                               .live_blocks = site.live.blocks,
                               .live_bytes = site.live.bytes,
                               .floor_blocks = site.floor.blocks,
                               .floor_bytes = site.floor.bytes,
                               .epochs = {}};
    for (const auto& [epoch, held] : site.epochs) {
      survivors.epochs.push_back({.epoch = epoch, .blocks = held.blocks, .bytes = held.bytes});
    }
    snapshot.sites.push_back(std::move(survivors));
    site.floor = site.live;
  }
  return snapshot;
}

}  // namespace plimsoll
