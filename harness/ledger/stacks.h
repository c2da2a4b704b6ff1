#ifndef HARNESS_LEDGER_STACKS_H_
#define HARNESS_LEDGER_STACKS_H_

// Turns the addresses of sites into lines that a person can read, in the parent process.
// Not thread-safe: one thread at a time for each Symbolizer.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "harness/sample.h"

namespace plimsoll::ledger {

// One function active at an address; inlined ones come innermost first.
struct Frame {
  std::string function;  // shortened; empty: unknown
  std::string file;      // shortened; empty: no debug information
  int line = 0;          // 0: unknown
  std::string module;    // file name of the library or program; empty: none
  uint64_t offset = 0;   // from the function's start, or from the module's without one
};

// "Function (file:line)"; without debug information "function+0x12 (libfoo.so.1)", without
// symbols "libfoo.so.1+0x1234", outside any module "0x7f0012345678".
std::string FrameText(const Frame& frame);

class Symbolizer {
 public:
  // Modules as the ledger reports them, or of /proc/PID/maps. A file that cannot be read
  // leaves its frames as module + offset; nothing is fetched over the network.
  explicit Symbolizer(std::vector<Module> modules);
  ~Symbolizer();
  Symbolizer(const Symbolizer&) = delete;
  Symbolizer& operator=(const Symbolizer&) = delete;

  // The functions active at a return address (the call before it is looked up).
  const std::vector<Frame>& Frames(uint64_t return_address);

  // The whole stack, innermost first. Frames of the allocator and of what calls main, a
  // thread or a test are left out, unless nothing else is there.
  std::vector<std::string> Stack(const SiteFrames& site);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace plimsoll::ledger

#endif  // HARNESS_LEDGER_STACKS_H_
