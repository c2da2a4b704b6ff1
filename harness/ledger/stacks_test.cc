#include "harness/ledger/stacks.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace plimsoll::ledger {
namespace {

// What is mapped executable in this process now.
std::vector<Module> MappedModules() {
  std::vector<Module> modules;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    unsigned long start, end, offset;
    char permissions[8], path[1024] = "";
    if (std::sscanf(line.c_str(), "%lx-%lx %7s %lx %*s %*s %1023s", &start, &end, permissions,
                    &offset, path) >= 4 &&
        permissions[2] == 'x' && path[0] == '/') {
      modules.push_back({.start = start, .end = end, .offset = offset, .path = path});
    }
  }
  return modules;
}

using Addresses = std::vector<uint64_t>;

__attribute__((noinline)) uint64_t ReturnAddress() {
  return reinterpret_cast<uint64_t>(__builtin_return_address(0));
}

constexpr int kInlinedLine = __LINE__ + 2;
__attribute__((always_inline)) inline uint64_t Inlined() {
  const uint64_t address = ReturnAddress();
  __asm__ volatile("");
  return address;
}

constexpr int kOuterLine = __LINE__ + 2;
__attribute__((noinline)) uint64_t Outer() {
  const uint64_t address = Inlined();
  __asm__ volatile("");
  return address;
}

TEST(Symbolizer, FunctionFileAndLineWithInlines) {
  const uint64_t address = Outer();
  Symbolizer symbolizer(MappedModules());
  const std::vector<Frame>& frames = symbolizer.Frames(address);
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(FrameText(frames[0]), "plimsoll::ledger::Inlined (harness/ledger/stacks_test.cc:" +
                                      std::to_string(kInlinedLine) + ")");
  EXPECT_EQ(FrameText(frames[1]), "plimsoll::ledger::Outer (harness/ledger/stacks_test.cc:" +
                                      std::to_string(kOuterLine) + ")");
}

TEST(Symbolizer, RuntimeFramesAreFolded) {
  const uint64_t address = Outer();
  const std::vector<Module> modules = MappedModules();
  Symbolizer symbolizer(modules);
  // A return address inside operator new and one inside __libc_start_main, as they would
  // stand around the program's own.
  void* libstdcxx = dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_NOLOAD);
  ASSERT_NE(libstdcxx, nullptr);
  const auto inside = [](void* handle, const char* name) {
    return reinterpret_cast<uint64_t>(dlsym(handle, name)) + 5;
  };
  const uint64_t operator_new = inside(libstdcxx, "_Znwm");
  const uint64_t start = inside(RTLD_DEFAULT, "__libc_start_main");
  const std::vector<std::string> stack =
      symbolizer.Stack({.site = 1, .addresses = {operator_new, address, start}});
  ASSERT_EQ(stack.size(), 2u);
  EXPECT_EQ(stack[0].rfind("plimsoll::ledger::Inlined", 0), 0u) << stack[0];
  EXPECT_EQ(stack[1].rfind("plimsoll::ledger::Outer", 0), 0u) << stack[1];
  // When nothing else is there, they are shown.
  const std::vector<std::string> bare =
      symbolizer.Stack({.site = 1, .addresses = {operator_new, start}});
  ASSERT_EQ(bare.size(), 2u);
  EXPECT_EQ(bare[0].rfind("operator new+0x", 0), 0u) << bare[0];
  EXPECT_NE(bare[0].find(" (libstdc++.so.6"), std::string::npos) << bare[0];
  EXPECT_EQ(bare[1].rfind("__libc_start_main", 0), 0u) << bare[1];
}

// A stripped library: exported functions by name and offset, others by module and offset.
TEST(Symbolizer, WithoutDebugInformation) {
  void* plugin = dlopen("harness/ledger/libtest_stripped.so", RTLD_NOW);
  ASSERT_NE(plugin, nullptr) << dlerror();
  auto* shown = reinterpret_cast<uint64_t (*)()>(dlsym(plugin, "StrippedShown"));
  auto* hidden = reinterpret_cast<uint64_t (*)()>(dlsym(plugin, "StrippedCallsHidden"));
  ASSERT_NE(shown, nullptr);
  ASSERT_NE(hidden, nullptr);
  const uint64_t shown_address = shown();
  const uint64_t hidden_address = hidden();
  const std::vector<Module> modules = MappedModules();
  Symbolizer symbolizer(modules);
  ASSERT_EQ(symbolizer.Frames(shown_address).size(), 1u);
  const std::string by_name = FrameText(symbolizer.Frames(shown_address)[0]);
  char wanted[128];
  std::snprintf(wanted, sizeof wanted, "StrippedShown+0x%lx (libtest_stripped.so)",
                shown_address - reinterpret_cast<uint64_t>(shown));
  EXPECT_EQ(by_name, wanted);
  const std::string by_module = FrameText(symbolizer.Frames(hidden_address)[0]);
  for (const Module& module : modules) {
    if (hidden_address < module.start || hidden_address >= module.end) continue;
    std::snprintf(wanted, sizeof wanted, "libtest_stripped.so+0x%lx",
                  hidden_address - module.start + module.offset);
  }
  EXPECT_EQ(by_module, wanted);
  dlclose(plugin);
}

TEST(Symbolizer, MissingFilesAndStrayAddresses) {
  Symbolizer symbolizer(
      {{.start = 0x1000, .end = 0x3000, .offset = 0x500, .path = "/gone/lib.so"}});
  EXPECT_EQ(FrameText(symbolizer.Frames(0x1234)[0]), "lib.so+0x734");
  EXPECT_EQ(FrameText(symbolizer.Frames(0x3001)[0]), "0x3001");
  EXPECT_EQ(FrameText(symbolizer.Frames(0x10)[0]), "0x10");
  Symbolizer nothing({});
  EXPECT_EQ(FrameText(nothing.Frames(0x10)[0]), "0x10");
}

// Addresses that the ledger moved apart: the module is not where it was loaded.
TEST(Symbolizer, ModulesShownElsewhere) {
  const uint64_t moved = uint64_t{3} << 48;
  const uint64_t address = Outer() + moved;
  std::vector<Module> modules = MappedModules();
  for (Module& module : modules) {
    module.start += moved;
    module.end += moved;
  }
  Symbolizer symbolizer(modules);
  EXPECT_EQ(symbolizer.Frames(address)[0].function, "plimsoll::ledger::Inlined");
}

}  // namespace
}  // namespace plimsoll::ledger
