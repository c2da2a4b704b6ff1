#ifndef HARNESS_RUNNER_WIRE_H_
#define HARNESS_RUNNER_WIRE_H_

// The messages between the agent inside a case's process and the harness outside.
//
// Both ends are built together and run on one machine, so integers travel in host
// order. A message is a MessageHeader and `size` bytes. This header is shared with
// the agent, which may not allocate: the structs are plain integers and any bit
// pattern is a valid value. Decoding is in decoder.h. Thread-compatible.
//
// Order of a run: the agent says Hello; the harness answers Continue with the next
// look; the agent sends a Sample per iteration; at a look it sends a snapshot
// (SnapshotBegin, then Site and Epoch rows, then SnapshotEnd) and waits for
// commands: any number of SendFrames, SendModules, SendRetention and CaptureStacks, each of the
// first three answered at once, then Continue or Stop. Goodbye, sent at the process's normal
// end before a Stop came, waits for commands in the same way. Between an iteration's end and
// the next, an agent that takes remote marks may be sent Mark, which ends the iteration.

#include <cstddef>
#include <cstdint>

#include "harness/sample.h"

namespace plimsoll::wire {

constexpr uint32_t kVersion = 1;
constexpr size_t kMaxPayload = 8192;
constexpr size_t kMaxFrames = 128;
constexpr size_t kMaxPath = 4096;
constexpr size_t kMaxFloorPoints = 16;

enum class MessageType : uint32_t {
  // agent to harness
  kHello = 1,
  kSample,
  kSnapshotBegin,
  kSite,
  kEpoch,
  kSnapshotEnd,
  kFrames,
  kModule,
  kRetention,
  kGoodbye,
  kArena,
  // harness to agent
  kContinue = 64,
  kStop,
  kSendFrames,
  kSendModules,
  kSendRetention,
  kCaptureStacks,
  kMark,
};

struct MessageHeader {
  uint32_t type;
  uint32_t size;
};

struct Hello {
  uint32_t version;
  uint32_t pid;
  uint32_t has_ledger;  // 0: only the kernel's counters are known
};

constexpr size_t kCountFields = 20;  // the Count members of ProcessCounters, in order

struct SampleMessage {
  uint32_t iteration;
  uint32_t hwm_is_per_iteration;
  uint64_t nanoseconds;
  uint64_t present;  // bit i: counts[i] was measured
  uint64_t counts[kCountFields];
  uint64_t has_ledger;
  uint64_t held[2 * kResourceKinds];  // bytes, blocks
  uint64_t peak_heap_bytes;
  uint64_t allocation_calls;
  uint64_t untracked_blocks;
  uint64_t harness_bytes;
};

SampleMessage Encode(const Sample& sample);
Sample Decode(const SampleMessage& message);

struct SnapshotBegin {
  uint32_t iteration;
};

struct SiteMessage {
  uint32_t kind;
  uint32_t site;
  uint64_t live_blocks;
  uint64_t live_bytes;
  uint64_t floor_blocks;
  uint64_t floor_bytes;
};

// Belongs to the SiteMessage before it.
struct EpochMessage {
  uint32_t epoch;
  uint32_t unused;
  uint64_t blocks;
  uint64_t bytes;
};

struct SnapshotEnd {
  uint32_t complete;
};

// Followed by `count` addresses of 8 bytes.
struct FramesMessage {
  uint32_t site;
  uint32_t count;
};

// Followed by `path_size` bytes of path.
struct ModuleMessage {
  uint64_t start;
  uint64_t end;
  uint64_t offset;
  uint32_t path_size;
  uint32_t unused;
};

// What malloc gave back when asked to (malloc_trim, or the allocator's own purge).
// UINT64_MAX: not measured.
struct RetentionMessage {
  uint64_t rss_anon_before_bytes;
  uint64_t rss_anon_after_bytes;
  uint64_t stack_bytes;  // resident
  uint32_t purge;        // which Purge was done in between
  uint32_t unused;
};

// One of glibc's arenas, the main one first; they come before the RetentionMessage, and only
// where malloc is glibc's.
struct ArenaMessage {
  uint64_t system_bytes;
  uint64_t free_bytes;
};

enum class Purge : uint32_t { kMallocTrim, kJemallocPurge, kTcmallocRelease, kMimallocCollect };

// iteration numbers count from 1, warm-up included.
struct ContinueMessage {
  uint32_t next_look;
  uint32_t fold_through;  // epochs up to this one are reported together
  uint32_t floor_point_count;
  uint32_t floor_points[kMaxFloorPoints];
};

struct SendFramesMessage {
  uint32_t site;
};

struct CaptureStacksMessage {
  uint32_t full;  // 1: full call stacks from now on; 0: only the caller
};

}  // namespace plimsoll::wire

#endif  // HARNESS_RUNNER_WIRE_H_
