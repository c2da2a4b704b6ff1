// Planted: state that threads leave behind, and their stacks.

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "memleaks_tests/corpus/families.h"

namespace plimsoll {
namespace thread_patterns {

void CheckThread(int problem, const char* what) {
  if (problem != 0) throw std::system_error(problem, std::generic_category(), what);
}

// Scratch for a run, registered by each thread that ever ran.
struct ScratchPerThread : PatternRun {
  PLIMSOLL_SITE void AttachScratch() {
    const std::lock_guard lock(mutex);
    scratch.push_back(std::make_unique<std::array<std::byte, 4096>>());
    PLIMSOLL_SITE_END();
  }
  void Iterate() override {
    std::thread([this] { AttachScratch(); }).join();
  }
  std::mutex mutex;
  std::list<std::unique_ptr<std::array<std::byte, 4096>>> scratch;
};

// An executor dies; the ids of its threads stay in the main thread's map.
struct ExecutorIdsKept : PatternRun {
  PLIMSOLL_SITE void RememberExecutor() {
    thread_ids.emplace(next++, std::vector<int>(8));
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { RememberExecutor(); }
  std::map<uint64_t, std::vector<int>> thread_ids;
  uint64_t next = 0;
};

// Thread-local state that is allocated on first use and has no destructor.
struct ThreadLocalLost : PatternRun {
  PLIMSOLL_SITE static void InitialiseThread() {
    thread_local std::byte* state = nullptr;
    state = new std::byte[2048];
    asm volatile("" : : "r"(state) : "memory");
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { std::thread(InitialiseThread).join(); }
};

// A pool is resized with each call; the stacks of those let go are not unmapped.
struct PoolStacksKept : PatternRun {
  static constexpr size_t kStackBytes = 64 << 10;
  PLIMSOLL_SITE void ResizePool() {
    void* stack = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, stack, kStackBytes);
    pthread_t worker;
    const int problem = pthread_create(
        &worker, &attributes, [](void*) -> void* { return nullptr; }, nullptr);
    pthread_attr_destroy(&attributes);
    CheckThread(problem, "pthread_create");
    CheckThread(pthread_join(worker, nullptr), "pthread_join");
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { ResizePool(); }
};

// One stream for the thread's life that is written to and never cleared: 12 bytes a time.
struct StreamHoards : PatternRun {
  PLIMSOLL_SITE void FormatName() {
    stream << "tensor." << 12345;
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { FormatName(); }
  std::ostringstream stream;
};

// Threads that end and are never joined: their stacks wait for it.
struct NeverJoined : PatternRun {
  static constexpr size_t kStackBytes = 64 << 10;
  PLIMSOLL_SITE void FireAndForget() {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, kStackBytes);
    pthread_t worker;
    const int problem = pthread_create(
        &worker, &attributes, [](void*) -> void* { return nullptr; }, nullptr);
    pthread_attr_destroy(&attributes);
    CheckThread(problem, "pthread_create");
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { FireAndForget(); }
};

// A watchdog for every fourth request sleeps on, detached.
struct WatchdogsKept : PatternRun {
  PLIMSOLL_SITE void StartWatchdog() {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 64 << 10);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_t watchdog;
    const int problem = pthread_create(
        &watchdog, &attributes,
        [](void*) -> void* {
          while (true) pause();
        },
        nullptr);
    pthread_attr_destroy(&attributes);
    CheckThread(problem, "pthread_create");
    PLIMSOLL_SITE_END();
  }
  void Iterate() override {
    if (++iteration % 4 == 0) StartWatchdog();
  }
  uint64_t iteration = 0;
};

constexpr ResourceKind kHeap = ResourceKind::kHeap;

constexpr Pattern kPatterns[] = {
    {"scratch_per_thread", false, kHeap, 4096, 1, "AttachScratch", "onnxruntime #8245",
     MakeRun<ScratchPerThread>},
    {"executor_ids_kept", false, kHeap, 32, 1, "RememberExecutor", "openvino PR 19832",
     MakeRun<ExecutorIdsKept>},
    {"thread_local_lost", false, kHeap, 2048, 1, "InitialiseThread",
     "pytorch #24237, #64412, #61920", MakeRun<ThreadLocalLost>},
    {"pool_stacks_kept", false, ResourceKind::kMapping, PoolStacksKept::kStackBytes, 1,
     "ResizePool", "pytorch #41486, #64535, PR 52815", MakeRun<PoolStacksKept>},
    {"stream_hoards", false, kHeap, 12, 0, "FormatName", "pytorch #21537", MakeRun<StreamHoards>},
    {"never_joined", false, ResourceKind::kThread, 0, 1, "FireAndForget",
     "threads that ended and were never joined", MakeRun<NeverJoined>},
    {"watchdogs_kept", false, ResourceKind::kThread, 0, 4, "StartWatchdog",
     "a detached watchdog every 4th", MakeRun<WatchdogsKept>},
};

}  // namespace thread_patterns

std::span<const Pattern> ThreadPatterns() { return thread_patterns::kPatterns; }

}  // namespace plimsoll
