#include "harness/ledger/names.h"

#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/stat.h>

namespace plimsoll::ledger {

Names::Name* Names::Find(const char* path, int segment) {
  Name* names = names_.IfMapped();
  for (size_t i = 0; i < end_; ++i) {
    if (names[i].birth.site == 0 || names[i].segment != segment) continue;
    if (segment >= 0 || strcmp(names[i].path, path) == 0) return &names[i];
  }
  return nullptr;
}

bool Names::Add(ResourceKind kind, const char* path, int segment, uint64_t bytes, Birth birth,
                Change* change) {
  const size_t length = strlen(path);
  if (length >= kMaximumPath) return false;
  Locked locked(lock_);
  Name* names = names_.Get(kCapacity);
  if (names == nullptr) return false;
  if (Find(path, segment) != nullptr) return true;
  size_t i = 0;
  while (i < end_ && names[i].birth.site != 0) ++i;
  if (i == kCapacity) return false;
  if (i == end_) {
    ++end_;
    AddOwnBytes(sizeof(Name));
  }
  names[i].birth = birth;
  names[i].bytes = bytes;
  names[i].segment = segment;
  names[i].kind = kind;
  memcpy(names[i].path, path, length + 1);
  *change = {kind, static_cast<int64_t>(bytes), 1};
  return true;
}

void Names::Remove(const char* path, int segment, Change* change) {
  Locked locked(lock_);
  Name* name = Find(path, segment);
  if (name == nullptr) return;
  *change = {name->kind, -static_cast<int64_t>(name->bytes), -1};
  name->birth = {};
}

bool Names::AddPath(ResourceKind kind, const char* path, Birth birth, Change* change) {
  return Add(kind, path, -1, 0, birth, change);
}

bool Names::AddSegment(int identifier, uint64_t bytes, Birth birth, Change* change) {
  return Add(ResourceKind::kSharedMemory, "", identifier, bytes, birth, change);
}

void Names::RemovePath(const char* path, Change* change) { Remove(path, -1, change); }

void Names::RemoveSegment(int identifier, Change* change) { Remove("", identifier, change); }

bool Names::RefreshOne(Name& name, Change* change) {
  uint64_t bytes = name.bytes;
  bool gone = false;
  if (name.segment >= 0) {
    shmid_ds status = {};
    gone = shmctl(name.segment, IPC_STAT, &status) != 0;
  } else {
    struct stat status;
    gone = lstat(name.path, &status) != 0;
    if (!gone) bytes = static_cast<uint64_t>(status.st_size);
  }
  *change = {name.kind, static_cast<int64_t>(bytes) - static_cast<int64_t>(name.bytes), 0};
  if (gone) {
    *change = {name.kind, -static_cast<int64_t>(name.bytes), -1};
    name.birth = {};
  }
  name.bytes = bytes;
  return change->bytes != 0 || change->names != 0;
}

}  // namespace plimsoll::ledger
