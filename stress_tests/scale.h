#ifndef STRESS_TESTS_SCALE_H_
#define STRESS_TESTS_SCALE_H_

// How much stress a build can take: the one place where counts shrink under sanitizers,
// which slow everything down. Pure functions: thread-safe.

#include <cstdint>

namespace plimsoll {

#if defined(__SANITIZE_THREAD__)
inline constexpr int64_t kSlowdown = 40;
#elif defined(__SANITIZE_ADDRESS__)
inline constexpr int64_t kSlowdown = 10;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
inline constexpr int64_t kSlowdown = 40;
#elif __has_feature(address_sanitizer)
inline constexpr int64_t kSlowdown = 10;
#else
inline constexpr int64_t kSlowdown = 1;
#endif
#else
inline constexpr int64_t kSlowdown = 1;
#endif

// `count` on a plain build, fewer under a sanitizer, at least 1.
constexpr int64_t Scaled(int64_t count) { return count / kSlowdown > 0 ? count / kSlowdown : 1; }

}  // namespace plimsoll

#endif  // STRESS_TESTS_SCALE_H_
