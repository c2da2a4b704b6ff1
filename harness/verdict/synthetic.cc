#include "harness/verdict/synthetic.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <set>

namespace plimsoll {

namespace {

using Block = SyntheticLedger::Block;

uint32_t Between(uint32_t least, uint32_t most, Random& random) {
  return std::uniform_int_distribution<uint32_t>(least, most)(random);
}

// One block of 64 bytes whenever `when` says so.
template <typename When>
Iteration LeakWhen(When when) {
  return [when](SyntheticLedger& ledger, uint32_t epoch, Random& random) mutable {
    if (when(epoch, random)) ledger.Allocate(1, 64);
  };
}

Pattern LeakEvery(uint32_t k) {
  return {.name = "leak_every_" + std::to_string(k),
          .leaks = true,
          .rate = 1.0 / k,
          .start = [k](Random& random) {
            const uint32_t phase = Between(0, k - 1, random);
            return LeakWhen([=](uint32_t epoch, Random&) { return epoch % k == phase; });
          }};
}

Pattern LeakAtRandom(const char* name, double p) {
  return {.name = name, .leaks = true, .rate = p, .start = [p](Random&) {
            return LeakWhen(
                [p](uint32_t, Random& random) { return std::bernoulli_distribution(p)(random); });
          }};
}

// Keeps what was looked up for each of `keys` keys, looked up at random, for ever.
Iteration RandomKeyCache(uint32_t keys) {
  return [keys, seen = std::set<uint32_t>()](SyntheticLedger& ledger, uint32_t,
                                             Random& random) mutable {
    if (seen.insert(Between(1, keys, random)).second) ledger.Allocate(1, 256);
  };
}

// The last `capacity` blocks, one more in each iteration that `when` picks.
Iteration Ring(uint32_t capacity, double chance) {
  return
      [=, held = std::deque<Block>()](SyntheticLedger& ledger, uint32_t, Random& random) mutable {
        if (!std::bernoulli_distribution(chance)(random)) return;
        held.push_back(ledger.Allocate(1, 128));
        if (held.size() > capacity) {
          ledger.Free(held.front());
          held.pop_front();
        }
      };
}

// A full cache in which each new block replaces a random one.
Iteration RandomReplacement(uint32_t capacity) {
  return [capacity, held = std::vector<Block>()](SyntheticLedger& ledger, uint32_t,
                                                 Random& random) mutable {
    const Block block = ledger.Allocate(1, 128);
    if (held.size() < capacity) {
      held.push_back(block);
      return;
    }
    Block& victim = held[Between(0, capacity - 1, random)];
    ledger.Free(victim);
    victim = block;
  };
}

// A full cache whose entries, of one to three blocks each, are replaced at random in every
// other iteration: some stay for long, and the number of blocks wanders.
Iteration WanderingCache(size_t entries) {
  using Entry = std::vector<Block>;
  return [entries, held = std::vector<Entry>()](SyntheticLedger& ledger, uint32_t,
                                                Random& random) mutable {
    const auto make = [&] {
      Entry entry;
      for (uint32_t n = Between(1, 3, random); n > 0; --n) entry.push_back(ledger.Allocate(1, 128));
      return entry;
    };
    while (held.size() < entries) held.push_back(make());
    if (Between(0, 1, random) == 0) return;
    Entry& victim = held[Between(0, static_cast<uint32_t>(entries) - 1, random)];
    for (const Block& block : victim) ledger.Free(block);
    victim = make();
  };
}

// A batch that grows by a block per iteration and is dropped at its end.
Iteration Sawtooth(uint32_t period) {
  return [period, held = std::vector<Block>()](SyntheticLedger& ledger, uint32_t epoch,
                                               Random&) mutable {
    held.push_back(ledger.Allocate(1, 100));
    if (epoch % period != 0) return;
    for (const Block& block : held) ledger.Free(block);
    held.clear();
  };
}

// `count` one-off blocks at uniformly random iterations up to `last`.
Iteration LazyInit(uint32_t count, uint32_t last, Random& random) {
  std::vector<uint32_t> when;
  for (uint32_t i = 0; i < count; ++i) when.push_back(Between(1, last, random));
  std::sort(when.begin(), when.end());
  return [when, next = size_t{0}](SyntheticLedger& ledger, uint32_t epoch, Random&) mutable {
    for (; next < when.size() && when[next] == epoch; ++next) ledger.Allocate(1, 4096);
  };
}

// Words drawn by Zipf's law from `words`, each kept when first seen.
Iteration Interning(uint32_t words) {
  std::vector<double> weights;
  for (uint32_t i = 1; i <= words; ++i) weights.push_back(1.0 / i);
  return [seen = std::set<size_t>(),
          draw = std::discrete_distribution<size_t>(weights.begin(), weights.end())](
             SyntheticLedger& ledger, uint32_t, Random& random) mutable {
    for (int i = 0; i < 4; ++i) {
      if (seen.insert(draw(random)).second) ledger.Allocate(1, 40);
    }
  };
}

// A vector that gains an element per iteration up to `capacity`, re-allocated at twice its
// size when full, or each time when `tight`.
Iteration GrowingVector(uint32_t capacity, bool tight) {
  return [=, block = Block(), size = uint32_t{0}, room = uint32_t{0}](SyntheticLedger& ledger,
                                                                      uint32_t, Random&) mutable {
    if (size == capacity) return;
    if (size == room) {
      if (room != 0) ledger.Free(block);
      room = room == 0 ? 1 : tight ? room + 1 : 2 * room;
      block = ledger.Allocate(1, 8ull * room);
    }
    ++size;
  };
}

// A buffer of at least `least` bytes that gains `bytes` per iteration, re-allocated at twice
// its size when full.
Iteration GrowingStream(uint64_t bytes, uint64_t least) {
  return
      [=, block = Block(), size = uint64_t{0}](SyntheticLedger& ledger, uint32_t, Random&) mutable {
        size += bytes;
        if (size <= block.bytes) return;
        const Block larger = ledger.Allocate(1, std::max(least, 2 * block.bytes));
        if (block.bytes != 0) ledger.Free(block);
        block = larger;
      };
}

// A pool that adds a chunk whenever the largest burst so far is exceeded: about log(n)
// times, up to `limit` chunks.
Iteration LogPool(uint32_t limit) {
  return [limit, chunks = uint32_t{0}, largest = 0.0](SyntheticLedger& ledger, uint32_t,
                                                      Random& random) mutable {
    const double burst = std::uniform_real_distribution<double>(0, 1)(random);
    if (burst <= largest || chunks == limit) return;
    largest = burst;
    ++chunks;
    ledger.Allocate(1, 65536);
  };
}

// The last result, of random size, replaced with `chance` per iteration.
Iteration LastResult(double chance) {
  return [chance, held = Block()](SyntheticLedger& ledger, uint32_t, Random& random) mutable {
    if (!std::bernoulli_distribution(chance)(random)) return;
    if (held.bytes != 0) ledger.Free(held);
    held = ledger.Allocate(1, Between(1, 10000, random));
  };
}

// An arena from which `bytes` are carved per iteration up to the `last` one: a block half as
// large again whenever the one before is used up.
Iteration Arena(uint64_t bytes, uint32_t last) {
  return [=, left = uint64_t{0}, next = uint64_t{1024}](SyntheticLedger& ledger, uint32_t epoch,
                                                        Random&) mutable {
    if (epoch > last) return;
    if (left < bytes) {
      ledger.Allocate(1, next);
      left = next;
      next = next * 3 / 2;
    }
    left -= bytes;
  };
}

// A pool that keeps a chunk of the size of each burst larger than all before.
Iteration RecordPool(uint32_t limit) {
  return [limit, chunks = uint32_t{0}, largest = 0.0](SyntheticLedger& ledger, uint32_t,
                                                      Random& random) mutable {
    const double burst = std::lognormal_distribution<double>(0, 2)(random);
    if (burst <= largest || chunks == limit) return;
    largest = burst;
    ++chunks;
    ledger.Allocate(1, 1024 + static_cast<uint64_t>(burst * 1024));
  };
}

// Two come in per iteration and the oldest goes, until it holds `capacity`; then two go.
Iteration Queue(uint32_t capacity) {
  return
      [capacity, held = std::deque<Block>()](SyntheticLedger& ledger, uint32_t, Random&) mutable {
        held.push_back(ledger.Allocate(1, 128));
        held.push_back(ledger.Allocate(1, 128));
        for (int i = held.size() > capacity ? 2 : 1; i > 0; --i) {
          ledger.Free(held.front());
          held.pop_front();
        }
      };
}

// Ten blocks at once in every k-th iteration, `times` times.
Iteration Bursts(uint32_t k, uint32_t phase, uint32_t times) {
  return [=, left = times](SyntheticLedger& ledger, uint32_t epoch, Random&) mutable {
    if (epoch % k != phase || left == 0) return;
    --left;
    for (int i = 0; i < 10; ++i) ledger.Allocate(1, 64);
  };
}

// Both programs, at the same site.
Iteration Both(Iteration first, Iteration second) {
  return [first = std::move(first), second = std::move(second)](SyntheticLedger& ledger,
                                                                uint32_t epoch, Random& random) {
    first(ledger, epoch, random);
    second(ledger, epoch, random);
  };
}

Iteration From(uint32_t onset, Iteration then) {
  return [onset, then = std::move(then)](SyntheticLedger& ledger, uint32_t epoch, Random& random) {
    if (epoch >= onset) then(ledger, epoch, random);
  };
}

// A cache of `capacity` blocks filled during set-up; each iteration replaces the oldest.
Iteration FullCache(uint32_t capacity) {
  return [capacity, held = std::deque<Block>()](SyntheticLedger& ledger, uint32_t epoch,
                                                Random&) mutable {
    if (epoch == 1) {
      for (uint32_t i = 0; i < capacity; ++i) held.push_back(ledger.Allocate(1, 128));
    }
    held.push_back(ledger.Allocate(1, 128));
    ledger.Free(held.front());
    held.pop_front();
  };
}

// One of `sizes` input sizes after the other. A size makes eight entries in a cache of 1,024
// that evicts the oldest, unless it holds them, and when first seen a residue that stays.
Iteration PrimitiveCache(uint32_t sizes) {
  struct Entry {
    uint32_t size;
    Block block;
  };
  return [sizes, seen = std::set<uint32_t>(), cache = std::deque<Entry>(),
          entries = std::vector<uint32_t>(sizes)](SyntheticLedger& ledger, uint32_t epoch,
                                                  Random&) mutable {
    constexpr size_t kCapacity = 1024;
    const uint32_t size = epoch % sizes;
    if (seen.insert(size).second) ledger.Allocate(2, 37667);
    const bool cached = entries[size] > 0;
    for (int i = 0; i < 8 && !cached; ++i) {
      cache.push_back({.size = size, .block = ledger.Allocate(1, 19000)});
      ++entries[size];
      if (cache.size() <= kCapacity) continue;
      --entries[cache.front().size];
      ledger.Free(cache.front().block);
      cache.pop_front();
    }
  };
}

// One block per iteration, each at a site of its own.
Iteration Wandering() {
  return [](SyntheticLedger& ledger, uint32_t epoch, Random&) { ledger.Allocate(epoch, 64); };
}

// Many programs side by side, each with sites of its own or all at one (an allocation
// function that is not seen through).
Iteration Crowd(std::vector<Iteration> members, bool one_site = false) {
  return [=](SyntheticLedger& ledger, uint32_t epoch, Random& random) {
    for (uint32_t i = 0; i < members.size(); ++i) {
      if (!one_site) ledger.SetSiteBase(10 * i);
      members[i](ledger, epoch, random);
    }
    ledger.SetSiteBase(0);
  };
}

// What a large runtime does without leaking.
std::vector<Iteration> BoundedCrowd(Random& random) {
  std::vector<Iteration> members;
  for (int i = 0; i < 10; ++i) {
    members.push_back(RandomKeyCache(Between(4, 100, random)));
    members.push_back(Ring(Between(2, 60, random), 1));
    members.push_back(Ring(Between(2, 20, random), 0.2));
    members.push_back(Sawtooth(Between(2, 50, random)));
    members.push_back(LastResult(1));
    members.push_back(LastResult(0.05));
    members.push_back(RandomReplacement(Between(4, 40, random)));
    members.push_back(LogPool(3));
  }
  for (int i = 0; i < 200; ++i) members.push_back(LazyInit(1, 60, random));
  return members;
}

Iteration EveryIteration() {
  return LeakWhen([](uint32_t, Random&) { return true; });
}

std::vector<Pattern> MakePatterns() {
  std::vector<Pattern> all;
  const auto bounded = [&](std::string name, std::function<Iteration(Random&)> start) {
    all.push_back({.name = std::move(name),
                   .leaks = false,
                   .rate = 0,
                   .start = std::move(start),
                   .input_cycle = 0});
  };
  const auto leak = [&](std::string name, double rate, std::function<Iteration(Random&)> start) {
    all.push_back({.name = std::move(name),
                   .leaks = true,
                   .rate = rate,
                   .start = std::move(start),
                   .input_cycle = 0});
  };
  bounded("idle", [](Random&) { return LeakWhen([](uint32_t, Random&) { return false; }); });
  bounded("random_key_cache_64", [](Random&) { return RandomKeyCache(64); });
  bounded("random_key_cache_128", [](Random&) { return RandomKeyCache(128); });
  bounded("sawtooth_10", [](Random&) { return Sawtooth(10); });
  bounded("sawtooth_50", [](Random&) { return Sawtooth(50); });
  bounded("sawtooth_up_to_60", [](Random& r) { return Sawtooth(Between(20, 60, r)); });
  bounded("lru_16", [](Random&) { return Ring(16, 1); });
  bounded("ring_up_to_100", [](Random& r) { return Ring(Between(17, 100, r), 1); });
  bounded("ring_16_one_in_4", [](Random&) { return Ring(16, 0.25); });
  bounded("random_replacement_64", [](Random&) { return RandomReplacement(64); });
  bounded("wandering_cache_200", [](Random&) { return WanderingCache(200); });
  bounded("lazy_init_5", [](Random& r) { return LazyInit(5, 2048, r); });
  bounded("lazy_init_20", [](Random& r) { return LazyInit(20, 2048, r); });
  bounded("interning_zipf_100", [](Random&) { return Interning(100); });
  bounded("vector_doubles_to_64", [](Random&) { return GrowingVector(64, false); });
  bounded("vector_doubles_to_300", [](Random&) { return GrowingVector(300, false); });
  bounded("log_pool", [](Random&) { return LogPool(12); });
  bounded("last_result_one_in_50", [](Random&) { return LastResult(0.02); });
  bounded("last_result_every", [](Random&) { return LastResult(1); });
  bounded("burst_of_60", [](Random& random) {
    const uint32_t onset = Between(20, 1500, random);
    return LeakWhen(
        [onset](uint32_t epoch, Random&) { return epoch >= onset && epoch < onset + 60; });
  });
  bounded("full_cache_200", [](Random&) { return FullCache(200); });
  bounded("fills_in_100",
          [](Random&) { return LeakWhen([](uint32_t epoch, Random&) { return epoch <= 100; }); });
  bounded("step_late", [](Random& random) {
    const uint32_t when = Between(100, 900, random);
    return LeakWhen([when](uint32_t epoch, Random&) { return epoch == when; });
  });
  bounded("arena_fills_in_150", [](Random&) { return Arena(200, 150); });
  bounded("record_pool", [](Random&) { return RecordPool(12); });
  bounded("record_pool_and_last_result",
          [](Random&) { return Both(RecordPool(12), LastResult(0.05)); });
  bounded("queue_fills_to_100", [](Random&) { return Queue(100); });
  bounded("lazy_init_20_and_lru_16",
          [](Random& r) { return Both(LazyInit(20, 2048, r), Ring(16, 1)); });
  bounded("seven_bursts_every_31", [](Random& r) { return Bursts(31, Between(0, 30, r), 7); });
  bounded("primitive_cache_200_sizes", [](Random&) { return PrimitiveCache(200); });
  all.back().input_cycle = 200;
  bounded("primitive_cache_100_sizes", [](Random&) { return PrimitiveCache(100); });
  all.back().input_cycle = 100;
  bounded("crowd", [](Random& random) { return Crowd(BoundedCrowd(random)); });
  bounded("crowd_at_one_site", [](Random& random) { return Crowd(BoundedCrowd(random), true); });
  leak("leak_every_1", 1, [](Random&) { return EveryIteration(); });
  for (const uint32_t k : {2u, 7u, 16u, 31u}) all.push_back(LeakEvery(k));
  all.push_back(LeakAtRandom("leak_p_0.5", 0.5));
  all.push_back(LeakAtRandom("leak_p_0.1", 0.1));
  all.push_back(LeakAtRandom("leak_p_0.03", 0.03));
  leak("sawtooth_10_and_every_1", 1, [](Random&) { return Both(Sawtooth(10), EveryIteration()); });
  leak("ring_60_and_every_7", 1 / 7.,
       [](Random& r) { return Both(Ring(60, 1), LeakEvery(7).start(r)); });
  leak("random_key_cache_64_and_every_7", 1 / 7.,
       [](Random& r) { return Both(RandomKeyCache(64), LeakEvery(7).start(r)); });
  leak("wandering_cache_200_and_every_7", 1 / 7.,
       [](Random& r) { return Both(WanderingCache(200), LeakEvery(7).start(r)); });
  leak("last_result_and_p_0.1", 0.1,
       [](Random& r) { return Both(LastResult(0.02), LeakAtRandom("", 0.1).start(r)); });
  leak("every_1_from_600", 1, [](Random&) { return From(600, EveryIteration()); });
  leak("wandering_every_1", 1, [](Random&) { return Wandering(); });
  leak("crowd_and_every_7", 1 / 7., [](Random& random) {
    std::vector<Iteration> members = BoundedCrowd(random);
    members.push_back(LeakEvery(7).start(random));
    return Crowd(std::move(members));
  });
  leak("crowd_at_one_site_and_every_7", 1 / 7., [](Random& random) {
    std::vector<Iteration> members = BoundedCrowd(random);
    members.push_back(LeakEvery(7).start(random));
    return Crowd(std::move(members), true);
  });
  leak("crowd_and_p_0.1", 0.1, [](Random& random) {
    std::vector<Iteration> members = BoundedCrowd(random);
    members.push_back(LeakAtRandom("", 0.1).start(random));
    return Crowd(std::move(members));
  });
  leak("stream_12_bytes", 0, [](Random&) { return GrowingStream(12, 512); });
  leak("arena", 0, [](Random&) { return Arena(200, UINT32_MAX); });
  leak("queue", 1, [](Random&) { return Queue(UINT32_MAX); });
  leak("bursts_every_50", 1 / 50.,
       [](Random& r) { return Bursts(50, Between(0, 49, r), UINT32_MAX); });
  leak("vector_doubles", 0, [](Random&) { return GrowingVector(1u << 30, false); });
  leak("vector_grows_each_time", 0, [](Random&) { return GrowingVector(1u << 30, true); });
  return all;
}

}  // namespace

const std::vector<Pattern>& SurvivorPatterns() {
  static const std::vector<Pattern>& patterns = *new std::vector<Pattern>(MakePatterns());
  return patterns;
}

const Pattern& SurvivorPattern(const std::string& name) {
  for (const Pattern& pattern : SurvivorPatterns()) {
    if (pattern.name == name) return pattern;
  }
  std::fprintf(stderr, "%s:%d: no pattern '%s'\n", __FILE__, __LINE__, name.c_str());
  std::abort();
}

SyntheticRun RunPattern(const Rule& rule, const Pattern& pattern, uint64_t seed) {
  Random random(seed);
  const Iteration iterate = pattern.start(random);
  const std::vector<uint32_t> looks = Looks(rule);
  const std::vector<uint32_t> floors = FloorPoints(rule);
  SyntheticLedger ledger;
  SyntheticRun run;
  for (uint32_t epoch = 1; epoch <= rule.warmup + rule.max_iterations; ++epoch) {
    ledger.SetEpoch(epoch);
    iterate(ledger, epoch, random);
    if (std::binary_search(floors.begin(), floors.end(), epoch)) ledger.ObserveFloors();
    if (std::binary_search(looks.begin(), looks.end(), epoch)) {
      run.snapshots.push_back(ledger.TakeSnapshot());
    }
    const HeldCount& heap = ledger.Counters().held[static_cast<size_t>(ResourceKind::kHeap)];
    run.live_bytes.push_back(heap.bytes);
    run.live_blocks.push_back(heap.blocks);
  }
  return run;
}

}  // namespace plimsoll
