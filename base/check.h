#ifndef BASE_CHECK_H_
#define BASE_CHECK_H_

// What to do about a broken invariant: say where and why, and abort. Thread-safe.

#include <cstdio>
#include <cstdlib>

namespace plimsoll {

[[noreturn]] inline void CheckFailed(const char* file, int line, const char* condition,
                                     const char* why) {
  std::fprintf(stderr, "%s:%d: broken invariant: %s: %s\n", file, line, condition, why);
  std::abort();
}

}  // namespace plimsoll

// Aborts with file and line unless `condition` holds, in every build. Does not allocate.
#define PLIMSOLL_CHECK(condition, why) \
  ((condition) ? static_cast<void>(0)  \
               : ::plimsoll::CheckFailed(__FILE__, __LINE__, #condition, why))

#endif  // BASE_CHECK_H_
