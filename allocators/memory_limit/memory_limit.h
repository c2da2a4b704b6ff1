#ifndef ALLOCATORS_MEMORY_LIMIT_MEMORY_LIMIT_H_
#define ALLOCATORS_MEMORY_LIMIT_MEMORY_LIMIT_H_

// A line that any number of memory resources may not cross together: bytes that they
// hold, and anonymous memory of the process. Memory is reserved before it is taken, so
// that checking and counting are one step. Thread-safe.

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "allocators/memory_limit/anonymous_memory.h"
#include "allocators/memory_limit/reclaim.h"
#include "base/error.h"

namespace plimsoll {

struct MemoryLimitOptions {
  uint64_t max_bytes = 0;           // held by the resources together; 0: unlimited
  uint64_t max_physical_bytes = 0;  // anonymous RSS of the process; 0: unlimited

  // "max_bytes=8G, max_physical_bytes=12 GiB"; what is left out is unlimited. Error:
  // an unknown name, or a size that does not parse.
  static Expected<MemoryLimitOptions> Parse(std::string_view text);
  // From PLIMSOLL_MAX_BYTES and PLIMSOLL_MAX_PHYSICAL_BYTES ("8G"); unset or empty is
  // unlimited. Error: a value that does not parse, naming the variable.
  static Expected<MemoryLimitOptions> FromEnvironment();
};

class MemoryLimit;

// Somebody who holds memory under a limit, by name. Must not outlive the limit; aborts
// if it ends while it holds something.
class MemoryHolder {
 public:
  MemoryHolder(MemoryLimit& limit, std::string name);
  MemoryHolder(const MemoryHolder&) = delete;
  MemoryHolder& operator=(const MemoryHolder&) = delete;
  ~MemoryHolder();

  const std::string& name() const { return name_; }
  uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  friend class MemoryLimit;
  friend class MemoryReservation;

  MemoryLimit& limit_;
  const std::string name_;
  std::atomic<uint64_t> bytes_{0};
  std::list<const MemoryHolder*>::iterator place_;
};

// What somebody asks for: one part of a reservation.
struct MemoryCharge {
  MemoryHolder* holder;
  uint64_t bytes;
};

// Memory that is counted and not taken yet. Ends by Commit, when it has been taken; or
// else gives the room back. Not thread-safe itself.
class [[nodiscard]] MemoryReservation {
 public:
  MemoryReservation(MemoryReservation&& other) noexcept;
  MemoryReservation& operator=(MemoryReservation&&) = delete;
  ~MemoryReservation();

  // Books every part on its holder.
  void Commit();

 private:
  friend class MemoryLimit;
  MemoryReservation(MemoryLimit* limit, std::span<const MemoryCharge> charges, uint64_t total);

  static constexpr size_t kInline = 4;

  MemoryLimit* limit_;  // null: committed, or moved from
  uint64_t total_;
  size_t count_;
  MemoryCharge few_[kInline];
  std::vector<MemoryCharge> many_;  // instead of few_ when there are more
};

struct MemoryLimitStatistics {
  struct Holder {
    std::string name;
    uint64_t bytes;
  };
  uint64_t in_use = 0;          // bytes reserved or held
  uint64_t peak = 0;            // highest in_use
  uint64_t reclaims = 0;        // times the hooks were asked
  uint64_t reclaimed = 0;       // bytes that they gave back
  uint64_t refused = 0;         // requests that ended in an error
  std::vector<Holder> holders;  // largest first
};

class MemoryLimit {
 public:
  // `memory` is borrowed; null: /proc/self. Error: a physical limit where anonymous
  // memory cannot be measured.
  static Expected<std::unique_ptr<MemoryLimit>> Create(const MemoryLimitOptions& options,
                                                       AnonymousMemory* memory = nullptr);
  MemoryLimit(const MemoryLimit&) = delete;
  MemoryLimit& operator=(const MemoryLimit&) = delete;
  ~MemoryLimit();

  const MemoryLimitOptions& options() const { return options_; }
  ReclaimHooks& hooks() { return hooks_; }

  // Counts all of the charges in, or none. Over a limit: asks the reclaim hooks and
  // tries again after each; then an error with the size asked for, both uses and
  // limits, the thread and the top holders. The physical limit holds for what is
  // resident now and for what is reserved and not committed; memory that was committed
  // and never touched is not resident.
  Expected<MemoryReservation> Reserve(std::span<const MemoryCharge> charges);
  Expected<MemoryReservation> Reserve(MemoryHolder& holder, uint64_t bytes);

  // Takes committed bytes off their holder.
  void Release(MemoryHolder& holder, uint64_t bytes);

  uint64_t in_use() const { return in_use_.load(std::memory_order_relaxed); }
  MemoryLimitStatistics Statistics() const;

 private:
  friend class MemoryHolder;
  friend class MemoryReservation;

  MemoryLimit(const MemoryLimitOptions& options, AnonymousMemory* memory);

  enum class Obstacle { kNone, kBytes, kPhysical, kUnmeasured };

  // Counts `total` in if it fits now.
  Obstacle Take(uint64_t total);
  Obstacle TakePhysical(uint64_t total);
  void GiveBack(uint64_t total, bool pending);
  std::vector<MemoryLimitStatistics::Holder> HoldersBySize() const;
  Error Refusal(Obstacle obstacle, uint64_t total, const std::vector<ReclaimHooks::Yield>& yields);

  const MemoryLimitOptions options_;
  ProcAnonymousMemory proc_;
  AnonymousMemory& memory_;
  ReclaimHooks hooks_;

  std::atomic<uint64_t> in_use_{0};
  std::atomic<uint64_t> peak_{0};
  std::atomic<uint64_t> reclaims_{0};
  std::atomic<uint64_t> reclaimed_{0};
  std::atomic<uint64_t> refused_{0};

  std::mutex physical_mutex_;
  uint64_t pending_ = 0;  // reserved, not committed; counted under a physical limit only

  mutable std::mutex holders_mutex_;
  std::list<const MemoryHolder*> holders_;
};

}  // namespace plimsoll

#endif  // ALLOCATORS_MEMORY_LIMIT_MEMORY_LIMIT_H_
