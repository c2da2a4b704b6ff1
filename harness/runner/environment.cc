#include "harness/runner/environment.h"

#include <unistd.h>

#include <cstdlib>

#include "harness/runner/child_process.h"

namespace plimsoll {
namespace {

// DeepRec's recommended settings for jemalloc (its documentation, "Memory optimization").
constexpr char kDeepRecMallocConf[] =
    "background_thread:true,metadata_thp:auto,dirty_decay_ms:20000,muzzy_decay_ms:20000";

std::vector<Environment> MakeEnvironments() {
  return {
      {"glibc", "the C library's malloc as it comes", "", {}, false},
      {"glibc+trim", "malloc_trim(0) after every iteration", "", {}, true},
      {"glibc+tuned",
       "mmap_threshold and trim_threshold raised to 1 GiB: large blocks stay in the heap",
       "",
       {{"GLIBC_TUNABLES",
         "glibc.malloc.mmap_threshold=1073741824:glibc.malloc.trim_threshold=1073741824"}},
       false},
      {"glibc+arena1",
       "one arena for all threads (arena_max=1)",
       "",
       {{"GLIBC_TUNABLES", "glibc.malloc.arena_max=1"}},
       false},
      {"jemalloc", "jemalloc preloaded", "libjemalloc.so.2", {}, false},
      {"jemalloc+deeprec",
       "jemalloc with the MALLOC_CONF that DeepRec recommends",
       "libjemalloc.so.2",
       {{"MALLOC_CONF", kDeepRecMallocConf}},
       false},
      {"tcmalloc", "gperftools' tcmalloc preloaded", "libtcmalloc_minimal.so.4", {}, false},
      {"mimalloc", "mimalloc preloaded", "libmimalloc.so.2.0", {}, false},
      {"valgrind",
       "on Valgrind: blocks that nothing points to any more; what is reachable is not judged",
       "",
       {},
       false,
       {"valgrind", "--leak-check=full", "--num-callers=40",
        "--log-fd=" + std::to_string(kLeakReportFd)}},
  };
}

}  // namespace

const std::vector<Environment>& KnownEnvironments() {
  static const auto* const environments = new std::vector<Environment>(MakeEnvironments());
  return *environments;
}

Expected<Environment> FindEnvironment(std::string_view name) {
  std::string names;
  for (const Environment& environment : KnownEnvironments()) {
    if (environment.name == name) return environment;
    if (!names.empty()) names += ", ";
    names += environment.name;
  }
  return BadValue("", "environment", name, "expected one of " + names);
}

std::optional<std::string> FindLibrary(std::string_view soname) {
  std::string folders;
  if (const char* path = std::getenv("LD_LIBRARY_PATH"); path != nullptr && *path != '\0') {
    folders = std::string(path) + ":";
  }
  folders +=
      "/usr/local/lib:/usr/lib/x86_64-linux-gnu:/lib/x86_64-linux-gnu:"
      "/usr/lib/aarch64-linux-gnu:/lib/aarch64-linux-gnu:/usr/lib64:/lib64:/usr/lib:/lib";
  size_t begin = 0;
  while (begin <= folders.size()) {
    size_t end = folders.find(':', begin);
    if (end == std::string::npos) end = folders.size();
    if (end > begin) {
      const std::string candidate = folders.substr(begin, end - begin) + "/" + std::string(soname);
      if (access(candidate.c_str(), R_OK) == 0) return candidate;
    }
    begin = end + 1;
  }
  return std::nullopt;
}

}  // namespace plimsoll
