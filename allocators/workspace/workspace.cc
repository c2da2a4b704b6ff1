// A workspace's life: made, entered, borrowed, switched off, trimmed, gone.

#include "allocators/workspace/workspace.h"

#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "allocators/workspace/sizing.h"
#include "base/check.h"

namespace plimsoll {
namespace {

constexpr uint32_t kNobody = 0;
constexpr uint32_t kOwner = 1;
constexpr uint32_t kTrimmer = 2;

std::pmr::memory_resource* OrDefault(std::pmr::memory_resource* upstream) {
  return upstream != nullptr ? upstream : std::pmr::new_delete_resource();
}

}  // namespace

Expected<std::unique_ptr<Workspace>> Workspace::Create(const WorkspaceConfiguration& configuration,
                                                       std::string id,
                                                       const WorkspaceOptions& options) {
  if (id.empty()) return BadValue("workspace", "id", id, "expected at least one character");
  if (configuration.location() == LocationPolicy::kMmap && options.device != nullptr &&
      configuration.mirroring() == MirroringPolicy::kFull) {
    return BadValue("workspace '" + id + "'", "mirroring", "FULL",
                    "expected HOST_ONLY with location MMAP: device '" + options.device->name() +
                        "' would need room for all of a file that is there because it "
                        "does not fit in memory");
  }
  std::unique_ptr<Workspace> workspace(new Workspace(configuration, std::move(id), options));
  const uint64_t bytes = InitialCapacity(configuration);
  if (bytes > 0 || configuration.location() == LocationPolicy::kMmap) {
    if (Status sized = workspace->ResizeTo(bytes); !sized) {
      return Fail("workspace '" + workspace->id() + "': initial " + std::to_string(bytes) +
                  " bytes: " + sized.error().message);
    }
  }
  return workspace;
}

Workspace::Workspace(const WorkspaceConfiguration& configuration, std::string id,
                     const WorkspaceOptions& options)
    : ScopeTarget(std::move(id)),
      round_up_(configuration.alignment() - 1),
      owner_(ThreadScopes::Here().OwnNumber()),
      configuration_(configuration),
      poison_bytes_(options.poison_bytes && !configuration.circular() &&
                    configuration.location() == LocationPolicy::kRam),
      debug_mode_(options.debug_mode),
      source_(OrDefault(options.upstream),
              configuration.mirroring() == MirroringPolicy::kFull ? options.device : nullptr),
      backing_(configuration, source_),
      spilled_(source_),
      pinned_(source_),
      registration_(this, owner_) {}

Workspace::~Workspace() {
  if (depth_ > 0) {
    PLIMSOLL_CHECK(ThreadScopes::Here().number() == owner_,
                   "a workspace was destroyed while another thread had it open");
    ThreadScopes::Here().RemoveAll(this);
  } else {
    TakeLease();
  }
  for (const OutsideBlock& block : outside_blocks_) {
    source_.upstream()->deallocate(block.pointer, block.bytes, block.alignment);
  }
}

Expected<WorkspaceScope> Workspace::Enter() {
  if (Status thread = CheckThread("enter"); !thread) {
    return tl::unexpected<Error>(thread.error());
  }
  const uint64_t serial = ThreadScopes::Here().Push(this, ScopeKind::kEntered);
  if (depth_++ == 0) StartCycle();
  return WorkspaceScope(owner_, serial);
}

Expected<WorkspaceScope> Workspace::Borrow() {
  if (Status thread = CheckThread("borrow"); !thread) {
    return tl::unexpected<Error>(thread.error());
  }
  if (borrowed_) return Fail(Describe() + ": borrow: it is borrowed already");
  if (depth_ == 0) {
    return Fail(Describe() + ": borrow: expected an open workspace; enter it instead; " +
                "open workspaces: " + ThreadScopes::Here().OpenText());
  }
  const uint64_t serial = ThreadScopes::Here().Push(this, ScopeKind::kBorrowed);
  borrowed_ = true;
  ++depth_;
  return WorkspaceScope(owner_, serial);
}

Status Workspace::Open() {
  if (Status thread = CheckThread("open"); !thread) return thread;
  ThreadScopes::Here().Push(this, ScopeKind::kEntered);
  if (depth_++ == 0) StartCycle();
  return {};
}

Status Workspace::Close() {
  if (Status thread = CheckThread("close"); !thread) return thread;
  const std::optional<ScopeFrame> frame = ThreadScopes::Here().RemoveInnermost(this);
  if (!frame) {
    return Fail(Describe() +
                ": close: it is not open; open workspaces: " + ThreadScopes::Here().OpenText());
  }
  ScopeLeft(frame->kind);
  return {};
}

Status Workspace::SwitchOff() {
  if (Status thread = CheckThread("switch off"); !thread) return thread;
  if (depth_ == 0) return Fail(Describe() + ": switch off: expected an open workspace");
  off_ = true;
  SetFastEnd();
  return {};
}

Status Workspace::SwitchOn() {
  if (Status thread = CheckThread("switch on"); !thread) return thread;
  if (depth_ == 0) return Fail(Describe() + ": switch on: expected an open workspace");
  off_ = false;
  SetFastEnd();
  return {};
}

uint64_t Workspace::TryTrim() noexcept {
  if (configuration_.circular() || configuration_.location() == LocationPolicy::kMmap) return 0;
  uint32_t expected = kNobody;
  if (!lease_.compare_exchange_strong(expected, kTrimmer, std::memory_order_acquire)) return 0;
  const uint64_t bytes = backing_.size();
  if (bytes > 0) {
    trimmed_size_ = bytes;
    backing_.Release();
    // The rest of its state is its own thread's to read at any time.
    base_ = nullptr;
    device_base_ = nullptr;
    usable_ = 0;
  }
  ReturnLease();
  return bytes;
}

Status Workspace::CheckThread(const char* action) const {
  const uint64_t here = ThreadScopes::Here().number();
  if (here == owner_) return {};
  // Its state is its own thread's to read.
  return Fail("workspace '" + id() + "': " + action + " on thread " +
              std::to_string(ThreadScopes::Here().OwnNumber()) + ": expected thread " +
              std::to_string(owner_) +
              ", which made it; open workspaces here: " + ThreadScopes::Here().OpenText());
}

void Workspace::ScopeLeft(ScopeKind kind) {
  if (kind == ScopeKind::kBorrowed) borrowed_ = false;
  if (--depth_ == 0) EndCycle();
}

void Workspace::TakeLease() const {
  uint32_t expected = kNobody;
  while (!lease_.compare_exchange_weak(expected, kOwner, std::memory_order_acquire)) {
    PLIMSOLL_CHECK(expected != kOwner, "a workspace's memory is in use twice");
    if (expected == kTrimmer) std::this_thread::yield();
    expected = kNobody;
  }
}

void Workspace::ReturnLease() const { lease_.store(kNobody, std::memory_order_release); }

SwitchedOff::SwitchedOff(Workspace& workspace)
    : ref_(workspace.ref()), generation_(workspace.generation()) {
  if (workspace.outside()) return;
  switched_ = workspace.SwitchOff().has_value();
}

SwitchedOff::~SwitchedOff() {
  auto* workspace = static_cast<Workspace*>(ref_.Live());
  // A cycle that ended meanwhile has switched on by itself.
  if (switched_ && workspace != nullptr && workspace->generation() == generation_ &&
      workspace->open()) {
    static_cast<void>(workspace->SwitchOn().has_value());
  }
}

}  // namespace plimsoll
