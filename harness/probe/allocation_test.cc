// Samples with every call of malloc counted: sampling must not allocate.

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>

#include "harness/probe/process_probe.h"

extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
}

namespace {
std::atomic<long> allocations = 0;
}

extern "C" void* malloc(size_t size) {
  ++allocations;
  return __libc_malloc(size);
}
extern "C" void* calloc(size_t count, size_t size) {
  ++allocations;
  return __libc_calloc(count, size);
}
extern "C" void* realloc(void* block, size_t size) {
  ++allocations;
  return __libc_realloc(block, size);
}

namespace plimsoll {
namespace {

TEST(Allocation, SamplingAndOpeningDoNot) {
  const long start = allocations;
  void* volatile block = malloc(100);
  free(block);
  ASSERT_GT(allocations, start) << "the counter does not count";

  const ProbeOptions options = {.malloc_entry = reinterpret_cast<const void*>(&__libc_malloc)};
  const long before = allocations;
  ProcessProbe probe = ProcessProbe::ForSelf(options);
  ProcessProbe parent = ProcessProbe::ForPid(1);
  ProcessCounters counters;
  for (int i = 0; i < 100; ++i) {
    probe.Sample(SampleLevel::kEveryIteration);
    counters = probe.Sample(SampleLevel::kFull);
    parent.Sample(SampleLevel::kFull);
  }
  EXPECT_EQ(allocations, before);
  EXPECT_TRUE(counters.rss_bytes.has_value());
}

TEST(Allocation, InterposedMallocIsToldApartFromItsFloor) {
  // This object's own malloc is not glibc's, the one below it is.
  ProcessProbe top = ProcessProbe::ForSelf();
  EXPECT_EQ(top.Sample(SampleLevel::kFull).malloc_in_use_bytes, std::nullopt);
  ProcessProbe floor =
      ProcessProbe::ForSelf({.malloc_entry = reinterpret_cast<const void*>(&__libc_malloc)});
  EXPECT_TRUE(floor.Sample(SampleLevel::kFull).malloc_in_use_bytes.has_value());
}

}  // namespace
}  // namespace plimsoll
