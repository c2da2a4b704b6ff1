#include "scenarios/engines/reference/patterns.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

namespace plimsoll {

// The sites stand outside an unnamed namespace, so that a stack shows plain names.
namespace basic_patterns {

[[noreturn]] void ThrowErrno(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

using Payload = std::array<std::byte, 64>;

// ---- planted ----

// A registry that every iteration adds to and nobody reads back.
struct MapGrowth : PatternRun {
  PLIMSOLL_SITE void RememberResult() {
    results.emplace(next++, Payload{});
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { RememberResult(); }
  std::map<uint64_t, Payload> results;
  uint64_t next = 0;
};

struct EverySeventh : PatternRun {
  PLIMSOLL_SITE void RememberWarning() {
    warnings.push_back(std::make_unique<Payload>());
    PLIMSOLL_SITE_END();
  }
  void Iterate() override {
    if (++iteration % 7 == 0) RememberWarning();
  }
  // Grows without moving, so that the payload is the only thing that is kept.
  EverySeventh() { warnings.reserve(1 << 16); }
  std::vector<std::unique_ptr<Payload>> warnings;
  uint64_t iteration = 0;
};

// A container keyed by thread id: entries outlive their threads.
struct PerThread : PatternRun {
  PLIMSOLL_SITE void RegisterThread() {
    const std::lock_guard lock(mutex);
    // Ids are used again by the C library; a count stands for ids that are not.
    contexts.emplace(started++, Payload{});
    PLIMSOLL_SITE_END();
  }
  void Iterate() override {
    std::thread([this] { RegisterThread(); }).join();
  }
  std::mutex mutex;
  std::unordered_map<uint64_t, Payload> contexts;
  uint64_t started = 0;
};

// One plan for each input shape, and shapes never come again.
struct PerShape : PatternRun {
  PLIMSOLL_SITE void PlanForShape(uint64_t shape) {
    plans.emplace(shape, std::vector<std::byte>(512));
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { PlanForShape(width++); }
  std::map<uint64_t, std::vector<std::byte>> plans;
  uint64_t width = 32;
};

struct MappingKept : PatternRun {
  static constexpr size_t kBytes = 16384;
  PLIMSOLL_SITE void MapScratch() {
    void* scratch =
        mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (scratch == MAP_FAILED) ThrowErrno("mmap");
    *static_cast<volatile char*>(scratch) = 1;
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { MapScratch(); }
};

// The weights are read and the descriptor is forgotten.
struct DescriptorKept : PatternRun {
  PLIMSOLL_SITE void OpenWeights() {
    const int descriptor = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) ThrowErrno("open");
    char byte;
    if (read(descriptor, &byte, 1) != 1) ThrowErrno("read");
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { OpenWeights(); }
};

// A worker that waits for work which never comes. Ends with the pattern.
struct ThreadLeftRunning : PatternRun {
  static constexpr size_t kStackBytes = 64 << 10;
  PLIMSOLL_SITE void StartWorker() {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, kStackBytes);
    pthread_t worker;
    const int problem = pthread_create(&worker, &attributes, &Work, this);
    pthread_attr_destroy(&attributes);
    if (problem != 0) throw std::system_error(problem, std::generic_category(), "pthread_create");
    workers.push_back(worker);
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { StartWorker(); }
  ThreadLeftRunning() { workers.reserve(1 << 16); }
  ~ThreadLeftRunning() override {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    work.notify_all();
    for (const pthread_t worker : workers) pthread_join(worker, nullptr);
  }
  static void* Work(void* self) {
    auto* run = static_cast<ThreadLeftRunning*>(self);
    std::unique_lock lock(run->mutex);
    run->work.wait(lock, [run] { return run->stopping; });
    return nullptr;
  }
  std::mutex mutex;
  std::condition_variable work;
  bool stopping = false;
  std::vector<pthread_t> workers;
};

// One block that is only ever replaced by one of twice the size.
struct DoublingVector : PatternRun {
  PLIMSOLL_SITE void RecordSample() {
    history.insert(history.end(), 16, 0.0f);
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { RecordSample(); }
  std::vector<float> history;
};

// ---- innocent ----

// Evicts the least recently used of sixteen plans.
struct BoundedLru : PatternRun {
  static constexpr size_t kCapacity = 16;
  PLIMSOLL_SITE void PlanOrReuse(uint64_t shape) {
    const auto found = index.find(shape);
    if (found != index.end()) {
      order.splice(order.begin(), order, found->second);
      return;
    }
    if (order.size() == kCapacity) {
      index.erase(order.back().first);
      order.pop_back();
    }
    order.emplace_front(shape, std::vector<std::byte>(256 + shape % 64));
    index[shape] = order.begin();
    PLIMSOLL_SITE_END();
  }
  explicit BoundedLru(uint64_t seed) : random(seed) {}
  void Iterate() override { PlanOrReuse(random() % 64); }
  using Entry = std::pair<uint64_t, std::vector<std::byte>>;
  std::list<Entry> order;
  std::unordered_map<uint64_t, std::list<Entry>::iterator> index;
  std::mt19937_64 random;
};

// Five things that are made when they are first needed, at random times.
struct LazyInit : PatternRun {
  PLIMSOLL_SITE void MakeTable(size_t which) {
    tables[which] = std::make_unique<std::array<std::byte, 4096>>();
    PLIMSOLL_SITE_END();
  }
  explicit LazyInit(uint64_t seed) : random(seed) {}
  void Iterate() override {
    const size_t which = random() % 40;
    if (which < tables.size() && !tables[which]) MakeTable(which);
  }
  std::array<std::unique_ptr<std::array<std::byte, 4096>>, 5> tables;
  std::mt19937_64 random;
};

// Freed blocks are kept for the next request, up to thirty-two of them.
struct ThreadCache : PatternRun {
  static constexpr size_t kMost = 32;
  PLIMSOLL_SITE std::unique_ptr<Payload> TakeBlock() {
    if (!cache.empty()) {
      auto block = std::move(cache.back());
      cache.pop_back();
      return block;
    }
    auto block = std::make_unique<Payload>();
    PLIMSOLL_SITE_END();
    return block;
  }
  explicit ThreadCache(uint64_t seed) : random(seed) { cache.reserve(kMost); }
  void Iterate() override {
    std::vector<std::unique_ptr<Payload>> in_use;
    for (size_t i = random() % 48; i > 0; --i) in_use.push_back(TakeBlock());
    for (auto& block : in_use) {
      if (cache.size() < kMost) cache.push_back(std::move(block));
    }
  }
  std::vector<std::unique_ptr<Payload>> cache;
  std::mt19937_64 random;
};

// A scratch vector that keeps its capacity and now and then needs a little more.
struct ReusedReserve : PatternRun {
  PLIMSOLL_SITE void FillScratch(size_t count) {
    scratch.clear();
    scratch.resize(count);
    PLIMSOLL_SITE_END();
  }
  explicit ReusedReserve(uint64_t seed) : random(seed) {}
  void Iterate() override { FillScratch(1 + random() % 4096); }
  std::vector<float> scratch;
  std::mt19937_64 random;
};

constexpr ResourceKind kHeap = ResourceKind::kHeap;

constexpr Pattern kPatterns[] = {
    {"map_growth", false, kHeap, 64, 1, "RememberResult", "openvino #11669", MakeRun<MapGrowth>},
    {"every_seventh", false, kHeap, 64.0 / 7, 7, "RememberWarning", "leak every 7th",
     MakeRun<EverySeventh>},
    {"per_thread", false, kHeap, 64, 1, "RegisterThread", "openvino #17609", MakeRun<PerThread>},
    {"per_shape", false, kHeap, 512, 1, "PlanForShape", "onnxruntime #11118", MakeRun<PerShape>},
    {"mapping_kept", false, ResourceKind::kMapping, MappingKept::kBytes, 1, "MapScratch",
     "openvino #20633", MakeRun<MappingKept>},
    {"descriptor_kept", false, ResourceKind::kDescriptor, 0, 1, "OpenWeights",
     "CNTK #1675, DJL #976", MakeRun<DescriptorKept>},
    {"thread_left_running", false, ResourceKind::kThread, 0, 1, "StartWorker", "onnxruntime #5176",
     MakeRun<ThreadLeftRunning>},
    {"doubling_vector", false, kHeap, 64, 0, "RecordSample", "doubling vector",
     MakeRun<DoublingVector>},
    {"bounded_lru", true, kHeap, 0, 0, "PlanOrReuse", "openvino #23316", MakeRun<BoundedLru>},
    {"lazy_init", true, kHeap, 0, 0, "MakeTable", "lazy init x 5", MakeRun<LazyInit>},
    {"thread_cache", true, kHeap, 0, 0, "TakeBlock", "OpenCV re-importing SqueezeNet",
     MakeRun<ThreadCache>},
    {"reused_reserve", true, kHeap, 0, 0, "FillScratch", "a reserve that is reused",
     MakeRun<ReusedReserve>},
};

}  // namespace basic_patterns

std::span<const Pattern> BasicPatterns() { return basic_patterns::kPatterns; }

}  // namespace plimsoll
