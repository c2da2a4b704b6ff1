// Innocent: caches with a bound, and tables that fill and are full.

#include <array>
#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "memleaks_tests/corpus/families.h"

namespace plimsoll {
namespace cache_patterns {

using Plan = std::vector<std::byte>;

// Least recently used goes first.
class Lru {
 public:
  explicit Lru(size_t capacity) : capacity_(capacity) {}

  bool Find(uint64_t key) {
    const auto found = index_.find(key);
    if (found == index_.end()) return false;
    order_.splice(order_.begin(), order_, found->second);
    return true;
  }
  void Insert(uint64_t key, size_t bytes) {
    if (order_.size() == capacity_) {
      index_.erase(order_.back().first);
      order_.pop_back();
    }
    order_.emplace_front(key, bytes);
    index_[key] = order_.begin();
  }

 private:
  using Entry = std::pair<uint64_t, Plan>;
  const size_t capacity_;
  std::list<Entry> order_;
  std::unordered_map<uint64_t, std::list<Entry>::iterator> index_;
};

// A cache of forty-eight shapes out of ten thousand: full after forty-eight iterations,
// and in motion for ever. (One that fills for longer than a verdict waits is the same as a
// leak until then, and needs bounded_by.)
struct ShapeLru : PatternRun {
  explicit ShapeLru(uint64_t seed) : random(seed) {}
  PLIMSOLL_SITE void CompileShape(uint64_t shape) {
    if (!cache.Find(shape)) cache.Insert(shape, 512 + shape % 128);
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { CompileShape(random() % 10'000); }
  Lru cache{48};
  std::mt19937_64 random;
};

// Primitives for sixty shapes in a cache of a thousand: done when all were seen.
struct PrimitiveLru : PatternRun {
  explicit PrimitiveLru(uint64_t seed) : random(seed) {}
  PLIMSOLL_SITE void MakePrimitive(uint64_t shape) {
    if (!cache.Find(shape)) cache.Insert(shape, 4096);
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { MakePrimitive(random() % 60); }
  Lru cache{1000};
  std::mt19937_64 random;
};

// Sixty-four slots, one replaced at random each time.
struct RandomKeyCache : PatternRun {
  explicit RandomKeyCache(uint64_t seed) : random(seed) {}
  PLIMSOLL_SITE void ReplaceSlot(size_t slot) {
    slots[slot] = std::make_unique<std::array<std::byte, 256>>();
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { ReplaceSlot(random() % slots.size()); }
  std::array<std::unique_ptr<std::array<std::byte, 256>>, 64> slots;
  std::mt19937_64 random;
};

// Interned names, forty of them, each met sooner or later.
struct InternSaturates : PatternRun {
  explicit InternSaturates(uint64_t seed) : random(seed) {}
  PLIMSOLL_SITE void Intern(uint64_t which) {
    names.insert("operator/with/a/long/enough/name/" + std::to_string(which));
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { Intern(random() % 40); }
  std::unordered_set<std::string> names;
  std::mt19937_64 random;
};

// Weak entries, swept every thirty-second iteration.
struct WeakEntriesSwept : PatternRun {
  PLIMSOLL_SITE void ShareBriefly() {
    shared["weights/of/model/number/" + std::to_string(iteration)] =
        std::make_shared<std::vector<float>>(64);
    PLIMSOLL_SITE_END();
  }
  void Iterate() override {
    if (++iteration % 32 == 0) {
      std::erase_if(shared, [](const auto& entry) { return entry.second.expired(); });
    }
    ShareBriefly();
  }
  std::map<std::string, std::weak_ptr<std::vector<float>>> shared;
  uint64_t iteration = 0;
};

// Latencies of the last forty requests.
struct HistoryRing : PatternRun {
  PLIMSOLL_SITE void RememberLatency() {
    ring[next++ % ring.size()] = std::make_unique<double>(1.0);
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { RememberLatency(); }
  std::array<std::unique_ptr<double>, 40> ring;
  size_t next = 0;
};

// A fair sample of all requests so far: entries are replaced ever more rarely.
struct Reservoir : PatternRun {
  explicit Reservoir(uint64_t seed) : random(seed) {}
  PLIMSOLL_SITE void SampleRequest(size_t slot) {
    sample[slot] = std::make_unique<std::array<std::byte, 96>>();
    PLIMSOLL_SITE_END();
  }
  void Iterate() override {
    const size_t slot = seen < sample.size() ? seen : random() % (seen + 1);
    ++seen;
    if (slot < sample.size()) SampleRequest(slot);
  }
  std::array<std::unique_ptr<std::array<std::byte, 96>>, 32> sample;
  std::mt19937_64 random;
  size_t seen = 0;
};

// A cache that is emptied whenever it holds ten entries.
struct ClearedWhenFull : PatternRun {
  PLIMSOLL_SITE void AddEntry() {
    entries.push_back(std::make_unique<std::array<std::byte, 4096>>());
    PLIMSOLL_SITE_END();
  }
  void Iterate() override {
    if (entries.size() == 10) entries.clear();
    AddEntry();
  }
  std::vector<std::unique_ptr<std::array<std::byte, 4096>>> entries;
};

constexpr ResourceKind kHeap = ResourceKind::kHeap;

constexpr Pattern kPatterns[] = {
    {"shape_lru", true, kHeap, 0, 0, "CompileShape", "openvino #23316", MakeRun<ShapeLru>},
    {"primitive_lru", true, kHeap, 0, 0, "MakePrimitive",
     "pytorch #29809, #27971, #32037, oneDNN #489", MakeRun<PrimitiveLru>},
    {"random_key_cache", true, kHeap, 0, 0, "ReplaceSlot", "random-key cache (64)",
     MakeRun<RandomKeyCache>},
    {"intern_saturates", true, kHeap, 0, 0, "Intern", "interning that saturates",
     MakeRun<InternSaturates>},
    {"weak_entries_swept", true, kHeap, 0, 0, "ShareBriefly", "weak entries, swept",
     MakeRun<WeakEntriesSwept>},
    {"history_ring", true, kHeap, 0, 0, "RememberLatency", "a ring of the last requests",
     MakeRun<HistoryRing>},
    {"reservoir", true, kHeap, 0, 0, "SampleRequest", "reservoir sampling", MakeRun<Reservoir>},
    {"cleared_when_full", true, kHeap, 0, 0, "AddEntry", "sawtooth, period 10",
     MakeRun<ClearedWhenFull>},
};

}  // namespace cache_patterns

std::span<const Pattern> CachePatterns() { return cache_patterns::kPatterns; }

}  // namespace plimsoll
