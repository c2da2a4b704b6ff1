#ifndef HARNESS_VERDICT_SITE_HISTORY_H_
#define HARNESS_VERDICT_SITE_HISTORY_H_

// One site through the snapshots of a run, and what became of its blocks from one to the
// next. Plain data and pure functions; thread-safe.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "harness/sample.h"

namespace plimsoll {

struct SiteHistory {
  ResourceKind kind = ResourceKind::kHeap;
  uint32_t site = 0;
  // Parallel to the snapshots; null where the site held nothing.
  std::vector<const SiteSurvivors*> at;
};

// The sites that hold something at the last snapshot, by kind and number. They point into
// `snapshots`.
std::vector<SiteHistory> Histories(std::span<const Snapshot> snapshots);

// The survivors at a snapshot, ascending by epoch; empty where the site held nothing.
const std::vector<EpochSurvivors>& EpochsAt(const SiteHistory& site, size_t index);

// An epoch with survivors at one snapshot, and how many of them were gone at a later one.
struct Fate {
  uint32_t epoch = 0;
  uint64_t blocks = 0;
  uint64_t died = 0;
};

// REQUIRES: from < to. Of epochs `first` to `last`, both included.
std::vector<Fate> FatesBetween(const SiteHistory& site, size_t from, size_t to, uint32_t first,
                               uint32_t last);

// The epochs in (start, end] with survivors, as positions 1, 2, … after `start`, ascending.
std::vector<uint32_t> Positions(const std::vector<EpochSurvivors>& epochs, uint32_t start,
                                uint32_t end);

// How many of the ascending `positions` are above `bound`.
uint32_t CountAbove(const std::vector<uint32_t>& positions, uint32_t bound);

// Blocks and bytes of the epochs in (start, end].
HeldCount HeldOf(const std::vector<EpochSurvivors>& epochs, uint32_t start, uint32_t end);

}  // namespace plimsoll

#endif  // HARNESS_VERDICT_SITE_HISTORY_H_
