#include "allocators/mmap_loader/fault_guard.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <mutex>
#include <string>

#include "allocators/mmap_loader/os.h"
#include "base/check.h"

namespace plimsoll::weights {

// What the handler knows of one guarded mapping. Slots are reused but never freed, so the
// handler can walk the list while guards come and go.
struct FaultGuard::Slot {
  static constexpr size_t kPages = 32;
  static constexpr uint64_t kNone = UINT64_MAX;

  std::atomic<uintptr_t> begin = 0;  // 0: not in use
  std::atomic<uintptr_t> end = 0;
  std::atomic<int> descriptor = -1;
  // Where the file ended when a page beyond was wanted, the least ever seen.
  std::atomic<uint64_t> truncated_at = kNone;
  // Pages that could not be read although the file holds them: the disk failed.
  std::array<std::atomic<uint64_t>, kPages> bad_pages;
  std::atomic<uint32_t> bad_page_count = 0;  // past kPages: every page is suspect
  std::atomic<Slot*> next = nullptr;
};

namespace {

std::atomic<FaultGuard::Slot*> first_slot = nullptr;
std::atomic<size_t> page_size = 0;
struct sigaction previous_action;

void Lower(std::atomic<uint64_t>& value, uint64_t to) {
  uint64_t seen = value.load(std::memory_order_relaxed);
  while (to < seen && !value.compare_exchange_weak(seen, to)) {
  }
}

// Puts zeros where `address` could not be read. False when that is not possible.
bool Replace(FaultGuard::Slot& slot, uintptr_t address) {
  const size_t page = page_size.load(std::memory_order_relaxed);
  const uintptr_t begin = slot.begin.load(std::memory_order_relaxed);
  const uintptr_t end = slot.end.load(std::memory_order_relaxed);
  const uintptr_t first = address / page * page;
  struct stat status;
  if (fstat(slot.descriptor.load(std::memory_order_relaxed), &status) != 0) return false;
  const auto size = static_cast<uint64_t>(status.st_size);
  size_t bytes = page;
  if (size <= first - begin) {
    // Nothing from here to the end of the mapping is in the file any more.
    bytes = end - first;
    Lower(slot.truncated_at, size);
  } else {
    const uint32_t index = slot.bad_page_count.fetch_add(1);
    if (index < FaultGuard::Slot::kPages) slot.bad_pages[index] = first - begin;
  }
  // The bare system call: an interposed mmap (a leak ledger's, a sanitizer's) may take locks.
  // PROT_WRITE, for a private mapping may be faulted by a write.
  const long mapped = syscall(SYS_mmap, first, bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
  return mapped == static_cast<long>(first);
}

void OnBusError(int signal, siginfo_t* info, void* context) {
  const int saved_errno = errno;
  const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  for (FaultGuard::Slot* slot = first_slot.load(); slot != nullptr; slot = slot->next.load()) {
    if (address < slot->begin.load() || address >= slot->end.load()) continue;
    if (!Replace(*slot, address)) break;
    errno = saved_errno;
    return;
  }
  errno = saved_errno;
  if (previous_action.sa_flags & SA_SIGINFO) {
    previous_action.sa_sigaction(signal, info, context);
  } else if (previous_action.sa_handler != SIG_DFL && previous_action.sa_handler != SIG_IGN) {
    previous_action.sa_handler(signal);
  } else {
    // Returning repeats the access, now under the default action.
    sigaction(signal, &previous_action, nullptr);
  }
}

void InstallHandler() {
  page_size = PageSize();
  struct sigaction action = {};
  action.sa_sigaction = OnBusError;
  action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  PLIMSOLL_CHECK(sigaction(SIGBUS, &action, &previous_action) == 0, "SIGBUS can be handled");
}

std::mutex& SlotsMutex() {
  static std::mutex mutex;
  return mutex;
}

FaultGuard::Slot* TakeSlot() {
  for (FaultGuard::Slot* slot = first_slot.load(); slot != nullptr; slot = slot->next.load()) {
    if (slot->begin.load() == 0) return slot;
  }
  auto* slot = new FaultGuard::Slot;
  slot->next = first_slot.load();
  first_slot = slot;
  return slot;
}

}  // namespace

FaultGuard::FaultGuard(std::byte* data, size_t bytes, int descriptor)
    : slot_([&] {
        static std::once_flag installed;
        std::call_once(installed, InstallHandler);
        const std::lock_guard lock(SlotsMutex());
        Slot* slot = TakeSlot();
        slot->descriptor = descriptor;
        slot->truncated_at = Slot::kNone;
        for (auto& page : slot->bad_pages) page = Slot::kNone;
        slot->bad_page_count = 0;
        slot->end = reinterpret_cast<uintptr_t>(data) + bytes;
        slot->begin = reinterpret_cast<uintptr_t>(data);
        return slot;
      }()) {}

FaultGuard::~FaultGuard() {
  const std::lock_guard lock(SlotsMutex());
  slot_->begin = 0;
  slot_->end = 0;
}

bool FaultGuard::damaged() const {
  return slot_->truncated_at.load() != Slot::kNone || slot_->bad_page_count.load() != 0;
}

Status FaultGuard::Check(const char* path, uint64_t offset, uint64_t bytes) const {
  if (!damaged()) return {};
  const uint64_t end = offset + bytes;
  if (const uint64_t at = slot_->truncated_at.load(); end > at) {
    return BadValue(path, "file size in bytes", std::to_string(at),
                    "expected at least " + std::to_string(end) +
                        ": the file shrank while it was mapped, and zeros stand for the rest");
  }
  const uint32_t count = slot_->bad_page_count.load();
  for (uint32_t i = 0; i < std::min<size_t>(count, Slot::kPages); ++i) {
    const uint64_t page = slot_->bad_pages[i].load();
    if (page >= end || page + PageSize() <= offset) continue;
    return BadValue(path, "page at offset", std::to_string(page),
                    "expected a page that can be read: the disk failed, and zeros stand for it");
  }
  if (count > Slot::kPages) {
    return BadValue(
        path, "pages that cannot be read", std::to_string(count),
        "expected at most " + std::to_string(Slot::kPages) + " to tell which tensors are whole");
  }
  return {};
}

}  // namespace plimsoll::weights
