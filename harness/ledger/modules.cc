#include "harness/ledger/modules.h"

#include <dlfcn.h>
#include <elf.h>
#include <limits.h>
#include <link.h>
#include <string.h>
#include <unistd.h>

namespace plimsoll::ledger {
namespace {

constexpr uint64_t kOffsetMask = (uint64_t{1} << 48) - 1;

// The main program has no name of its own in the link map.
const char* PathOf(const link_map* map, char* buffer, size_t capacity) {
  if (map->l_name != nullptr && map->l_name[0] != '\0') return map->l_name;
  const ssize_t length = readlink("/proc/self/exe", buffer, capacity - 1);
  buffer[length > 0 ? length : 0] = '\0';
  return buffer;
}

}  // namespace

uint64_t ModuleTable::Pack(uint64_t address) {
  const size_t index = Find(address);
  if (index == 0) return address & kOffsetMask;
  return uint64_t{index} << 48 | ((address - modules_.IfMapped()[index].base) & kOffsetMask);
}

uint64_t ModuleTable::Shown(uint64_t packed) const {
  const size_t index = packed >> 48;
  const uint64_t offset = packed & kOffsetMask;
  return index == 0 ? offset : modules_.IfMapped()[index].shown_base + offset;
}

bool ModuleTable::StillLoaded(const Module& module) {
  dl_find_object object;
  return _dl_find_object(reinterpret_cast<void*>(module.start), &object) == 0 &&
         reinterpret_cast<uint64_t>(object.dlfo_map_start) == module.start &&
         object.dlfo_link_map->l_addr == module.base;
}

size_t ModuleTable::Find(uint64_t address) {
  dl_find_object object;
  if (_dl_find_object(reinterpret_cast<void*>(address), &object) != 0) return 0;
  const auto start = reinterpret_cast<uint64_t>(object.dlfo_map_start);
  const auto end = reinterpret_cast<uint64_t>(object.dlfo_map_end);
  const link_map* map = object.dlfo_link_map;
  Module* modules = modules_.Get(kCapacity);
  if (modules == nullptr) return 0;
  char buffer[PATH_MAX];
  const char* path = PathOf(map, buffer, sizeof buffer);
  size_t same_file = 0;
  for (size_t i = 1; i < count_; ++i) {
    if (strcmp(modules[i].path, path) != 0) continue;
    if (modules[i].base == map->l_addr) {
      modules[i].loaded = true;
      return i;
    }
    same_file = i;
  }
  const size_t index = same_file != 0 ? same_file : Add(path);
  if (index != 0) Place(index, map->l_addr, start, end);
  return index;
}

size_t ModuleTable::Add(const char* path) {
  const size_t length = strlen(path) + 1;
  if (count_ == kCapacity) return 0;
  if (length > path_room_left_) {
    constexpr size_t kRoom = 64 * 1024;
    void* room = MapOwn(kRoom);
    if (room == nullptr || length > kRoom) return 0;
    AddOwnBytes(kRoom);
    path_room_ = static_cast<char*>(room);
    path_room_left_ = kRoom;
  }
  memcpy(path_room_, path, length);
  Module* modules = modules_.IfMapped();
  modules[count_] = {};
  modules[count_].path = path_room_;
  path_room_ += length;
  path_room_left_ -= length;
  return count_++;
}

void ModuleTable::Place(size_t index, uint64_t base, uint64_t start, uint64_t end) {
  Module* modules = modules_.IfMapped();
  Module& module = modules[index];
  const bool first_time = module.end == 0;
  module.base = base;
  module.start = start;
  module.end = end;
  module.loaded = true;
  if (!first_time) return;

  module.code_start = start - base;
  module.code_end = end - base;
  const auto* header = reinterpret_cast<const ElfW(Ehdr)*>(start);
  if (memcmp(header->e_ident, ELFMAG, SELFMAG) == 0) {
    const auto* segment = reinterpret_cast<const ElfW(Phdr)*>(start + header->e_phoff);
    for (int i = 0; i < header->e_phnum; ++i) {
      if (segment[i].p_type != PT_LOAD || (segment[i].p_flags & PF_X) == 0) continue;
      module.code_start = segment[i].p_vaddr;
      module.code_end = segment[i].p_vaddr + segment[i].p_memsz;
      module.code_offset = segment[i].p_offset;
      break;
    }
  }
  module.shown_base = base;
  for (size_t i = 1; i < count_; ++i) {
    if (i == index) continue;
    const uint64_t other_start = modules[i].shown_base + modules[i].code_start;
    const uint64_t other_end = modules[i].shown_base + modules[i].code_end;
    if (base + module.code_start < other_end && other_start < base + module.code_end) {
      module.shown_base = base + (uint64_t{index} << 48);
    }
  }
}

}  // namespace plimsoll::ledger
