// Planted: leaks that do not happen in every iteration, or not equally.

#include <cstddef>
#include <memory>
#include <random>
#include <vector>

#include "memleaks_tests/corpus/families.h"

namespace plimsoll {
namespace irregular_patterns {

// Keeps blocks in a table that never moves, so that they are all that grows.
class Keeper : public PatternRun {
 protected:
  Keeper() { blocks_.reserve(1 << 16); }
  void Add(size_t bytes) { blocks_.push_back(std::make_unique<std::byte[]>(bytes)); }

  uint64_t iteration_ = 0;

 private:
  std::vector<std::unique_ptr<std::byte[]>> blocks_;
};

struct EverySixteenth : Keeper {
  PLIMSOLL_SITE void KeepSixteenth() {
    Add(64);
    PLIMSOLL_SITE_END();
  }
  void Iterate() override {
    if (++iteration_ % 16 == 0) KeepSixteenth();
  }
};

struct EveryThird : Keeper {
  PLIMSOLL_SITE void KeepCheckpointName() {
    Add(24);
    PLIMSOLL_SITE_END();
  }
  void Iterate() override {
    if (++iteration_ % 3 == 0) KeepCheckpointName();
  }
};

struct RandomTenth : Keeper {
  explicit RandomTenth(uint64_t seed) : random(seed) {}
  PLIMSOLL_SITE void KeepRetry() {
    Add(64);
    PLIMSOLL_SITE_END();
  }
  void Iterate() override {
    if (random() % 10 == 0) KeepRetry();
  }
  std::mt19937_64 random;
};

struct RandomThirtieth : Keeper {
  explicit RandomThirtieth(uint64_t seed) : random(seed) {}
  PLIMSOLL_SITE void KeepTimeout() {
    Add(64);
    PLIMSOLL_SITE_END();
  }
  void Iterate() override {
    if (random() % 100 < 3) KeepTimeout();
  }
  std::mt19937_64 random;
};

// Nothing at first; every time from the seventieth iteration on, in the second half of
// what the first verdict sees. (With a hundred inferences each: after thousands of them.)
struct LateOnset : Keeper {
  PLIMSOLL_SITE void KeepAfterWarmup() {
    Add(64);
    PLIMSOLL_SITE_END();
  }
  void Iterate() override {
    if (++iteration_ > 70) KeepAfterWarmup();
  }
};

// A buffer that grows for ten iterations and is dropped hides a small leak beside it.
struct SawtoothWithLeak : Keeper {
  PLIMSOLL_SITE void KeepUnderSawtooth() {
    Add(32);
    PLIMSOLL_SITE_END();
  }
  void Iterate() override {
    if (++iteration_ % 10 == 0) tooth.clear();
    tooth.push_back(std::make_unique<std::byte[]>(4096));
    KeepUnderSawtooth();
  }
  std::vector<std::unique_ptr<std::byte[]>> tooth;
};

// Each iteration leaks more than the one before.
struct Accelerating : Keeper {
  PLIMSOLL_SITE void KeepTrajectory() {
    Add(8 + iteration_ / 8);
    PLIMSOLL_SITE_END();
  }
  void Iterate() override {
    ++iteration_;
    KeepTrajectory();
  }
};

// Ten blocks at once, every fiftieth iteration.
struct PeriodicBurst : Keeper {
  PLIMSOLL_SITE void KeepBatch() {
    for (int i = 0; i < 10; ++i) Add(64);
    PLIMSOLL_SITE_END();
  }
  void Iterate() override {
    if (++iteration_ % 50 == 0) KeepBatch();
  }
};

// Most blocks are freed in time; one in five is not.
struct MostlyFreed : Keeper {
  explicit MostlyFreed(uint64_t seed) : random(seed) {}
  PLIMSOLL_SITE std::unique_ptr<std::byte[]> MakeTensor() {
    auto tensor = std::make_unique<std::byte[]>(1024);
    PLIMSOLL_SITE_END();
    return tensor;
  }
  void Iterate() override {
    auto tensor = MakeTensor();
    if (random() % 5 == 0) forgotten.push_back(std::move(tensor));
  }
  std::mt19937_64 random;
  std::vector<std::unique_ptr<std::byte[]>> forgotten;
};

constexpr ResourceKind kHeap = ResourceKind::kHeap;

constexpr Pattern kPatterns[] = {
    {"every_sixteenth", false, kHeap, 4, 16, "KeepSixteenth", "leak every 16th",
     MakeRun<EverySixteenth>},
    {"every_third", false, kHeap, 8, 3, "KeepCheckpointName", "tensorflow #9091 (slow linear)",
     MakeRun<EveryThird>},
    {"random_tenth", false, kHeap, 6.4, 0, "KeepRetry", "random leak p = .1", MakeRun<RandomTenth>},
    {"random_thirtieth", false, kHeap, 1.92, 0, "KeepTimeout", "random leak p = .03",
     MakeRun<RandomThirtieth>},
    {"late_onset", false, kHeap, 64, 1, "KeepAfterWarmup", "openvino #96", MakeRun<LateOnset>},
    {"sawtooth_with_leak", false, kHeap, 32, 1, "KeepUnderSawtooth", "sawtooth + leak",
     MakeRun<SawtoothWithLeak>},
    {"accelerating", false, kHeap, 8, 1, "KeepTrajectory", "a leak that grows with its history",
     MakeRun<Accelerating>},
    {"periodic_burst", false, kHeap, 12.8, 50, "KeepBatch", "a burst every 50th",
     MakeRun<PeriodicBurst>},
    {"mostly_freed", false, kHeap, 204.8, 0, "MakeTensor", "an error path that forgets to free",
     MakeRun<MostlyFreed>},
};

}  // namespace irregular_patterns

std::span<const Pattern> IrregularPatterns() { return irregular_patterns::kPatterns; }

}  // namespace plimsoll
