#include "allocators/mmap_loader/read_pages.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <functional>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace plimsoll::weights {
namespace {

// Small enough that a slow thread holds up the others little, large enough that a call's
// overhead does not show.
constexpr uint64_t kChunk = uint64_t{4} << 20;

// One chunk. Whole pages are asked for, as O_DIRECT wants, and the file's end may cut the
// last one.
Status ReadChunk(const File& file, uint64_t offset, std::byte* to, uint64_t bytes, bool direct) {
  if (!direct) return file.ReadAt(offset, {to, bytes});
  uint64_t done = 0;
  while (done < bytes) {
    // A direct read resumes at a page: what an odd end cut short is read again.
    done = PageFloor(done);
    const ssize_t got = file.os().Pread(file.descriptor(), to + done, PageCeil(bytes - done),
                                        static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return SystemError(file.path(),
                         "direct read of " + std::to_string(bytes - done) + " bytes at offset " +
                             std::to_string(offset + done),
                         errno);
    }
    const uint64_t before = done;
    done += static_cast<uint64_t>(got);
    if (done < bytes && PageFloor(done) == before) {
      return BadValue(file.path(), "bytes read at offset " + std::to_string(offset),
                      std::to_string(bytes), "the file ends at " + std::to_string(offset + done));
    }
  }
  return {};
}

}  // namespace

unsigned DefaultReadThreads() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return 2;
  return static_cast<unsigned>(std::clamp(CPU_COUNT(&set), 1, 8));
}

Status ReadPages(const File& file, uint64_t offset, std::byte* to, uint64_t bytes,
                 unsigned threads) {
  const bool direct = (file.os().GetFlags(file.descriptor()) & O_DIRECT) != 0;
  if (threads == 0) threads = DefaultReadThreads();
  if (bytes < kParallelReadBytes) threads = 1;
  const uint64_t chunks = (bytes + kChunk - 1) / kChunk;
  std::vector<Status> results(threads);
  std::atomic<uint64_t> next_chunk = 0;
  const auto work = [&](Status& result) {
    for (uint64_t chunk; result && (chunk = next_chunk.fetch_add(1)) < chunks;) {
      const uint64_t begin = chunk * kChunk;
      result = ReadChunk(file, offset + begin, to + begin, std::min(kChunk, bytes - begin), direct);
    }
  };
  std::vector<std::thread> helpers;
  helpers.reserve(threads - 1);
  for (unsigned i = 1; i < threads; ++i) {
    try {
      helpers.emplace_back(work, std::ref(results[i]));
    } catch (const std::system_error&) {
      break;  // No more threads to be had: those there are read it all.
    }
  }
  work(results[0]);
  for (std::thread& helper : helpers) helper.join();
  for (const Status& result : results) {
    if (!result) return result;
  }
  return {};
}

}  // namespace plimsoll::weights
