#ifndef ALLOCATORS_MEMORY_LIMIT_ANONYMOUS_MEMORY_H_
#define ALLOCATORS_MEMORY_LIMIT_ANONYMOUS_MEMORY_H_

// How much anonymous memory of this process is resident: what a physical limit counts,
// because file pages can be dropped and read again. Implementations are thread-safe.

#include <atomic>
#include <cstdint>

#include "base/error.h"

namespace plimsoll {

class AnonymousMemory {
 public:
  virtual ~AnonymousMemory() = default;

  // Bytes, quickly (0.4 us): off by up to a few hundred KiB per CPU on kernels >= 6.2.
  virtual Expected<uint64_t> Approximate() = 0;
  // Bytes, exactly (11 us and up: the kernel walks the page tables).
  virtual Expected<uint64_t> Exact() = 0;
};

// Reads /proc/self: statm (resident less shared) and smaps_rollup ("Anonymous:"). Held
// descriptors, no allocation on success; notices a fork.
class ProcAnonymousMemory final : public AnonymousMemory {
 public:
  ProcAnonymousMemory() = default;
  ProcAnonymousMemory(const ProcAnonymousMemory&) = delete;
  ProcAnonymousMemory& operator=(const ProcAnonymousMemory&) = delete;
  ~ProcAnonymousMemory() override;

  Expected<uint64_t> Approximate() override;
  Expected<uint64_t> Exact() override;

 private:
  // A file of /proc/self, opened for the process that asks: a descriptor that a forked
  // child inherits still reads its parent.
  struct HeldFile {
    const char* path;
    std::atomic<uint64_t> process_and_descriptor{0};  // 0: not open
  };
  static Expected<int> Descriptor(HeldFile& file);

  HeldFile statm_{"/proc/self/statm"};
  HeldFile rollup_{"/proc/self/smaps_rollup"};
};

}  // namespace plimsoll

#endif  // ALLOCATORS_MEMORY_LIMIT_ANONYMOUS_MEMORY_H_
