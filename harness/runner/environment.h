#ifndef HARNESS_RUNNER_ENVIRONMENT_H_
#define HARNESS_RUNNER_ENVIRONMENT_H_

// What surrounds a case's process: the preloaded malloc, its settings, trimming.
// Everything is in place before exec. Thread-safe: pure functions.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace plimsoll {

struct Environment {
  std::string name;         // "glibc+trim"
  std::string description;  // one line
  std::string library;      // soname of the malloc to preload; empty: the C library's
  std::vector<std::pair<std::string, std::string>> variables;
  bool trim_after_iteration = false;      // malloc_trim(0) (or the allocator's purge) each time
  std::vector<std::string> wrapper = {};  // a program and its options before the command
};

// The environments Plimsoll knows, in the order in which `list` prints them.
const std::vector<Environment>& KnownEnvironments();

// The one called `name`; the error lists the names.
Expected<Environment> FindEnvironment(std::string_view name);

// Where the dynamic linker would find `soname`: LD_LIBRARY_PATH, then the system's
// folders. Absent when it is not installed.
std::optional<std::string> FindLibrary(std::string_view soname);

}  // namespace plimsoll

#endif  // HARNESS_RUNNER_ENVIRONMENT_H_
