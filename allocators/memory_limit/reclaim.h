#ifndef ALLOCATORS_MEMORY_LIMIT_RECLAIM_H_
#define ALLOCATORS_MEMORY_LIMIT_RECLAIM_H_

// Who can give memory back when a limit is reached, and how to ask. Thread-safe: hooks
// are called on the thread that hit the limit, one caller of a hook at a time.

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace plimsoll {

class ReclaimHooks {
 public:
  // Gives back what it can, best `wanted` bytes or more; returns the bytes. May allocate
  // through the limit, which then does not reclaim again. Must not throw.
  using Hook = std::function<uint64_t(uint64_t wanted)>;

  // What one hook gave back.
  struct Yield {
    std::string name;
    uint64_t bytes;
  };

 private:
  struct Entry;

 public:
  // Keeps a hook registered. Its end waits for a call that is under way.
  class [[nodiscard]] Registration {
   public:
    Registration() = default;
    Registration(Registration&&) noexcept = default;
    Registration& operator=(Registration&& other) noexcept;
    ~Registration() { Remove(); }

    void Remove() noexcept;

   private:
    friend class ReclaimHooks;
    explicit Registration(std::shared_ptr<Entry> entry) : entry_(std::move(entry)) {}
    std::shared_ptr<Entry> entry_;
  };

  // Hooks are asked in the order in which they came.
  Registration Add(std::string name, Hook hook);

  // Asks one hook after the other until `enough()`. Asks nobody, and returns nothing,
  // while this thread is inside a hook.
  std::vector<Yield> Run(uint64_t wanted, const std::function<bool()>& enough);

 private:
  std::mutex mutex_;
  std::vector<std::weak_ptr<Entry>> entries_;
};

// malloc_trim(0): free pages of the C library's heaps go back to the kernel. Helps a
// physical limit only. Returns by how much anonymous memory shrank.
ReclaimHooks::Hook TrimMallocHook();

}  // namespace plimsoll

#endif  // ALLOCATORS_MEMORY_LIMIT_RECLAIM_H_
