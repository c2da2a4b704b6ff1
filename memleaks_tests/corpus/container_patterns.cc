// Planted: containers that stay reachable and only ever grow.

#include <array>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <memory_resource>
#include <set>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "memleaks_tests/corpus/families.h"

namespace plimsoll {
namespace container_patterns {

// The smallest leak there is; its table never moves.
struct OneByte : PatternRun {
  OneByte() { bytes.reserve(1 << 16); }
  PLIMSOLL_SITE void KeepByte() {
    bytes.push_back(std::make_unique<char>('x'));
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { KeepByte(); }
  std::vector<std::unique_ptr<char>> bytes;
};

// Observers subscribe with each model and never unsubscribe.
struct ObserversKept : PatternRun {
  PLIMSOLL_SITE void Subscribe() {
    const std::array<std::byte, 192> context = {};
    observers.emplace_back([context] { (void)context; });
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { Subscribe(); }
  std::list<std::function<void()>> observers;
};

// A log that is kept for a report nobody asks for.
struct LogKept : PatternRun {
  PLIMSOLL_SITE void LogLine() {
    lines.emplace_back("iteration " + std::to_string(count++) + ": the layer fell back to fp32");
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { LogLine(); }
  std::list<std::string> lines;
  int count = 0;
};

// Interned names that are never the same.
struct InternUnique : PatternRun {
  PLIMSOLL_SITE void InternName() {
    names.insert("generated/tensor/with/a/long/path/" + std::to_string(count++));
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { InternName(); }
  std::unordered_set<std::string> names;
  int count = 0;
};

// Two requests come in for each one that is served.
struct QueueNeverDrained : PatternRun {
  struct Request {
    std::array<std::byte, 128> body;
  };
  PLIMSOLL_SITE void Enqueue() {
    queue.push_back(std::make_unique<Request>());
    PLIMSOLL_SITE_END();
  }
  void Iterate() override {
    Enqueue();
    Enqueue();
    queue.pop_front();
  }
  std::deque<std::unique_ptr<Request>> queue;
};

// Ids of freed handles, remembered so as never to be used again.
struct FreedIdsKept : PatternRun {
  PLIMSOLL_SITE void RetireHandle() {
    retired.insert(next++);
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { RetireHandle(); }
  std::set<uint64_t> retired;
  uint64_t next = 0;
};

// Errors that are caught and kept "for later".
struct ExceptionsKept : PatternRun {
  PLIMSOLL_SITE void FailQuietly() {
    try {
      throw std::runtime_error("the kernel is not implemented for this layout and type");
    } catch (...) {
      errors.push_back(std::current_exception());
    }
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { FailQuietly(); }
  std::list<std::exception_ptr> errors;
};

// A scratch resource that only the end of the session would release.
struct MonotonicKept : PatternRun {
  PLIMSOLL_SITE void CarveScratch() {
    // Written, so that it is memory and not only addresses.
    *static_cast<char*>(scratch.allocate(200)) = 1;
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { CarveScratch(); }
  std::pmr::monotonic_buffer_resource scratch{1024};
};

// Statistics by request id, in a table that rehashes.
struct StatisticsById : PatternRun {
  PLIMSOLL_SITE void RecordLatency() {
    latency[next++] = 1.5;
    PLIMSOLL_SITE_END();
  }
  void Iterate() override { RecordLatency(); }
  std::unordered_map<uint64_t, double> latency;
  uint64_t next = 0;
};

constexpr ResourceKind kHeap = ResourceKind::kHeap;

constexpr Pattern kPatterns[] = {
    {"one_byte", false, kHeap, 1, 1, "KeepByte", "1 byte per iteration", MakeRun<OneByte>},
    {"observers_kept", false, kHeap, 192, 1, "Subscribe", "callbacks never unregistered",
     MakeRun<ObserversKept>},
    {"log_kept", false, kHeap, 40, 1, "LogLine", "messages kept for a report", MakeRun<LogKept>},
    {"intern_unique", false, kHeap, 36, 1, "InternName", "an intern table of unique names",
     MakeRun<InternUnique>},
    {"queue_never_drained", false, kHeap, 128, 1, "Enqueue", "a producer faster than its consumer",
     MakeRun<QueueNeverDrained>},
    {"freed_ids_kept", false, kHeap, 8, 1, "RetireHandle", "ids kept after their handles died",
     MakeRun<FreedIdsKept>},
    {"exceptions_kept", false, kHeap, 16, 1, "FailQuietly", "stored exceptions",
     MakeRun<ExceptionsKept>},
    {"monotonic_kept", false, kHeap, 200, 0, "CarveScratch", "a monotonic resource never released",
     MakeRun<MonotonicKept>},
    {"statistics_by_id", false, kHeap, 16, 1, "RecordLatency", "a metric labelled by request",
     MakeRun<StatisticsById>},
};

}  // namespace container_patterns

std::span<const Pattern> ContainerPatterns() { return container_patterns::kPatterns; }

}  // namespace plimsoll
