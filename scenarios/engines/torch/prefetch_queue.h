#ifndef SCENARIOS_ENGINES_TORCH_PREFETCH_QUEUE_H_
#define SCENARIOS_ENGINES_TORCH_PREFETCH_QUEUE_H_

// An input pipeline's bounded queue: one thread makes items ahead of the one that takes
// them, within a budget of items and bytes. Take() from one thread.

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

namespace plimsoll {

template <typename Item>
class PrefetchQueue {
 public:
  struct Budget {
    size_t items;    // at least 1
    uint64_t bytes;  // no item is begun while as many are held; 0: no bound
  };

  // `make` is called on the producer's thread; what it throws, Take() rethrows.
  PrefetchQueue(Budget budget, std::function<Item()> make,
                std::function<uint64_t(const Item&)> bytes)
      : budget_(budget), make_(std::move(make)), bytes_(std::move(bytes)) {
    producer_ = std::thread([this] { Produce(); });
  }

  ~PrefetchQueue() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    producer_.join();
  }

  PrefetchQueue(const PrefetchQueue&) = delete;
  PrefetchQueue& operator=(const PrefetchQueue&) = delete;

  // Waits for the next item.
  Item Take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !items_.empty() || problem_; });
    if (items_.empty()) std::rethrow_exception(problem_);
    Item item = std::move(items_.front());
    items_.pop_front();
    held_bytes_ -= bytes_(item);
    lock.unlock();
    changed_.notify_all();
    return item;
  }

 private:
  bool HasRoom() const {
    return items_.empty() ||
           (items_.size() < budget_.items && (budget_.bytes == 0 || held_bytes_ < budget_.bytes));
  }

  void Produce() {
    try {
      while (true) {
        {
          std::unique_lock lock(mutex_);
          changed_.wait(lock, [this] { return stopping_ || HasRoom(); });
          if (stopping_) return;
        }
        Item item = make_();
        {
          const std::lock_guard lock(mutex_);
          held_bytes_ += bytes_(item);
          items_.push_back(std::move(item));
        }
        changed_.notify_all();
      }
    } catch (...) {
      {
        const std::lock_guard lock(mutex_);
        problem_ = std::current_exception();
      }
      changed_.notify_all();
    }
  }

  const Budget budget_;
  const std::function<Item()> make_;
  const std::function<uint64_t(const Item&)> bytes_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> items_;
  uint64_t held_bytes_ = 0;
  bool stopping_ = false;
  std::exception_ptr problem_;
  std::thread producer_;  // last: everything above exists before it starts
};

}  // namespace plimsoll

#endif  // SCENARIOS_ENGINES_TORCH_PREFETCH_QUEUE_H_
