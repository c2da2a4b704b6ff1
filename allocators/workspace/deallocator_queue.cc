#include "allocators/workspace/deallocator_queue.h"

#include <algorithm>
#include <new>
#include <utility>

#include "allocators/workspace/poison.h"
#include "base/check.h"

namespace plimsoll {

DeallocatorQueue::DeallocatorQueue(const DeallocatorQueueOptions& options)
    : upstream_(options.upstream != nullptr ? options.upstream : std::pmr::new_delete_resource()),
      max_pending_bytes_(options.max_pending_bytes) {
  if (options.background) collector_ = std::thread([this] { RunCollector(); });
}

DeallocatorQueue::~DeallocatorQueue() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (collector_.joinable()) collector_.join();
  Collect();
  PLIMSOLL_CHECK(statistics_.live_blocks == 0, "a deallocator queue ended before its arrays");
}

void* DeallocatorQueue::do_allocate(size_t bytes, size_t alignment) {
  void* pointer =
      upstream_->allocate(std::max(bytes, sizeof(Node)), std::max(alignment, alignof(Node)));
  const std::lock_guard lock(mutex_);
  statistics_.live_bytes += bytes;
  ++statistics_.live_blocks;
  return pointer;
}

void DeallocatorQueue::do_deallocate(void* pointer, size_t bytes, size_t alignment) {
  const size_t taken = std::max(bytes, sizeof(Node));
  auto* node = new (pointer) Node{nullptr, taken, std::max(alignment, alignof(Node))};
  PoisonForAsan(static_cast<std::byte*>(pointer) + sizeof(Node), taken - sizeof(Node));
  std::unique_lock lock(mutex_);
  node->next = std::exchange(queued_, node);
  statistics_.live_bytes -= bytes;
  --statistics_.live_blocks;
  statistics_.pending_bytes += taken;
  ++statistics_.pending_blocks;
  statistics_.peak_pending_bytes =
      std::max(statistics_.peak_pending_bytes, statistics_.pending_bytes);
  if (max_pending_bytes_ > 0 && statistics_.pending_bytes > max_pending_bytes_) {
    FreeQueued(lock);
  } else {
    changed_.notify_one();
  }
}

uint64_t DeallocatorQueue::Collect() {
  std::unique_lock lock(mutex_);
  const uint64_t bytes = FreeQueued(lock);
  changed_.wait(lock, [this] { return freeing_ == 0; });
  return bytes;
}

DeallocatorQueueStatistics DeallocatorQueue::Statistics() const {
  const std::lock_guard lock(mutex_);
  return statistics_;
}

void DeallocatorQueue::RunCollector() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || queued_ != nullptr; });
    if (stopping_) return;
    FreeQueued(lock);
  }
}

uint64_t DeallocatorQueue::FreeQueued(std::unique_lock<std::mutex>& lock) {
  Node* batch = std::exchange(queued_, nullptr);
  if (batch == nullptr) return 0;
  ++freeing_;
  lock.unlock();
  uint64_t bytes = 0;
  uint64_t blocks = 0;
  while (batch != nullptr) {
    const Node node = *batch;
    UnpoisonForAsan(batch, node.bytes);
    upstream_->deallocate(batch, node.bytes, node.alignment);
    bytes += node.bytes;
    ++blocks;
    batch = node.next;
  }
  lock.lock();
  --freeing_;
  statistics_.pending_bytes -= bytes;
  statistics_.pending_blocks -= blocks;
  statistics_.freed_blocks += blocks;
  ++statistics_.collections;
  changed_.notify_all();
  return bytes;
}

}  // namespace plimsoll
