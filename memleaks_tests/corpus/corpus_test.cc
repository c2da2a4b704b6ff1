// The corpus against its ground truth: each pattern runs in a process of its own, and
// what it keeps is measured with the C library's and the kernel's own counts. Innocent
// ones, which use operator new alone, are counted there: mallinfo2 takes the C library's
// thread cache for memory in use.

#include "memleaks_tests/corpus/corpus.h"

#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <new>
#include <set>
#include <sstream>
#include <string>
#include <string_view>

namespace {

std::atomic<uint64_t> new_bytes = 0;

// What allocator_block_kept reports (harness/client.h finds these instead of a ledger's).
uint64_t reported_bytes = 0;

}  // namespace

void* operator new(size_t size) {
  void* block = std::malloc(size);
  if (block == nullptr) throw std::bad_alloc();
  new_bytes += malloc_usable_size(block);
  return block;
}
void operator delete(void* block) noexcept {
  new_bytes -= malloc_usable_size(block);
  std::free(block);
}
void operator delete(void* block, size_t) noexcept { operator delete(block); }

extern "C" void plimsoll_agent_block(int acquired, const void*, unsigned long size) {
  if (acquired != 0) reported_bytes += size;
}

namespace plimsoll {
namespace {

size_t CountEntries(const std::filesystem::path& folder, const std::string& prefix) {
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    count += entry.path().filename().string().starts_with(prefix);
  }
  return count;
}

uint64_t VirtualBytes() {
  uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * 4096;
}

uint64_t HeapBytes() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

// System V segments that this process made.
size_t CountSegments() {
  std::ifstream table("/proc/sysvipc/shm");
  std::string line;
  size_t count = 0;
  const std::string self = std::to_string(getpid());
  while (std::getline(table, line)) {
    std::istringstream fields(line);
    std::string key, id, perms, size, creator;
    fields >> key >> id >> perms >> size >> creator;
    count += creator == self;
  }
  return count;
}

// What the pattern should keep, in the unit of its kind: bytes, or a count where the
// kind has no bytes of its own.
uint64_t Held(const Pattern& pattern) {
  switch (pattern.kind) {
    case ResourceKind::kHeap:
      return pattern.innocent ? new_bytes.load() : HeapBytes();
    case ResourceKind::kMapping:
      return VirtualBytes();
    case ResourceKind::kThread:
      // A planted one by its stack: a thread that ended is no task any more. Not so the
      // innocent ones, as the C library reserves much for the first threads.
      return pattern.innocent ? CountEntries("/proc/self/task", "") : VirtualBytes();
    case ResourceKind::kDescriptor:
      return CountEntries("/proc/self/fd", "");
    case ResourceKind::kSharedMemory:
      return CountSegments() +
             CountEntries("/dev/shm", "plimsoll-corpus-" + std::to_string(getpid()));
    case ResourceKind::kTempFile:
      return CountEntries(std::getenv("TMPDIR"), "plimsoll-corpus-");
    case ResourceKind::kAllocatorBlock:
      return reported_bytes;
  }
  return 0;
}

// The least that a planted pattern must keep for each leak, in that unit.
double UnitPerLeak(const Pattern& pattern) {
  switch (pattern.kind) {
    case ResourceKind::kHeap:
    case ResourceKind::kMapping:
    case ResourceKind::kAllocatorBlock:
      return pattern.bytes_per_iteration;
    case ResourceKind::kThread:
      return 16384.0 / pattern.period;
    default:
      return 1.0 / pattern.period;
  }
}

// Runs `check` in a child with a TMPDIR of its own; true when it returns true there.
bool InChild(const std::function<bool()>& check) {
  const pid_t child = fork();
  if (child == 0) {
    std::string folder = ::testing::TempDir() + "/corpus-XXXXXX";
    if (mkdtemp(folder.data()) == nullptr) _exit(3);
    setenv("TMPDIR", folder.c_str(), 1);
    const bool holds = check();
    std::filesystem::remove_all(folder);
    _exit(holds ? 0 : 1);
  }
  int status = 0;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// A planted pattern keeps what it says, between the 150th and the 450th iteration.
bool KeepsItsShare(const Pattern& pattern) {
  const auto run = pattern.make(/*seed=*/1);
  const auto iterate = [&run](int count) {
    for (int i = 0; i < count; ++i) run->Iterate();
  };
  // Where memory doubles, only the way from one power of two to another is a rate.
  const bool doubles = pattern.period == 0;
  iterate(doubles ? 256 : 150);
  const uint64_t before = Held(pattern);
  const int iterations = doubles ? 1024 - 256 : 300;
  iterate(iterations);
  const double grown = static_cast<double>(Held(pattern)) - static_cast<double>(before);
  const double expected = UnitPerLeak(pattern) * iterations;
  const bool holds = grown >= 0.6 * expected && grown <= 6.0 * expected + 65'536;
  if (!holds) {
    fprintf(stderr, "%s: grew by %.0f in %d iterations, expected about %.0f\n",
            std::string(pattern.name).c_str(), grown, iterations, expected);
  }
  return holds;
}

// An innocent one holds no more, at most, in 1,500 iterations than it did in 1,000 before.
bool StaysBounded(const Pattern& pattern) {
  const auto run = pattern.make(/*seed=*/1);
  const auto most_in = [&](int count) {
    uint64_t most = 0;
    for (int i = 0; i < count; ++i) {
      run->Iterate();
      most = std::max(most, Held(pattern));
    }
    return static_cast<double>(most);
  };
  most_in(300);
  const double early = most_in(700);
  const double late = most_in(1500);
  // A thread may be seen for a moment after it was joined.
  const double slack = pattern.kind == ResourceKind::kThread ? 4 : 0;
  const bool holds = late <= early * 1.05 + slack;
  if (!holds) {
    fprintf(stderr, "%s: held %.0f, then %.0f\n", std::string(pattern.name).c_str(), early, late);
  }
  return holds;
}

TEST(CorpusTest, IsLargeEnoughAndNamesAreUnique) {
  std::set<std::string_view> names, sites;
  size_t planted = 0, innocent = 0;
  for (const Pattern& pattern : Corpus()) {
    SCOPED_TRACE(pattern.name);
    EXPECT_TRUE(names.insert(pattern.name).second);
    EXPECT_TRUE(sites.insert(pattern.site).second) << pattern.site;
    EXPECT_FALSE(pattern.models.empty());
    ++(pattern.innocent ? innocent : planted);
    EXPECT_EQ(FindPattern(pattern.name), &pattern);
  }
  EXPECT_GE(planted, 40u);
  EXPECT_GE(innocent, 20u);
  EXPECT_EQ(FindPattern("no such pattern"), nullptr);
}

// The rows of anchors/openvino.md, by the name that the table gives them.
TEST(CorpusTest, CoversEveryReport) {
  std::string all;
  for (const Pattern& pattern : Corpus()) all += std::string(pattern.models) + "; ";
  for (const char* report :
       {"openvino #17609",    "openvino PR 19832",  "openvino #24483",
        "openvino #20633",    "oneDNN PR 1757",     "openvino #11669",
        "openvino #96",       "openvino #11727",    "WeightsSharing",
        "onnxruntime #8245",  "onnxruntime #4093",  "onnxruntime #11118",
        "onnxruntime #11529", "pytorch #24237",     "pytorch #41486",
        "pytorch #21537",     "tensorflow #9091",   "CNTK #1675, DJL #976",
        "openvino #23316",    "pytorch #29809",     "openvino #25198",
        "openvino PR 16845",  "onnxruntime #17451", "OpenCV re-importing SqueezeNet"}) {
    EXPECT_NE(all.find(report), std::string::npos) << report;
  }
}

TEST(CorpusTest, PlantedPatternsKeepWhatTheySay) {
  for (const Pattern& pattern : Corpus()) {
    if (pattern.innocent) continue;
    EXPECT_TRUE(InChild([&pattern] { return KeepsItsShare(pattern); })) << pattern.name;
  }
}

TEST(CorpusTest, InnocentPatternsStayBounded) {
  for (const Pattern& pattern : Corpus()) {
    if (!pattern.innocent) continue;
    EXPECT_TRUE(InChild([&pattern] { return StaysBounded(pattern); })) << pattern.name;
  }
}

}  // namespace
}  // namespace plimsoll
