#include "harness/runner/agent.h"

#include <dlfcn.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <type_traits>

#include "harness/ledger/direct_leaks.h"
#include "harness/ledger/ledger.h"
#include "harness/probe/arenas.h"
#include "harness/probe/process_probe.h"
#include "harness/probe/stacks.h"
#include "harness/runner/mark_descriptor.h"
#include "harness/runner/wire.h"

namespace plimsoll {
namespace {

using wire::MessageType;

// No message waits longer than an iteration: the buffer is flushed at each one's end.
constexpr size_t kBufferBytes = size_t{64} << 10;
constexpr size_t kMostArenas = 256;

struct Agent {
  int fd = -1;
  int direct_leaks_fd = -1;  // where a leak checker reports lost blocks
  PlimsollChannel channel = {};
  bool connected = false;
  bool greeted = false;
  bool trim = false;
  bool full_samples = false;  // at each iteration's end, not only at looks
  bool remote = false;        // takes marks in a thread of its own
  bool enough = false;        // the harness said Stop
  pid_t pid = 0;
  uint32_t iteration = 0;
  // The ledger's epoch before the first iteration: 0 for a case's own process, later
  // for one that connects in mid-life. The harness counts from 1.
  uint32_t base_epoch = 0;
  wire::ContinueMessage plan = {};
  size_t buffered = 0;
};

// The constructor below may run before this file's dynamic initialisation would.
constinit Agent agent;
constinit ProcessProbe probe;
// Iterations end one at a time: in a thread of the program's or in the remote thread.
constinit pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

class Lock {
 public:
  Lock() { pthread_mutex_lock(&one_at_a_time); }
  ~Lock() { pthread_mutex_unlock(&one_at_a_time); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
};

alignas(8) char buffer[kBufferBytes];

// Raw system calls: the interposed write would look for marks, and a cancelled
// thread must not stop in the middle of a message.
bool WriteAll(const char* data, size_t size) {
  if (agent.channel.write != nullptr) {
    agent.channel.write(agent.channel.context, data, size);
    return true;
  }
  while (size > 0) {
    const long written =
        syscall(SYS_sendto, agent.fd, data, size, 0x4000 /* MSG_NOSIGNAL */, nullptr, 0);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    data += written;
    size -= static_cast<size_t>(written);
  }
  return true;
}

bool ReadAll(void* data, size_t size) {
  if (agent.channel.read != nullptr) return agent.channel.read(agent.channel.context, data, size);
  char* to = static_cast<char*>(data);
  while (size > 0) {
    const long got = syscall(SYS_read, agent.fd, to, size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    to += got;
    size -= static_cast<size_t>(got);
  }
  return true;
}

void Flush() {
  if (agent.buffered == 0) return;
  if (!WriteAll(buffer, agent.buffered)) agent.connected = false;
  agent.buffered = 0;
}

void Put(MessageType type, const void* payload, size_t size, const void* more = nullptr,
         size_t more_size = 0) {
  const wire::MessageHeader header = {static_cast<uint32_t>(type),
                                      static_cast<uint32_t>(size + more_size)};
  if (agent.buffered + sizeof(header) + size + more_size > kBufferBytes) Flush();
  char* to = buffer + agent.buffered;
  std::memcpy(to, &header, sizeof(header));
  if (size > 0) std::memcpy(to + sizeof(header), payload, size);
  if (more_size > 0) std::memcpy(to + sizeof(header) + size, more, more_size);
  agent.buffered += sizeof(header) + size + more_size;
}

// How the malloc in charge is told to return what was freed but kept to the kernel.
struct FreeMemoryCalls {
  int (*jemalloc)(const char*, void*, size_t*, void*, size_t) = nullptr;  // mallctl
  void (*tcmalloc)() = nullptr;
  void (*mimalloc)(bool) = nullptr;
};
FreeMemoryCalls free_memory;

// Once: dlsym allocates when a name is not there.
void FindFreeMemoryCalls() {
  const auto find = [](auto& function, const char* name) {
    function = reinterpret_cast<std::decay_t<decltype(function)>>(dlsym(RTLD_DEFAULT, name));
  };
  find(free_memory.jemalloc, "mallctl");
  find(free_memory.tcmalloc, "MallocExtension_ReleaseFreeMemory");
  find(free_memory.mimalloc, "mi_collect");
}

wire::Purge ReturnFreeMemory() {
  if (free_memory.jemalloc != nullptr) {
    // 4096 is jemalloc's MALLCTL_ARENAS_ALL.
    free_memory.jemalloc("arena.4096.purge", nullptr, nullptr, nullptr, 0);
    return wire::Purge::kJemallocPurge;
  }
  if (free_memory.tcmalloc != nullptr) {
    free_memory.tcmalloc();
    return wire::Purge::kTcmallocRelease;
  }
  if (free_memory.mimalloc != nullptr) {
    free_memory.mimalloc(true);
    return wire::Purge::kMimallocCollect;
  }
  malloc_trim(0);
  return wire::Purge::kMallocTrim;
}

uint64_t Now() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
}

void SendSample(SampleLevel level) {
  Sample sample;
  sample.iteration = agent.iteration;
  sample.nanoseconds = Now();
  sample.process = probe.Sample(level);
  if (agent.remote && sample.process.threads.value_or(0) > 0) --*sample.process.threads;  // ours
  if (ledger::Interposed()) {
    sample.ledger = ledger::Read();
    sample.ledger->harness_bytes = ledger::OwnBytes();
  }
  const wire::SampleMessage message = wire::Encode(sample);
  Put(MessageType::kSample, &message, sizeof(message));
}

void SendSnapshot() {
  const wire::SnapshotBegin begin = {agent.iteration};
  Put(MessageType::kSnapshotBegin, &begin, sizeof(begin));
  ledger::SnapshotVisitor visitor;
  visitor.context = nullptr;
  visitor.site = [](void*, const ledger::SiteRow& row) {
    const wire::SiteMessage message = {static_cast<uint32_t>(row.kind),
                                       row.site,
                                       row.live_blocks,
                                       row.live_bytes,
                                       row.floor_blocks,
                                       row.floor_bytes};
    Put(MessageType::kSite, &message, sizeof(message));
  };
  visitor.epoch = [](void*, const ledger::EpochRow& row) {
    const uint32_t epoch = row.epoch > agent.base_epoch ? row.epoch - agent.base_epoch : 0;
    const wire::EpochMessage message = {epoch, 0, row.blocks, row.bytes};
    Put(MessageType::kEpoch, &message, sizeof(message));
  };
  const wire::SnapshotEnd end = {
      ledger::TakeSnapshot(agent.base_epoch + agent.plan.fold_through, visitor) ? 1u : 0u};
  Put(MessageType::kSnapshotEnd, &end, sizeof(end));
}

void SendFrames(uint32_t site) {
  uint64_t addresses[wire::kMaxFrames];
  const size_t count = ledger::Frames(site, addresses, wire::kMaxFrames);
  const wire::FramesMessage message = {site, static_cast<uint32_t>(count)};
  Put(MessageType::kFrames, &message, sizeof(message), addresses, count * sizeof(addresses[0]));
}

void SendModules() {
  ledger::Modules(nullptr, [](void*, const ledger::ModuleRow& row) {
    const size_t length = strnlen(row.path, wire::kMaxPath);
    const wire::ModuleMessage message = {row.start, row.end, row.offset,
                                         static_cast<uint32_t>(length), 0};
    Put(MessageType::kModule, &message, sizeof(message), row.path, length);
  });
}

// Measures by doing: how much of the resident memory was only being kept.
void SendRetention() {
  const bool is_glibc = free_memory.jemalloc == nullptr && free_memory.tcmalloc == nullptr &&
                        free_memory.mimalloc == nullptr;
  MallocArena arenas[kMostArenas];
  const size_t arena_count = is_glibc ? ReadMallocArenas(arenas, kMostArenas) : 0;
  for (size_t i = 0; i < arena_count; ++i) {
    const wire::ArenaMessage arena = {arenas[i].system_bytes, arenas[i].free_bytes};
    Put(MessageType::kArena, &arena, sizeof(arena));
  }
  const Count stack_bytes = ResidentStackBytes();
  const ProcessCounters before = probe.Sample(SampleLevel::kFull);
  const wire::Purge purge = ReturnFreeMemory();
  const ProcessCounters after = probe.Sample(SampleLevel::kFull);
  constexpr uint64_t kAbsent = UINT64_MAX;
  const wire::RetentionMessage message = {
      before.rss_anon_bytes.value_or(kAbsent), after.rss_anon_bytes.value_or(kAbsent),
      stack_bytes.value_or(kAbsent), static_cast<uint32_t>(purge), 0};
  Put(MessageType::kRetention, &message, sizeof(message));
}

// Obeys the harness until it says how far to go on. Without an answer (the harness
// has gone) the program runs on undisturbed.
void ServeCommands() {
  Flush();
  while (agent.connected) {
    wire::MessageHeader header = {};
    alignas(8) char payload[wire::kMaxPayload];
    if (!ReadAll(&header, sizeof(header)) || header.size > sizeof(payload) ||
        !ReadAll(payload, header.size)) {
      break;
    }
    switch (static_cast<MessageType>(header.type)) {
      case MessageType::kContinue:
        std::memcpy(&agent.plan, payload, sizeof(agent.plan));
        return;
      case MessageType::kStop:
        agent.enough = true;
        return;
      case MessageType::kSendFrames: {
        uint32_t site = 0;
        std::memcpy(&site, payload, sizeof(site));
        SendFrames(site);
        break;
      }
      case MessageType::kSendModules:
        SendModules();
        break;
      case MessageType::kSendRetention:
        SendRetention();
        break;
      case MessageType::kCaptureStacks: {
        uint32_t full = 0;
        std::memcpy(&full, payload, sizeof(full));
        ledger::SetStackMode(full != 0 ? ledger::StackMode::kFull : ledger::StackMode::kCaller);
        break;
      }
      default:  // a mark among them came too late for an iteration of its own
        break;
    }
    Flush();
  }
  agent.connected = false;
  agent.enough = true;
}

void Greet() {
  agent.greeted = true;
  FindFreeMemoryCalls();
  ProbeOptions options;
  options.malloc_entry = dlsym(RTLD_NEXT, "malloc");
  probe = ProcessProbe::ForSelf(options);
  const wire::Hello hello = {wire::kVersion, static_cast<uint32_t>(agent.pid),
                             ledger::Interposed() ? 1u : 0u};
  Put(MessageType::kHello, &hello, sizeof(hello));
  ServeCommands();
}

bool IsFloorPoint(uint32_t iteration) {
  for (uint32_t i = 0; i < agent.plan.floor_point_count && i < wire::kMaxFloorPoints; ++i) {
    if (agent.plan.floor_points[i] == iteration) return true;
  }
  return false;
}

// REQUIRES: one_at_a_time is held.
int EndIteration() {
  if (!agent.connected || agent.enough) return 0;
  if (!agent.greeted) Greet();
  if (!agent.connected) return 0;
  if (agent.trim) ReturnFreeMemory();
  ++agent.iteration;
  const bool look = agent.iteration == agent.plan.next_look;
  if (agent.direct_leaks_fd >= 0) {
    ledger::CheckDirectLeaks(agent.iteration, agent.direct_leaks_fd);
  }
  // Everything once at the first mark and at each look; the cheap part in between.
  const bool full = look || agent.iteration == 1 || agent.full_samples;
  SendSample(full ? SampleLevel::kFull : SampleLevel::kEveryIteration);
  if (look) {
    SendSnapshot();
    ServeCommands();
  } else {
    if (IsFloorPoint(agent.iteration)) ledger::TakeFloor();
    Flush();
  }
  ledger::AdvanceEpoch();
  return agent.enough ? 0 : 1;
}

// Takes marks that the harness sends. Commands are read by whoever ends an iteration.
void* TakeRemoteMarks(void*) {
  const ledger::Suppress suppress;
  for (;;) {
    pollfd readable = {agent.fd, POLLIN, 0};
    if (syscall(SYS_poll, &readable, 1, -1) < 0 && errno != EINTR) return nullptr;
    const Lock lock;
    if (!agent.connected) return nullptr;
    wire::MessageHeader header = {};
    const long got = syscall(SYS_recvfrom, agent.fd, &header, sizeof(header),
                             MSG_PEEK | MSG_DONTWAIT, nullptr, nullptr);
    if (got == 0) {
      agent.connected = false;
      return nullptr;
    }
    if (got != sizeof(header)) continue;
    // Outside an iteration's end nothing but marks is sent.
    if (!ReadAll(&header, sizeof(header)) ||
        static_cast<MessageType>(header.type) != MessageType::kMark || header.size != 0) {
      agent.connected = false;
      return nullptr;
    }
    EndIteration();
  }
}

void StartRemoteThread() {
  const ledger::Suppress suppress;
  // The program's signals are for its own threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, size_t{256} << 10);
  pthread_t thread;
  agent.remote = pthread_create(&thread, &attributes, TakeRemoteMarks, nullptr) == 0;
  pthread_attr_destroy(&attributes);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

// A forked child shares the socket but is not the case.
void ForgetInChild() {
  agent.connected = false;
  agent.fd = -1;
  TakeMarksFrom(-1);
  one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
}

const char* EnvironmentValue(const char* name) {
  const char* value = getenv(name);
  return value != nullptr && *value != '\0' ? value : nullptr;
}

__attribute__((constructor)) void ConnectFromEnvironment() {
  const char* fd = EnvironmentValue("PLIMSOLL_AGENT_FD");
  const char* parent = EnvironmentValue("PLIMSOLL_PARENT");
  // Grandchildren inherit the variables and the socket, but take no part.
  if (fd == nullptr || parent == nullptr || atoi(parent) != getppid()) return;
  agent.fd = atoi(fd);
  agent.pid = getpid();
  agent.connected = true;
  const char* trim = EnvironmentValue("PLIMSOLL_TRIM");
  agent.trim = trim != nullptr && *trim == '1';
  agent.full_samples = EnvironmentValue("PLIMSOLL_FULL_SAMPLES") != nullptr;
  pthread_atfork(nullptr, nullptr, ForgetInChild);
  ledger::AdvanceEpoch();  // set-up and the first iteration are epoch 1
  if (const char* descriptor = EnvironmentValue("PLIMSOLL_DIRECT_LEAKS_FD")) {
    agent.direct_leaks_fd = atoi(descriptor);
  }
  if (const char* descriptor = EnvironmentValue("PLIMSOLL_MARK_FD")) {
    TakeMarksFrom(atoi(descriptor));
  }
  // Lines that are marks must come when they are printed, not when a buffer is full.
  if (EnvironmentValue("PLIMSOLL_MARK_LINES") != nullptr) setvbuf(stdout, nullptr, _IOLBF, 0);
  if (EnvironmentValue("PLIMSOLL_REMOTE") != nullptr) StartRemoteThread();
}

__attribute__((destructor)) void SayGoodbye() {
  if (agent.pid != getpid()) return;
  const ledger::Suppress suppress;
  const Lock lock;
  if (!agent.connected || !agent.greeted) return;
  Put(MessageType::kGoodbye, nullptr, 0);
  // What the harness has not asked yet it can only ask now.
  if (agent.enough) {
    Flush();
  } else {
    ServeCommands();
  }
  agent.connected = false;
}

}  // namespace
}  // namespace plimsoll

using plimsoll::agent;

extern "C" {

__attribute__((visibility("default"))) int plimsoll_agent_present(void) {
  return agent.connected ? 1 : 0;
}

__attribute__((visibility("default"))) bool plimsoll_agent_connect(const PlimsollChannel* channel) {
  if (agent.connected && agent.channel.write == nullptr) return false;
  agent.channel = channel != nullptr ? *channel : PlimsollChannel{};
  agent.connected = channel != nullptr;
  agent.greeted = false;
  agent.enough = false;
  agent.iteration = 0;
  agent.buffered = 0;
  agent.pid = getpid();
  agent.base_epoch = plimsoll::ledger::Epoch();
  plimsoll::ledger::AdvanceEpoch();
  return true;
}

__attribute__((visibility("default"))) int plimsoll_agent_iteration_end(void) {
  using namespace plimsoll;
  if (!agent.connected) return 0;
  const ledger::Suppress suppress;
  const Lock lock;
  return EndIteration();
}
}
