// TakeFloor and TakeSnapshot: one walk over the live records, summed by site.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "harness/ledger/ledger.h"
#include "harness/ledger/own_memory.h"
#include "harness/ledger/state.h"

namespace plimsoll::ledger {
namespace {

struct SiteSum {
  uint64_t blocks, bytes;  // of the walk under way
  uint64_t folded_blocks, folded_bytes;
  uint64_t floor_blocks, floor_bytes;
};
OwnArray<SiteSum> site_sums;
uint32_t sums_mapped = 0;
// Sites that existed at the first TakeFloor since the last snapshot; a later one held
// nothing then. kNoFloor: none was taken.
constexpr uint32_t kNoFloor = ~uint32_t{0};
uint32_t sites_at_first_floor = kNoFloor;

// Adds up what each site holds; calls young(birth, bytes) for what was born past
// `fold_through`. Null when memory for the sums was refused.
template <typename Young>
SiteSum* SumBySite(uint32_t sites, uint32_t fold_through, Young young) {
  SiteSum* sums = site_sums.Get(Sites::kMaximum + size_t{1});
  if (sums == nullptr) return nullptr;
  if (sites > sums_mapped) {
    AddOwnBytes(static_cast<int64_t>((sites - sums_mapped) * sizeof(SiteSum)));
    sums_mapped = sites;
  }
  for (uint32_t site = 1; site <= sites; ++site) {
    sums[site].blocks = sums[site].bytes = 0;
    sums[site].folded_blocks = sums[site].folded_bytes = 0;
  }
  const auto add = [&](uint32_t site, uint32_t epoch, uint64_t bytes) {
    if (site > sites) return;  // came up during the walk
    SiteSum& sum = sums[site];
    ++sum.blocks;
    sum.bytes += bytes;
    if (epoch <= fold_through) {
      ++sum.folded_blocks;
      sum.folded_bytes += bytes;
    } else {
      young(site, epoch, bytes);
    }
  };
  const auto add_record = [&](const Record& record) {
    add(record.site, record.epoch, record.size);
  };
  state.heap.ForEach(add_record);
  state.agent.ForEach(add_record);
  state.descriptors.ForEach([&](int, Birth birth) { add(birth.site, birth.epoch, 0); });
  state.mappings.ForEach([&](uint64_t bytes, Birth birth) { add(birth.site, birth.epoch, bytes); });
  state.threads.ForEach([&](Birth birth) { add(birth.site, birth.epoch, 0); });
  return sums;
}

// (site, epoch) -> blocks and bytes, for the survivors that are not folded.
class YoungSums {
 public:
  struct Sum {
    uint64_t place;  // site << 20 | epoch; 0: free
    uint64_t blocks, bytes;
  };
  ~YoungSums() {
    if (sums_ != nullptr) UnmapOwn(sums_, kSlots * sizeof(Sum));
  }
  bool Map() {
    sums_ = static_cast<Sum*>(MapOwn(kSlots * sizeof(Sum)));
    return sums_ != nullptr;
  }
  void Add(uint32_t site, uint32_t epoch, uint64_t bytes) {
    const uint64_t place = uint64_t{site} << 20 | epoch;
    // Consecutive epochs of a site stay on consecutive pages.
    size_t i = static_cast<size_t>((site * 0x9E3779B97F4A7C15u >> (64 - kSlotBits)) + epoch) &
               (kSlots - 1);
    while (sums_[i].place != place && sums_[i].place != 0) i = (i + 1) & (kSlots - 1);
    if (sums_[i].place == 0) {
      if (count_ == kSlots / 4 * 3) {
        full_ = true;
        return;
      }
      sums_[i].place = place;
      ++count_;
    }
    ++sums_[i].blocks;
    sums_[i].bytes += bytes;
  }
  // Moves them to the front, by site and epoch.
  Sum* Sort() {
    size_t filled = 0;
    for (size_t i = 0; filled < count_; ++i) {
      if (sums_[i].place != 0) sums_[filled++] = sums_[i];
    }
    std::sort(sums_, sums_ + count_, [](const Sum& a, const Sum& b) { return a.place < b.place; });
    return sums_;
  }
  size_t count() const { return count_; }
  bool full() const { return full_; }

 private:
  static constexpr int kSlotBits = 21;
  static constexpr size_t kSlots = size_t{1} << kSlotBits;
  Sum* sums_ = nullptr;
  size_t count_ = 0;
  bool full_ = false;
};

}  // namespace

void TakeFloor() {
  const uint32_t sites = state.sites.Count();
  SiteSum* sums = SumBySite(sites, State::kLastEpoch, [](uint32_t, uint32_t, uint64_t) {});
  if (sums == nullptr) return;
  const bool first = sites_at_first_floor == kNoFloor;
  if (first) sites_at_first_floor = sites;
  for (uint32_t site = 1; site <= sites; ++site) {
    SiteSum& sum = sums[site];
    if (first) {
      sum.floor_blocks = sum.blocks;
      sum.floor_bytes = sum.bytes;
    } else if (site <= sites_at_first_floor) {
      sum.floor_blocks = std::min(sum.floor_blocks, sum.blocks);
      sum.floor_bytes = std::min(sum.floor_bytes, sum.bytes);
    }
  }
}

bool TakeSnapshot(uint32_t fold_through, const SnapshotVisitor& visitor) {
  YoungSums young;
  if (!young.Map()) return false;
  const uint32_t sites = state.sites.Count();
  const SiteSum* sums = SumBySite(
      sites, fold_through,
      [&](uint32_t site, uint32_t epoch, uint64_t bytes) { young.Add(site, epoch, bytes); });
  if (sums == nullptr) return false;
  const YoungSums::Sum* next = young.Sort();
  const YoungSums::Sum* const end = next + young.count();
  for (uint32_t site = 1; site <= sites; ++site) {
    const SiteSum& sum = sums[site];
    if (sum.blocks == 0) continue;
    SiteRow row = {.kind = state.sites.Kind(site),
                   .site = site,
                   .live_blocks = sum.blocks,
                   .live_bytes = sum.bytes,
                   .floor_blocks = sum.blocks,
                   .floor_bytes = sum.bytes};
    if (sites_at_first_floor != kNoFloor) {
      const bool was_there = site <= sites_at_first_floor;
      row.floor_blocks = was_there ? std::min(sum.floor_blocks, sum.blocks) : 0;
      row.floor_bytes = was_there ? std::min(sum.floor_bytes, sum.bytes) : 0;
    }
    visitor.site(visitor.context, row);
    if (sum.folded_blocks != 0) {
      visitor.epoch(
          visitor.context,
          {.site = site, .epoch = 0, .blocks = sum.folded_blocks, .bytes = sum.folded_bytes});
    }
    for (; next != end && next->place >> 20 == site; ++next) {
      visitor.epoch(visitor.context, {.site = site,
                                      .epoch = static_cast<uint32_t>(next->place & 0xFFFFF),
                                      .blocks = next->blocks,
                                      .bytes = next->bytes});
    }
  }
  sites_at_first_floor = kNoFloor;
  return !young.full() && !state.sites.Overflowed() && !state.counters.AnyUntracked();
}

}  // namespace plimsoll::ledger
