// Threads: from pthread_create until joined, or ended detached.

#include <errno.h>
#include <pthread.h>
#include <threads.h>

#include "harness/ledger/interpose.h"
#include "harness/ledger/own_memory.h"

namespace plimsoll::ledger {
namespace {

// What a new thread needs; its own copy, since the creator may be gone first. Result:
// void* for POSIX threads, int for C11's.
template <typename Result>
struct Start {
  Result (*run)(void*);
  void* argument;
  uint32_t slot;
};

std::atomic<uint32_t> has_key{0};
pthread_key_t ended_key;
SpinLock key_lock;

void ThreadEnded(void* slot) {
  if (state.threads.Ended(static_cast<uint32_t>(reinterpret_cast<uint64_t>(slot)))) {
    state.counters.Held(ResourceKind::kThread, 0, -1);
  }
}

template <typename Result>
Result Run(void* start_pointer) {
  Start<Result> start;
  {
    Suppress own;
    start = *static_cast<Start<Result>*>(start_pointer);
    UnmapOwn(start_pointer, sizeof start);
    state.threads.Started(start.slot, pthread_self());
    // A destructor also sees pthread_exit and cancellation.
    pthread_setspecific(ended_key, reinterpret_cast<void*>(uint64_t{start.slot}));
  }
  return start.run(start.argument);
}

bool HaveKey() {
  if (has_key.load(std::memory_order_acquire) != 0) return true;
  Locked locked(key_lock);
  if (has_key.load(std::memory_order_relaxed) != 0) return true;
  if (pthread_key_create(&ended_key, &ThreadEnded) != 0) return false;
  has_key.store(1, std::memory_order_release);
  return true;
}

// next(run, argument) starts `*thread` and returns 0 when it did.
template <typename Result, typename Next>
int Create(const pthread_t* thread, Result (*run)(void*), void* argument, bool detached,
           const void* frame, Next next) {
  if (Suppressed() || CalledByAllocator(frame) || !HaveKey()) return next(run, argument);
  const Birth birth = BirthHere(ResourceKind::kThread, frame);
  const uint32_t slot = birth.site == 0 ? Threads::kNone : state.threads.Starting(birth, detached);
  auto* start =
      slot == Threads::kNone ? nullptr : static_cast<Start<Result>*>(MapOwn(sizeof(Start<Result>)));
  if (start == nullptr) {
    if (slot != Threads::kNone) state.threads.Cancelled(slot);
    state.counters.Untracked();
    return next(run, argument);
  }
  *start = {run, argument, slot};
  state.counters.Held(ResourceKind::kThread, 0, 1);
  const int error = next(&Run<Result>, start);
  if (error != 0) {
    state.threads.Cancelled(slot);
    state.counters.Held(ResourceKind::kThread, 0, -1);
    UnmapOwn(start, sizeof *start);
  } else if (!detached) {
    // It may be joined before it has run. (Detached, it may be gone.)
    state.threads.Started(slot, *thread);
  }
  return error;
}

// After a join that succeeded. The slot is found before it: afterwards the thread's name
// may be another's.
void Joined(uint32_t slot) {
  if (state.threads.Joined(slot)) state.counters.Held(ResourceKind::kThread, 0, -1);
}

}  // namespace
}  // namespace plimsoll::ledger

using plimsoll::ledger::Joined;
using plimsoll::ledger::state;

PLIMSOLL_INTERPOSED int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                                       void* (*run)(void*), void* argument) noexcept {
  int detach_state = PTHREAD_CREATE_JOINABLE;
  if (attributes != nullptr) pthread_attr_getdetachstate(attributes, &detach_state);
  auto* next = PLIMSOLL_NEXT(pthread_create);
  return plimsoll::ledger::Create(
      thread, run, argument, detach_state == PTHREAD_CREATE_DETACHED, PLIMSOLL_FRAME,
      [=](void* (*start)(void*), void* its) { return next(thread, attributes, start, its); });
}

PLIMSOLL_INTERPOSED int pthread_join(pthread_t thread, void** result) {
  const uint32_t slot = state.threads.Find(thread);
  const int error = PLIMSOLL_NEXT(pthread_join)(thread, result);
  if (error == 0) Joined(slot);
  return error;
}

PLIMSOLL_INTERPOSED int pthread_tryjoin_np(pthread_t thread, void** result) noexcept {
  const uint32_t slot = state.threads.Find(thread);
  const int error = PLIMSOLL_NEXT(pthread_tryjoin_np)(thread, result);
  if (error == 0) Joined(slot);
  return error;
}

PLIMSOLL_INTERPOSED int pthread_timedjoin_np(pthread_t thread, void** result,
                                             const timespec* deadline) {
  const uint32_t slot = state.threads.Find(thread);
  const int error = PLIMSOLL_NEXT(pthread_timedjoin_np)(thread, result, deadline);
  if (error == 0) Joined(slot);
  return error;
}

PLIMSOLL_INTERPOSED int pthread_clockjoin_np(pthread_t thread, void** result, clockid_t clock,
                                             const timespec* deadline) {
  const uint32_t slot = state.threads.Find(thread);
  const int error = PLIMSOLL_NEXT(pthread_clockjoin_np)(thread, result, clock, deadline);
  if (error == 0) Joined(slot);
  return error;
}

PLIMSOLL_INTERPOSED int pthread_detach(pthread_t thread) noexcept {
  // Before the call: afterwards the thread may end and its name be reused.
  const uint32_t slot = state.threads.Find(thread);
  if (state.threads.Detached(slot)) {
    state.counters.Held(plimsoll::ResourceKind::kThread, 0, -1);
  }
  return PLIMSOLL_NEXT(pthread_detach)(thread);
}

PLIMSOLL_INTERPOSED int thrd_create(thrd_t* thread, thrd_start_t run, void* argument) {
  auto* next = PLIMSOLL_NEXT(thrd_create);
  static_assert(thrd_success == 0);
  return plimsoll::ledger::Create(
      thread, run, argument, false, PLIMSOLL_FRAME,
      [=](int (*start)(void*), void* its) { return next(thread, start, its); });
}

PLIMSOLL_INTERPOSED int thrd_detach(thrd_t thread) {
  if (state.threads.Detached(state.threads.Find(thread))) {
    state.counters.Held(plimsoll::ResourceKind::kThread, 0, -1);
  }
  return PLIMSOLL_NEXT(thrd_detach)(thread);
}

PLIMSOLL_INTERPOSED int thrd_join(thrd_t thread, int* result) {
  const uint32_t slot = state.threads.Find(thread);
  const int status = PLIMSOLL_NEXT(thrd_join)(thread, result);
  if (status == thrd_success) Joined(slot);
  return status;
}
