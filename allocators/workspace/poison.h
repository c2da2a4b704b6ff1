#ifndef ALLOCATORS_WORKSPACE_POISON_H_
#define ALLOCATORS_WORKSPACE_POISON_H_

// Marks workspace memory that nobody may touch. Under ASan a touch is reported where
// it happens; elsewhere these calls cost nothing. Thread-safe on disjoint ranges.

#include <cstddef>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PLIMSOLL_ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define PLIMSOLL_ASAN 1
#endif

#if defined(PLIMSOLL_ASAN)
#include <sanitizer/asan_interface.h>
#endif

namespace plimsoll {

// What memory is filled with when a scope ends and byte poisoning is on.
constexpr unsigned char kResetByte = 0xDD;

#if defined(NDEBUG)
constexpr bool kPoisonBytesByDefault = false;
#else
constexpr bool kPoisonBytesByDefault = true;
#endif

inline void PoisonForAsan([[maybe_unused]] const void* data, [[maybe_unused]] size_t bytes) {
#if defined(PLIMSOLL_ASAN)
  __asan_poison_memory_region(data, bytes);
#endif
}

inline void UnpoisonForAsan([[maybe_unused]] const void* data, [[maybe_unused]] size_t bytes) {
#if defined(PLIMSOLL_ASAN)
  __asan_unpoison_memory_region(data, bytes);
#endif
}

}  // namespace plimsoll

#endif  // ALLOCATORS_WORKSPACE_POISON_H_
