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
  state.names.ForEach([&](uint64_t bytes, Birth birth) { add(birth.site, birth.epoch, bytes); });
  return sums;
}

// Descriptors and names can go where no interposed function sees it.
void RemoveStale() {
  const auto closed = static_cast<int64_t>(state.descriptors.RemoveClosed());
  state.counters.Held(ResourceKind::kDescriptor, 0, -closed);
  state.names.Refresh([](const Names::Change& change) {
    state.counters.Held(change.kind, change.bytes, change.names);
  });
}

// (site, epoch) -> blocks and bytes, for the survivors that are not folded: a list, and a
// hash table of places in it. Both grow with what is put in.
class YoungSums {
 public:
  struct Sum {
    uint64_t place;  // site << 20 | epoch
    uint64_t blocks, bytes;
  };
  YoungSums() = default;
  ~YoungSums() { Unmap(); }
  YoungSums(const YoungSums&) = delete;
  YoungSums& operator=(const YoungSums&) = delete;

  void Add(uint32_t site, uint32_t epoch, uint64_t bytes) {
    const uint64_t place = uint64_t{site} << 20 | epoch;
    if (count_ >= capacity_ && !Grow()) {
      full_ = true;
      return;
    }
    uint32_t* index = FindIndex(place);
    if (*index == 0) {
      sums_[count_] = {place, 0, 0};
      *index = static_cast<uint32_t>(++count_);
    }
    Sum& sum = sums_[*index - 1];
    ++sum.blocks;
    sum.bytes += bytes;
  }
  // By site and epoch. Nothing can be added afterwards.
  const Sum* Sort() {
    std::sort(sums_, sums_ + count_, [](const Sum& a, const Sum& b) { return a.place < b.place; });
    return sums_;
  }
  size_t count() const { return count_; }
  bool full() const { return full_; }

 private:
  static constexpr size_t kMaximum = size_t{1} << 21;

  // Where the list's place for `place` stands, or would stand. The table is at most half
  // full.
  uint32_t* FindIndex(uint64_t place) {
    const size_t mask = capacity_ * 2 - 1;
    size_t i = (place * 0x9E3779B97F4A7C15u >> 32) & mask;
    while (indexes_[i] != 0 && sums_[indexes_[i] - 1].place != place) i = (i + 1) & mask;
    return &indexes_[i];
  }
  bool Grow() {
    const size_t capacity = capacity_ == 0 ? 512 : capacity_ * 2;
    if (capacity > kMaximum) return false;
    auto* sums = static_cast<Sum*>(MapOwn(capacity * sizeof(Sum)));
    auto* indexes = static_cast<uint32_t*>(MapOwn(capacity * 2 * sizeof(uint32_t)));
    if (sums == nullptr || indexes == nullptr) {
      if (sums != nullptr) UnmapOwn(sums, capacity * sizeof(Sum));
      if (indexes != nullptr) UnmapOwn(indexes, capacity * 2 * sizeof(uint32_t));
      return false;
    }
    std::copy(sums_, sums_ + count_, sums);
    Unmap();
    sums_ = sums;
    indexes_ = indexes;
    capacity_ = capacity;
    for (size_t i = 0; i < count_; ++i) *FindIndex(sums_[i].place) = static_cast<uint32_t>(i + 1);
    return true;
  }
  void Unmap() {
    if (capacity_ == 0) return;
    UnmapOwn(sums_, capacity_ * sizeof(Sum));
    UnmapOwn(indexes_, capacity_ * 2 * sizeof(uint32_t));
  }

  Sum* sums_ = nullptr;
  uint32_t* indexes_ = nullptr;  // 1-based; 0: free
  size_t count_ = 0;
  size_t capacity_ = 0;
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
  RemoveStale();
  YoungSums young;
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
