#ifndef STRESS_TESTS_ARENA_PRELOADED_H_
#define STRESS_TESTS_ARENA_PRELOADED_H_

// Where malloc comes from: peers are preloaded, and may fail to be. Thread-safe.

#include <dlfcn.h>

#include <string>

namespace plimsoll {

// The path of the shared object whose malloc this process calls, or "unknown".
inline std::string LibraryOfMalloc() {
  Dl_info info = {};
  ::dladdr(::dlsym(RTLD_DEFAULT, "malloc"), &info);
  return info.dli_fname == nullptr ? "unknown" : info.dli_fname;
}

}  // namespace plimsoll

#endif  // STRESS_TESTS_ARENA_PRELOADED_H_
