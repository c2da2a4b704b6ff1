#include "allocators/mmap_loader/options.h"

#include <array>

namespace plimsoll::weights {
namespace {

constexpr std::array<const char*, 5> kModes = {"auto", "mmap", "private", "read", "direct"};
constexpr std::array<const char*, 5> kPrefetches = {"none", "populate", "willneed", "sequential",
                                                    "background"};

template <typename Enum>
Expected<Enum> Named(const std::array<const char*, 5>& names, const char* field,
                     std::string_view name) {
  std::string all;
  for (size_t i = 0; i < names.size(); ++i) {
    if (name == names[i]) return static_cast<Enum>(i);
    if (i > 0) all += ", ";
    all += names[i];
  }
  return BadValue("", field, Printable(name), "expected one of " + all);
}

}  // namespace

const char* ModeName(Mode mode) { return kModes[static_cast<size_t>(mode)]; }
Expected<Mode> ModeNamed(std::string_view name) { return Named<Mode>(kModes, "loader", name); }
const char* PrefetchName(Prefetch prefetch) { return kPrefetches[static_cast<size_t>(prefetch)]; }
Expected<Prefetch> PrefetchNamed(std::string_view name) {
  return Named<Prefetch>(kPrefetches, "prefetch", name);
}

}  // namespace plimsoll::weights
