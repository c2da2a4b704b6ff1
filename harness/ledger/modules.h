#ifndef HARNESS_LEDGER_MODULES_H_
#define HARNESS_LEDGER_MODULES_H_

// The files that code addresses lie in, remembered past dlclose: an address becomes
// (module, offset), which stays the same when the module is loaded again elsewhere.
//
// Not thread-safe: the caller holds the lock of Sites. Takes no lock of the loader, so
// that it can run while another thread is inside dlopen and allocating.

#include <cstddef>
#include <cstdint>

#include "harness/ledger/own_memory.h"

namespace plimsoll::ledger {

struct Module {
  const char* path;  // own memory, kept for good
  uint64_t base;     // load bias now, or when last loaded
  uint64_t start;    // mapped range now, or when last loaded
  uint64_t end;
  uint64_t shown_base;  // what Frames and Modules report as load bias; fixed for good
  uint64_t code_start;  // executable segment: link-time address range and file offset
  uint64_t code_end;
  uint64_t code_offset;
  bool loaded;
};

class ModuleTable {
 public:
  static constexpr size_t kCapacity = 4096;

  // `address` as module << 48 | offset from its load bias. Module 0 holds addresses in no
  // module (code made at run time), as they are, and all once the table is full.
  uint64_t Pack(uint64_t address);
  // What is shown for a packed address.
  uint64_t Shown(uint64_t packed) const;

  // Marks modules that are gone; calls unloaded(start, end) for each that just went.
  template <typename Unloaded>
  void FindUnloaded(Unloaded unloaded) {
    Module* modules = modules_.IfMapped();
    for (size_t i = 1; i < count_; ++i) {
      if (!modules[i].loaded || StillLoaded(modules[i])) continue;
      modules[i].loaded = false;
      unloaded(modules[i].start, modules[i].end);
    }
  }

  size_t count() const { return count_; }  // modules are 1 .. count - 1
  const Module& operator[](size_t index) const { return modules_.IfMapped()[index]; }

 private:
  static bool StillLoaded(const Module& module);
  size_t Find(uint64_t address);
  size_t Add(const char* path);
  void Place(size_t index, uint64_t base, uint64_t start, uint64_t end);

  OwnArray<Module> modules_;
  size_t count_ = 1;
  char* path_room_ = nullptr;
  size_t path_room_left_ = 0;
};

}  // namespace plimsoll::ledger

#endif  // HARNESS_LEDGER_MODULES_H_
