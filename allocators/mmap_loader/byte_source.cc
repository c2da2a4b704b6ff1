#include "allocators/mmap_loader/byte_source.h"

#include <algorithm>
#include <climits>

namespace plimsoll::weights {

Status MemorySource::ReadAt(uint64_t offset, std::span<std::byte> to) const {
  if (offset > bytes_.size() || to.size() > bytes_.size() - offset) {
    return BadValue(path_, "bytes read at offset " + std::to_string(offset),
                    std::to_string(to.size()), "the file ends at " + std::to_string(bytes_.size()));
  }
  if (!to.empty()) std::memcpy(to.data(), bytes_.data() + offset, to.size());
  return {};
}

Status CheckSiblingName(std::string_view path, FieldName field, std::string_view name) {
  constexpr std::string_view kAllowed =
      "expected a relative path without '..' or control characters, of at most 4095 bytes, in the "
      "folder of the first file";
  const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  bool ok = !name.empty() && name.size() < PATH_MAX && name.front() != '/' &&
            std::none_of(name.begin(), name.end(), is_control);
  for (size_t start = 0; ok && start <= name.size();) {
    const size_t end = std::min(name.find('/', start), name.size());
    if (name.substr(start, end - start) == "..") ok = false;
    start = end + 1;
  }
  if (!ok) return BadValue(path, field.Text(), Printable(name), kAllowed);
  return {};
}

}  // namespace plimsoll::weights
