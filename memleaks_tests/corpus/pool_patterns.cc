// Innocent: pools and arenas that reach their size, and memory that is freed a little
// later than it could be.

#include <algorithm>
#include <array>
#include <cstddef>
#include <deque>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "memleaks_tests/corpus/families.h"

namespace plimsoll {
namespace pool_patterns {

using Block = std::unique_ptr<std::byte[]>;

// Grows by doubling up to its limit, as "allow_growth" does, and stays there.
struct GrowthPlateaus : PatternRun {
  PLIMSOLL_SITE void ExtendPool() {
    regions.push_back(std::make_unique<std::byte[]>(size_t{4096} << regions.size()));
    PLIMSOLL_SITE_END();
  }
  void Iterate() override {
    ++iteration;
    if (regions.size() < 5 && iteration >= size_t{3} << regions.size()) ExtendPool();
  }
  std::vector<Block> regions;
  size_t iteration = 0;
};

// A step for each of four replicas as they join, then flat.
struct FourSteps : PatternRun {
  explicit FourSteps(uint64_t seed) : random(seed) {}
  PLIMSOLL_SITE void JoinReplica(size_t which) {
    replicas[which] = std::make_unique<std::byte[]>(1 << 20);
    PLIMSOLL_SITE_END();
  }
  void Iterate() override {
    const size_t which = random() % 24;
    if (which < replicas.size() && !replicas[which]) JoinReplica(which);
  }
  std::array<Block, 4> replicas;
  std::mt19937_64 random;
};

// Blocks of all sizes are freed in another order, so that the allocator keeps most of
// the memory: retention and fragmentation, not a leak.
struct Retention : PatternRun {
  explicit Retention(uint64_t seed) : random(seed) {}
  PLIMSOLL_SITE void ChurnBlocks() {
    for (int i = 0; i < 200; ++i) {
      blocks.push_back(std::make_unique<std::byte[]>(16 + random() % 8192));
    }
    PLIMSOLL_SITE_END();
  }
  void Iterate() override {
    ChurnBlocks();
    std::shuffle(blocks.begin(), blocks.end(), random);
    blocks.clear();
  }
  std::vector<Block> blocks;
  std::mt19937_64 random;
};

// One long-lived block stays among the freed ones of each iteration, sixteen in all.
struct FragmentationSettles : PatternRun {
  explicit FragmentationSettles(uint64_t seed) : random(seed) {}
  PLIMSOLL_SITE void AllocateAmong() {
    std::vector<Block> around;
    for (int i = 0; i < 32; ++i) {
      around.push_back(std::make_unique<std::byte[]>(512 + random() % 2048));
    }
    survivors[next++ % survivors.size()] = std::move(around[random() % around.size()]);
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { AllocateAmong(); }
  std::array<Block, 16> survivors;
  size_t next = 0;
  std::mt19937_64 random;
};

// Samples are kept in a vector that doubles until it holds a thousand, then wraps.
struct LogGrowthSaturates : PatternRun {
  PLIMSOLL_SITE void RecordValue() {
    if (values.size() < 1000) {
      for (int i = 0; i < 20; ++i) values.push_back(1.0);
    } else {
      values[next++ % values.size()] = 1.0;
    }
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { RecordValue(); }
  std::vector<double> values;
  size_t next = 0;
};

// Freed five iterations after it was replaced, when no reader can hold it any more.
struct DeferredFree : PatternRun {
  PLIMSOLL_SITE void PublishVersion() {
    versions.push_back(std::make_unique<std::byte[]>(2048));
    PLIMSOLL_SITE_END();
  }
  void Iterate() override {
    PublishVersion();
    if (versions.size() > 5) versions.pop_front();
  }
  std::deque<Block> versions;
};

// Two buffers change places; one is larger than the other.
struct DoubleBuffer : PatternRun {
  PLIMSOLL_SITE void FillBackBuffer() {
    buffers[front ^ 1] = std::make_unique<std::byte[]>(front == 0 ? 65'536 : 4096);
    PLIMSOLL_SITE_END();
  }
  void Iterate() override {
    FillBackBuffer();
    front ^= 1;
  }
  std::array<Block, 2> buffers;
  size_t front = 0;
};

// A stream that is cleared and keeps its buffer.
struct StreamCleared : PatternRun {
  explicit StreamCleared(uint64_t seed) : random(seed) {}
  PLIMSOLL_SITE void FormatLine() {
    stream.str("");
    for (uint64_t i = random() % 64; i > 0; --i) stream << "value " << i << ' ';
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { FormatLine(); }
  std::ostringstream stream;
  std::mt19937_64 random;
};

// The largest request so far decides the workspace: records become ever rarer.
struct HighWaterWorkspace : PatternRun {
  explicit HighWaterWorkspace(uint64_t seed) : random(seed) {}
  PLIMSOLL_SITE void ReserveWorkspace(size_t bytes) {
    workspace = std::make_unique<std::byte[]>(bytes);
    capacity = bytes;
    PLIMSOLL_SITE_END();
  }
  void Iterate() override {
    const size_t wanted = 1024 + random() % 32'768;
    if (wanted > capacity) ReserveWorkspace(wanted);
  }
  Block workspace;
  size_t capacity = 0;
  std::mt19937_64 random;
};

constexpr ResourceKind kHeap = ResourceKind::kHeap;

constexpr Pattern kPatterns[] = {
    {"growth_plateaus", true, kHeap, 0, 0, "ExtendPool", "openvino #25198",
     MakeRun<GrowthPlateaus>},
    {"four_steps", true, kHeap, 0, 0, "JoinReplica", "onnxruntime #17451", MakeRun<FourSteps>},
    {"retention", true, kHeap, 0, 0, "ChurnBlocks", "openvino PR 16845, 27534, 27881",
     MakeRun<Retention>},
    {"fragmentation_settles", true, kHeap, 0, 0, "AllocateAmong", "fragmentation that settles",
     MakeRun<FragmentationSettles>},
    {"log_growth_saturates", true, kHeap, 0, 0, "RecordValue", "a log-growing pool that saturates",
     MakeRun<LogGrowthSaturates>},
    {"deferred_free", true, kHeap, 0, 0, "PublishVersion", "freed a few iterations later",
     MakeRun<DeferredFree>},
    {"double_buffer", true, kHeap, 0, 0, "FillBackBuffer", "two buffers of different sizes",
     MakeRun<DoubleBuffer>},
    {"stream_cleared", true, kHeap, 0, 0, "FormatLine", "a stream that keeps its buffer",
     MakeRun<StreamCleared>},
    {"high_water_workspace", true, kHeap, 0, 0, "ReserveWorkspace", "a workspace that learns",
     MakeRun<HighWaterWorkspace>},
};

}  // namespace pool_patterns

std::span<const Pattern> PoolPatterns() { return pool_patterns::kPatterns; }

}  // namespace plimsoll
