#include "allocators/workspace/array_storage.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "allocators/workspace/thread_scopes.h"

namespace plimsoll {
namespace {

// Detached arrays start at least here, as those of most frameworks do.
constexpr size_t kDetachedAlignment = 64;

std::atomic<std::pmr::memory_resource*>& DetachedSlot() {
  static std::atomic<std::pmr::memory_resource*> slot{std::pmr::new_delete_resource()};
  return slot;
}

}  // namespace

std::pmr::memory_resource* DetachedResource() { return DetachedSlot().load(); }

std::pmr::memory_resource* SetDetachedResource(std::pmr::memory_resource* resource) {
  if (resource == nullptr) resource = std::pmr::new_delete_resource();
  return DetachedSlot().exchange(resource);
}

Expected<ArrayStorage> ArrayStorage::Create(size_t bytes, size_t alignment) {
  Workspace* current = CurrentWorkspace();
  if (current == nullptr || current->outside()) return CreateDetached(bytes, alignment);
  return CreateIn(*current, bytes, alignment);
}

Expected<ArrayStorage> ArrayStorage::CreateIn(Workspace& workspace, size_t bytes,
                                              size_t alignment) {
  const Expected<WorkspaceBlock> block = workspace.TryAllocate(bytes, alignment);
  if (!block) return tl::unexpected<Error>(block.error());
  ArrayStorage made;
  made.host_ = block->host;
  made.bytes_ = bytes;
  made.alignment_ = alignment;
  made.ref_ = workspace.ref();
  made.block_ = *block;
  return made;
}

Expected<ArrayStorage> ArrayStorage::CreateDetached(size_t bytes, size_t alignment) {
  const size_t aligned = std::max(alignment, kDetachedAlignment);
  static_assert(sizeof(DetachedBlock) <= kDetachedAlignment);
  if (bytes == 0 || bytes > static_cast<size_t>(PTRDIFF_MAX) - aligned) {
    return Fail("detached array: request of " + std::to_string(bytes) +
                " bytes: expected from 1 to " +
                std::to_string(static_cast<size_t>(PTRDIFF_MAX) - aligned));
  }
  std::pmr::memory_resource* resource = DetachedResource();
  std::byte* start = nullptr;
  try {
    start = static_cast<std::byte*>(resource->allocate(aligned + bytes, aligned));
  } catch (const std::bad_alloc& refused) {
    return Fail("detached array of " + std::to_string(bytes) + " bytes: " + refused.what());
  }
  ArrayStorage made;
  made.detached_ = new (start) DetachedBlock{1, resource, aligned + bytes, aligned};
  made.host_ = start + aligned;
  made.bytes_ = bytes;
  made.alignment_ = alignment;
  return made;
}

void ArrayStorage::DropDetached() noexcept {
  if (detached_->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  std::pmr::memory_resource* resource = detached_->resource;
  const size_t bytes = detached_->bytes;
  const size_t alignment = detached_->alignment;
  detached_->~DetachedBlock();
  resource->deallocate(detached_, bytes, alignment);
}

Status ArrayStorage::CheckAlive() const {
  if (ref_.empty()) return {};
  // Asked of the slot first: a foreign thread must not look into the workspace, which
  // its own thread may be destroying.
  const uint64_t owner = ref_.owner();
  const uint64_t here = ThreadScopes::Here().number();
  if (owner != 0 && owner != here) {
    return Fail("array of " + std::to_string(bytes_) + " bytes of workspace '" + ref_.Id() +
                "': used on thread " + std::to_string(ThreadScopes::Here().OwnNumber()) +
                ": expected thread " + std::to_string(owner) +
                ", which made it; open workspaces here: " + ThreadScopes::Here().OpenText());
  }
  if (const Workspace* alive = workspace()) return alive->CheckAlive(block_, bytes_);
  return Fail("array of " + std::to_string(bytes_) + " bytes of workspace '" + ref_.Id() +
              "' (destroyed): made in generation " + std::to_string(block_.generation) +
              "; open workspaces: " + ThreadScopes::Here().OpenText());
}

Expected<ArrayStorage> ArrayStorage::FillFrom(Expected<ArrayStorage> made) const {
  if (!made) return made;
  std::memcpy(made->host_, host_, bytes_);
  if (made->device() != nullptr) {
    if (Status copied = made->ToDevice(); !copied) return tl::unexpected<Error>(copied.error());
  }
  return made;
}

Expected<ArrayStorage> ArrayStorage::CopyTo(Workspace& workspace) const {
  if (Status alive = CheckAlive(); !alive) return tl::unexpected<Error>(alive.error());
  return FillFrom(CreateIn(workspace, bytes_, alignment_));
}

Expected<ArrayStorage> ArrayStorage::Detach() const {
  if (!attached()) return *this;
  if (Status alive = CheckAlive(); !alive) return tl::unexpected<Error>(alive.error());
  return FillFrom(CreateDetached(bytes_, alignment_));
}

Expected<ArrayStorage> ArrayStorage::Leverage() const {
  if (!attached()) return *this;
  if (Status alive = CheckAlive(); !alive) return tl::unexpected<Error>(alive.error());
  if (CurrentWorkspace() == nullptr) return *this;
  auto* parent = static_cast<Workspace*>(ThreadScopes::Here().ParentOfCurrent());
  if (parent == nullptr) return Detach();
  return parent == workspace() ? *this : CopyTo(*parent);
}

Expected<ArrayStorage> ArrayStorage::LeverageTo(std::string_view id, bool enforce) const {
  if (Status alive = CheckAlive(); !alive) return tl::unexpected<Error>(alive.error());
  auto* target = static_cast<Workspace*>(ThreadScopes::Here().FindOpen(id));
  if (target == nullptr && enforce) {
    return Fail("array of " + std::to_string(bytes_) + " bytes: leverageTo '" + std::string(id) +
                "': expected an open workspace of that id; open workspaces: " +
                ThreadScopes::Here().OpenText());
  }
  if (!attached() || target == nullptr || target == workspace()) return *this;
  return CopyTo(*target);
}

Expected<ArrayStorage> ArrayStorage::LeverageOrDetach(std::string_view id) const {
  if (ThreadScopes::Here().FindOpen(id) == nullptr) return Detach();
  return LeverageTo(id, /*enforce=*/true);
}

Expected<ArrayStorage> ArrayStorage::Migrate(bool detach_when_outside) const {
  if (Status alive = CheckAlive(); !alive) return tl::unexpected<Error>(alive.error());
  Workspace* current = CurrentWorkspace();
  if (current == nullptr) return detach_when_outside ? Detach() : Expected<ArrayStorage>(*this);
  return current == workspace() ? *this : CopyTo(*current);
}

Status ArrayStorage::ToDevice() const {
  if (Status alive = CheckAlive(); !alive) return alive;
  if (device() == nullptr) {
    return Fail("array of " + std::to_string(bytes_) + " bytes: not mirrored on a device");
  }
  return workspace()->device()->CopyToDevice(device(), host_, bytes_);
}

Status ArrayStorage::ToHost() const {
  if (Status alive = CheckAlive(); !alive) return alive;
  if (device() == nullptr) {
    return Fail("array of " + std::to_string(bytes_) + " bytes: not mirrored on a device");
  }
  return workspace()->device()->CopyToHost(host_, device(), bytes_);
}

}  // namespace plimsoll
