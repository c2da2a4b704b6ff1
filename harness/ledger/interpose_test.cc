// What only interposition shows: memory that runs out, modules that come and go.

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <string.h>

#include <cstdint>
#include <new>
#include <set>
#include <string>

#include "harness/ledger/ledger.h"
#include "harness/ledger/test_support.h"

namespace plimsoll::ledger {
namespace {

template <typename Run>
Change OnHeap(Run run) {
  return Left(ResourceKind::kHeap, run);
}

TEST(Heap, FailedReallocKeepsTheBlock) {
  void* block = Escaped(malloc(64));
  // Volatile: the compiler knows that no object can be this large.
  volatile size_t too_much = SIZE_MAX / 2;
  EXPECT_EQ(OnHeap([&] { EXPECT_EQ(realloc(Escaped(block), too_much), nullptr); }), Change(0, 0));
  EXPECT_EQ(OnHeap([&] { free(block); }), Change(-64, -1));
}

TEST(Heap, FailedAllocationsLeaveNothing) {
  volatile size_t half = SIZE_MAX / 2;
  EXPECT_EQ(OnHeap([&] { EXPECT_EQ(Escaped(malloc(half)), nullptr); }), Change(0, 0));
  EXPECT_EQ(OnHeap([&] { EXPECT_EQ(Escaped(calloc(half, 3)), nullptr); }), Change(0, 0));
  EXPECT_EQ(OnHeap([&] { EXPECT_EQ(Escaped(reallocarray(nullptr, half, 3)), nullptr); }),
            Change(0, 0));
  EXPECT_EQ(OnHeap([&] { EXPECT_EQ(Escaped(new (std::nothrow) char[half]), nullptr); }),
            Change(0, 0));
}

TEST(Heap, NewThrowsBadAlloc) {
  volatile size_t half = SIZE_MAX / 2;
  struct alignas(64) Line {
    char bytes[64];
  };
  EXPECT_THROW(Escaped(::operator new(half)), std::bad_alloc);
  EXPECT_THROW(Escaped(::operator new[](half)), std::bad_alloc);
  EXPECT_THROW(Escaped(::operator new (half, std::align_val_t{64})), std::bad_alloc);
  EXPECT_THROW(Escaped(::operator new[](half, std::align_val_t{64})), std::bad_alloc);
}

// Runs out at first; the handler makes room.
TEST(Heap, NewRunsTheNewHandler) {
  static volatile size_t wanted = 0;
  static int runs = 0;
  wanted = SIZE_MAX / 2;
  std::set_new_handler([] {
    ++runs;
    std::set_new_handler(nullptr);
  });
  EXPECT_THROW(Escaped(::operator new(wanted)), std::bad_alloc);
  std::set_new_handler(nullptr);
  EXPECT_EQ(runs, 1);
}

constexpr char kPlugin[] = "harness/ledger/libtest_plugin.so";

struct FoundModule {
  uint64_t start, end;
};

// Where the module whose path ends in `name` is shown; {0, 0} when it is not.
FoundModule FindModule(const std::string& name) {
  struct Context {
    const std::string* name;
    FoundModule found;
  } context = {&name, {0, 0}};
  Modules(&context, [](void* pointer, const ModuleRow& row) {
    auto* result = static_cast<Context*>(pointer);
    Suppress own;
    const std::string path = row.path;
    if (path.size() >= result->name->size() &&
        path.compare(path.size() - result->name->size(), result->name->size(), *result->name) ==
            0) {
      result->found = {row.start, row.end};
    }
  });
  return context.found;
}

// A plugin leaks a block each time it is loaded, perhaps at another address: one site.
TEST(Modules, ASiteOutlivesItsModule) {
  std::set<uint32_t> sites;
  const uint32_t first_epoch = Epoch();
  for (int round = 0; round < 4; ++round) {
    AdvanceEpoch();
    void* plugin = dlopen(kPlugin, RTLD_NOW);
    ASSERT_NE(plugin, nullptr) << dlerror();
    auto* leak = reinterpret_cast<void* (*)(size_t)>(dlsym(plugin, "PluginLeak"));
    ASSERT_NE(leak, nullptr);
    leak(4321);
    ASSERT_EQ(dlclose(plugin), 0);
    ASSERT_EQ(dlopen(kPlugin, RTLD_NOW | RTLD_NOLOAD), nullptr) << "must really be unloaded";
    // In its place, perhaps.
    void* other = dlopen("harness/ledger/libtest_other_plugin.so", RTLD_NOW);
    ASSERT_NE(other, nullptr) << dlerror();
    reinterpret_cast<void* (*)(size_t)>(dlsym(other, "PluginLeak"))(99);
    dlclose(other);
  }
  const FoundModule module = FindModule("libtest_plugin.so");
  ASSERT_NE(module.start, 0u) << "an unloaded module is still listed";
  const FoundModule other = FindModule("libtest_other_plugin.so");
  EXPECT_TRUE(module.end <= other.start || other.end <= module.start) << "shown apart";
  const Seen seen = Snapshot(first_epoch);
  uint64_t bytes = 0;
  for (const EpochRow& row : seen.epochs) {
    uint64_t address = 0;
    if (row.epoch == 0 || Frames(row.site, &address, 1) == 0) continue;
    if (address < module.start || address >= module.end) continue;
    sites.insert(row.site);
    bytes += row.bytes;
  }
  EXPECT_EQ(bytes, 4 * 4321u);
  EXPECT_EQ(sites.size(), 1u);
}

}  // namespace
}  // namespace plimsoll::ledger
