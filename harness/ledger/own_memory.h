#ifndef HARNESS_LEDGER_OWN_MEMORY_H_
#define HARNESS_LEDGER_OWN_MEMORY_H_

// Memory, locks and system calls for code that lives inside malloc: straight from the
// kernel, past every interposed function. Thread-safe.

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace plimsoll::ledger {

constexpr size_t kPageBytes = 4096;

// Zeroed address space, made resident page by page as it is touched (never by huge pages).
// Null when the kernel refuses.
void* MapOwn(size_t bytes);
void UnmapOwn(void* address, size_t bytes);

// What OwnBytes() reports: whoever touches own memory for the first time adds it here.
void AddOwnBytes(int64_t bytes);
uint64_t TouchedOwnBytes();

// The kernel's process id, not a cached one: differs from Process() in a vfork child.
int KernelProcessId();

// A lock for short sections that contain no call out of the ledger.
class SpinLock {
 public:
  void Lock();
  void Unlock() { locked_.store(0, std::memory_order_release); }

 private:
  std::atomic<uint32_t> locked_{0};
};

class Locked {
 public:
  explicit Locked(SpinLock& lock) : lock_(lock) { lock_.Lock(); }
  ~Locked() { lock_.Unlock(); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

 private:
  SpinLock& lock_;
};

// A fixed-capacity array in own memory, mapped at first use.
template <typename T>
class OwnArray {
 public:
  // Null when the kernel refuses the mapping.
  T* Get(size_t capacity) {
    T* array = array_.load(std::memory_order_acquire);
    return array != nullptr ? array : Map(capacity);
  }
  // Null before the first Get.
  T* IfMapped() const { return array_.load(std::memory_order_acquire); }

 private:
  T* Map(size_t capacity) {
    T* fresh = static_cast<T*>(MapOwn(capacity * sizeof(T)));
    if (fresh == nullptr) return nullptr;
    T* expected = nullptr;
    if (array_.compare_exchange_strong(expected, fresh, std::memory_order_acq_rel)) return fresh;
    UnmapOwn(fresh, capacity * sizeof(T));
    return expected;
  }
  std::atomic<T*> array_{nullptr};
};

}  // namespace plimsoll::ledger

#endif  // HARNESS_LEDGER_OWN_MEMORY_H_
