#ifndef ALLOCATORS_WORKSPACE_DEALLOCATOR_QUEUE_H_
#define ALLOCATORS_WORKSPACE_DEALLOCATOR_QUEUE_H_

// Lifetime by reference, as ND4J has it without workspaces: the last handle of an array
// only queues its memory, and a collector frees it some time later. For comparing
// "collected" cycles with workspace cycles. Thread-safe.

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <mutex>
#include <thread>

namespace plimsoll {

struct DeallocatorQueueOptions {
  // Borrowed, thread-safe; null: new and delete.
  std::pmr::memory_resource* upstream = nullptr;
  // A thread of the queue's own frees what is queued. Otherwise only Collect() does, as
  // with a collector that has not run yet.
  bool background = true;
  // Once more than this is queued, who deallocates collects. 0: never.
  uint64_t max_pending_bytes = 0;
};

struct DeallocatorQueueStatistics {
  uint64_t live_bytes = 0;  // handed out and not deallocated
  uint64_t live_blocks = 0;
  uint64_t pending_bytes = 0;  // deallocated and not freed yet
  uint64_t pending_blocks = 0;
  uint64_t peak_pending_bytes = 0;
  uint64_t freed_blocks = 0;  // since the start
  uint64_t collections = 0;   // times that something was freed
};

// As the resource of detached arrays: SetDetachedResource(&queue). As a reclaim hook:
// limit.hooks().Add("deallocator queue", [&](uint64_t) { return queue.Collect(); }).
class DeallocatorQueue final : public std::pmr::memory_resource {
 public:
  explicit DeallocatorQueue(const DeallocatorQueueOptions& options = {});
  // Collects. Aborts if blocks are still live: their handles would come to nothing.
  ~DeallocatorQueue() override;

  // Frees everything that was deallocated before the call, also what the queue's thread
  // has in its hands; returns the bytes that this call freed.
  uint64_t Collect();

  DeallocatorQueueStatistics Statistics() const;

 private:
  // Lies in the memory that waits to be freed, so that queueing allocates nothing.
  struct Node {
    Node* next;
    size_t bytes;
    size_t alignment;
  };

  void* do_allocate(size_t bytes, size_t alignment) override;
  void do_deallocate(void* pointer, size_t bytes, size_t alignment) override;
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return this == &other;
  }

  void RunCollector();
  // Takes the queue, frees it without the lock, and takes the lock again.
  uint64_t FreeQueued(std::unique_lock<std::mutex>& lock);

  std::pmr::memory_resource* const upstream_;
  const uint64_t max_pending_bytes_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Node* queued_ = nullptr;
  uint64_t freeing_ = 0;  // batches that somebody is freeing now
  bool stopping_ = false;
  DeallocatorQueueStatistics statistics_;
  std::thread collector_;  // last: starts when all else is there
};

}  // namespace plimsoll

#endif  // ALLOCATORS_WORKSPACE_DEALLOCATOR_QUEUE_H_
