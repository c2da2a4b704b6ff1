#ifndef HARNESS_GATE_FINGERPRINT_H_
#define HARNESS_GATE_FINGERPRINT_H_

// What a measurement depends on besides the program: two results are compared only where
// this is the same. Thread-safe.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace plimsoll {

struct Fingerprint {
  std::string os;      // "debian 12"; empty where the system does not say
  std::string kernel;  // "6.1.0-18-amd64"
  std::string arch;    // "x86_64"
  std::string libc;    // "glibc 2.36"
  uint32_t cores = 0;  // that this process may run on
  uint64_t page_size_bytes = 0;
  std::string thp;       // transparent huge pages: "always", "madvise", "never"; empty: none
  std::string compiler;  // "gcc 12.2.0"
  std::string build;     // "opt", "dbg"
  std::optional<std::string> sanitizer;  // "address", "leak", "thread", "undefined"

  friend bool operator==(const Fingerprint&, const Fingerprint&) = default;
};

// When, where and of what a run was made.
struct Context {
  std::string date;  // UTC: "2026-11-21T08:15:00Z"
  std::string host;
  Fingerprint fingerprint;
  std::string commit;  // of the tree under test; empty when it is not in git
  uint64_t seed = 0;
};

// This machine and this build.
Fingerprint ThisFingerprint();

// This run, now. `folder` is in the working tree under test. Runs `git rev-parse`.
Context ThisContext(const std::string& folder, uint64_t seed);

// The name of the baselines that hold for a fingerprint, fit for a folder:
// "debian-12-x86_64-glibc-2.36-2-cores-4-KiB-pages-thp-madvise-opt". Kernel and compiler
// are not in it: they change with every update, and the baseline records them.
std::string FingerprintKey(const Fingerprint& fingerprint);

// The parts of ThisFingerprint that are read from text, for tests with other systems' text.
// /etc/os-release: "debian 12".
std::string OsFromRelease(std::string_view os_release);
// /sys/kernel/mm/transparent_hugepage/enabled: "always [madvise] never" -> "madvise".
std::string ThpFromEnabled(std::string_view enabled);

}  // namespace plimsoll

#endif  // HARNESS_GATE_FINGERPRINT_H_
