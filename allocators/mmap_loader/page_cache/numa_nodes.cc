#include "allocators/mmap_loader/page_cache/numa_nodes.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <charconv>
#include <system_error>

#include "base/file.h"

namespace plimsoll::weights {

uint64_t NodesIn(std::string_view list) {
  uint64_t mask = 0;
  const char* at = list.data();
  const char* const end = at + list.size();
  while (at < end) {
    unsigned first = 0;
    auto parsed = std::from_chars(at, end, first);
    if (parsed.ec != std::errc()) return mask;
    unsigned last = first;
    if (parsed.ptr < end && *parsed.ptr == '-') {
      parsed = std::from_chars(parsed.ptr + 1, end, last);
      if (parsed.ec != std::errc()) return mask;
    }
    for (unsigned node = first; node <= std::min(last, 63u); ++node) mask |= uint64_t{1} << node;
    if (parsed.ptr == end || *parsed.ptr != ',') return mask;
    at = parsed.ptr + 1;
  }
  return mask;
}

std::string InterleavePages(const Mapping& mapping) {
  const std::string what = mapping.file().path() + ": numa interleave: ";
  if (mapping.kind() != MappingKind::kAnonymous) {
    return what + "the page cache places a file's pages: use mode read";
  }
  const uint64_t nodes = NodesIn(ReadFile("/sys/devices/system/node/online").value_or(""));
  if (std::popcount(nodes) < 2) return what + "this machine has one node";
  if (mapping.file().os().Interleave(mapping.data(), mapping.mapped_bytes(), nodes) != 0) {
    return what + std::generic_category().message(errno);
  }
  return "";
}

}  // namespace plimsoll::weights
