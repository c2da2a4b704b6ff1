#ifndef HARNESS_LEDGER_NAMES_H_
#define HARNESS_LEDGER_NAMES_H_

// Names this process left in the system: temporary files, POSIX and System V shared
// memory. They outlive descriptors and mappings, and the process.
//
// Thread-safety: every function may be called from any thread. The table counts nothing;
// functions return what they added or removed, so that the caller can.

#include <cstddef>
#include <cstdint>

#include "harness/ledger/held.h"
#include "harness/ledger/own_memory.h"
#include "harness/sample.h"

namespace plimsoll::ledger {

class Names {
 public:
  static constexpr size_t kCapacity = size_t{1} << 12;
  static constexpr size_t kMaximumPath = 488;  // a longer one is refused

  struct Change {
    ResourceKind kind = ResourceKind::kTempFile;
    int64_t bytes = 0;
    int64_t names = 0;
  };

  // An absolute path. A name that is entered already keeps its birth.
  bool AddPath(ResourceKind kind, const char* path, Birth birth, Change* change);
  // A System V segment's identifier.
  bool AddSegment(int identifier, uint64_t bytes, Birth birth, Change* change);
  void RemovePath(const char* path, Change* change);
  void RemoveSegment(int identifier, Change* change);

  // Asks the kernel: calls changed(Change) for each name that is gone, or whose size is
  // another than last time. Two system calls' time for each name.
  template <typename Changed>
  void Refresh(Changed changed) {
    Locked locked(lock_);
    Name* names = names_.IfMapped();
    for (size_t i = 0; i < end_; ++i) {
      Change change;
      if (names[i].birth.site != 0 && RefreshOne(names[i], &change)) changed(change);
    }
  }

  template <typename Visit>
  void ForEach(Visit visit) {
    Locked locked(lock_);
    const Name* names = names_.IfMapped();
    for (size_t i = 0; i < end_; ++i) {
      if (names[i].birth.site != 0) visit(names[i].bytes, names[i].birth);
    }
  }
  bool Empty() const { return end_ == 0; }
  SpinLock& lock() { return lock_; }  // held over fork

 private:
  struct Name {
    Birth birth;  // site 0: free
    uint64_t bytes;
    int32_t segment;  // or -1: a path
    ResourceKind kind;
    char path[kMaximumPath];
  };
  Name* Find(const char* path, int segment);
  bool Add(ResourceKind kind, const char* path, int segment, uint64_t bytes, Birth birth,
           Change* change);
  void Remove(const char* path, int segment, Change* change);
  static bool RefreshOne(Name& name, Change* change);

  SpinLock lock_;
  OwnArray<Name> names_;
  size_t end_ = 0;
};

}  // namespace plimsoll::ledger

#endif  // HARNESS_LEDGER_NAMES_H_
