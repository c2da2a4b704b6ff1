#ifndef ALLOCATORS_MMAP_LOADER_PAGE_CACHE_COUNTERS_H_
#define ALLOCATORS_MMAP_LOADER_PAGE_CACHE_COUNTERS_H_

// Running totals of a loader, shared by all its files. Thread-safe.

#include <atomic>
#include <cstdint>

namespace plimsoll::weights {

// A level and the highest it ever had, in bytes or pieces.
class Gauge {
 public:
  void Add(uint64_t amount) { AddWithin(amount, UINT64_MAX); }
  // Adds unless the level would pass `limit`; says whether it did.
  bool AddWithin(uint64_t amount, uint64_t limit) {
    uint64_t now = level_.load(std::memory_order_relaxed);
    do {
      if (now > limit || amount > limit - now) return false;
    } while (!level_.compare_exchange_weak(now, now + amount, std::memory_order_relaxed));
    now += amount;
    uint64_t seen = peak_.load(std::memory_order_relaxed);
    while (now > seen && !peak_.compare_exchange_weak(seen, now, std::memory_order_relaxed)) {
    }
    return true;
  }
  void Subtract(uint64_t amount) { level_.fetch_sub(amount, std::memory_order_relaxed); }
  uint64_t level() const { return level_.load(std::memory_order_relaxed); }
  uint64_t peak() const { return peak_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> level_ = 0;
  std::atomic<uint64_t> peak_ = 0;
};

struct Counters {
  Gauge mapped_bytes;  // address space of mapped files
  Gauge mappings;      // and how many
  Gauge loaded_bytes;  // of the reading modes: pages that hold a file's bytes
  Gauge locked_bytes;
  Gauge tensors;                   // handles
  std::atomic<uint64_t> hits = 0;  // a file that was already mapped or read
  std::atomic<uint64_t> misses = 0;
  std::atomic<uint64_t> returned_bytes = 0;  // pages given back before the file was closed
};

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_PAGE_CACHE_COUNTERS_H_
