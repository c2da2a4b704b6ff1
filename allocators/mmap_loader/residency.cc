#include "allocators/mmap_loader/residency.h"

#include <algorithm>
#include <vector>

namespace plimsoll::weights {
namespace {

// Documentation/admin-guide/mm/pagemap.rst: bits that need no privilege.
constexpr uint64_t kPresent = uint64_t{1} << 63;
constexpr uint64_t kFileOrSharedAnonymous = uint64_t{1} << 61;
constexpr size_t kPagesAtOnce = 8192;

void ReadPagemap(Os& os, const std::byte* begin, size_t pages, Residency& out) {
  const int descriptor = os.Open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC, 0);
  if (descriptor < 0) return;
  uint64_t present = 0;
  uint64_t anonymous = 0;
  std::vector<uint64_t> entries(std::min(pages, kPagesAtOnce));
  const uint64_t first = reinterpret_cast<uintptr_t>(begin) / PageSize();
  bool ok = true;
  for (size_t done = 0; ok && done < pages;) {
    const size_t wanted = std::min(pages - done, kPagesAtOnce) * sizeof(uint64_t);
    const ssize_t got = os.Pread(descriptor, entries.data(), wanted,
                                 static_cast<off_t>((first + done) * sizeof(uint64_t)));
    ok = got > 0 && got % static_cast<ssize_t>(sizeof(uint64_t)) == 0;
    if (!ok) break;
    const size_t count = static_cast<size_t>(got) / sizeof(uint64_t);
    for (size_t i = 0; i < count; ++i) {
      if (!(entries[i] & kPresent)) continue;
      ++present;
      if (!(entries[i] & kFileOrSharedAnonymous)) ++anonymous;
    }
    done += count;
  }
  os.Close(descriptor);
  if (!ok) return;
  out.resident = present * PageSize();
  out.private_dirty = anonymous * PageSize();
}

void ReadMincore(Os& os, std::byte* begin, size_t pages, Residency& out) {
  std::vector<unsigned char> flags(std::min(pages, kPagesAtOnce));
  uint64_t present = 0;
  for (size_t done = 0; done < pages;) {
    const size_t count = std::min(pages - done, kPagesAtOnce);
    if (os.Mincore(begin + done * PageSize(), count * PageSize(), flags.data()) != 0) return;
    for (size_t i = 0; i < count; ++i) present += flags[i] & 1;
    done += count;
  }
  out.page_cache = present * PageSize();
}

void Add(std::optional<uint64_t>& sum, const std::optional<uint64_t>& more) {
  if (sum && more) {
    *sum += *more;
  } else {
    sum.reset();
  }
}

}  // namespace

Residency& Residency::operator+=(const Residency& other) {
  Add(resident, other.resident);
  Add(private_dirty, other.private_dirty);
  Add(page_cache, other.page_cache);
  return *this;
}

Residency MeasureResidency(Os& os, std::byte* begin, size_t bytes, bool file_backed) {
  Residency out;
  const size_t pages = PageCeil(bytes) / PageSize();
  ReadPagemap(os, begin, pages, out);
  if (file_backed) {
    ReadMincore(os, begin, pages, out);
  } else {
    out.page_cache = 0;
  }
  return out;
}

}  // namespace plimsoll::weights
