#ifndef HARNESS_RUNNER_DECODER_H_
#define HARNESS_RUNNER_DECODER_H_

// Turns the agent's byte stream into samples, snapshots and call stacks. The bytes
// come from a process that may be broken: any input gives events or an error, never
// a crash. Thread-compatible.

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"
#include "harness/runner/wire.h"
#include "harness/sample.h"

namespace plimsoll {

struct Goodbye {};  // the agent's process is about to end

using AgentEvent = std::variant<wire::Hello, Sample, Snapshot, SiteFrames, Module,
                                wire::ArenaMessage, wire::RetentionMessage, Goodbye>;

class Decoder {
 public:
  // Takes `size` bytes and appends the events they complete to `events`. After an
  // error the stream is lost: every later call returns the same error.
  Status Feed(const void* data, size_t size, std::vector<AgentEvent>& events);

 private:
  Status Take(const wire::MessageHeader& header, const char* payload,
              std::vector<AgentEvent>& events);

  std::string pending_;
  Snapshot snapshot_;
  bool in_snapshot_ = false;
  std::string failure_;
};

}  // namespace plimsoll

#endif  // HARNESS_RUNNER_DECODER_H_
