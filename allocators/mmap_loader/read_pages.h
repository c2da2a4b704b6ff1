#ifndef ALLOCATORS_MMAP_LOADER_READ_PAGES_H_
#define ALLOCATORS_MMAP_LOADER_READ_PAGES_H_

// Reads a range of a file into memory on several threads, through the page cache or past
// it. Thread-safe for disjoint destinations.

#include <cstddef>
#include <cstdint>

#include "allocators/mmap_loader/file.h"
#include "base/error.h"

namespace plimsoll::weights {

// Below this many bytes a range is read by the calling thread alone.
constexpr uint64_t kParallelReadBytes = uint64_t{8} << 20;

// The threads that a read uses when asked for 0: the processors this process may use, at
// most 8.
unsigned DefaultReadThreads();

// Fills [to, to + bytes) from `offset`, on up to `threads` threads (0: the default). All or
// an error; short and interrupted reads go on. With O_DIRECT set on the file, `to` and
// `offset` must be page-aligned, and the memory must go on to the end of the last page.
Status ReadPages(const File& file, uint64_t offset, std::byte* to, uint64_t bytes,
                 unsigned threads);

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_READ_PAGES_H_
