// The ledger preloaded into programs that know nothing of it, ahead of other allocators.

#include <gtest/gtest.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

namespace {

constexpr char kLedger[] = "harness/ledger/libtest_ledger.so";
constexpr char kProgram[] = "harness/ledger/test_program";

std::string WorkingFolder() {
  char folder[4096];
  return getcwd(folder, sizeof folder) != nullptr ? folder : "";
}

struct Result {
  int status = -1;
  std::string output;
};

// Through the shell; `environment` is a list of assignments for it.
Result RunCommand(const std::string& environment, const std::string& command) {
  Result result;
  FILE* pipe = popen(("env -u TEST_PREMATURE_EXIT_FILE -u XML_OUTPUT_FILE " + environment + " " +
                      command + " 2>&1")
                         .c_str(),
                     "r");
  if (pipe == nullptr) return result;
  char part[4096];
  size_t length;
  while ((length = fread(part, 1, sizeof part, pipe)) > 0) result.output.append(part, length);
  result.status = pclose(pipe);
  return result;
}

std::string Preload(const std::string& next) {
  return "LD_PRELOAD=" + WorkingFolder() + "/" + kLedger + (next.empty() ? "" : ":" + next);
}

std::string Contents(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

bool IsInstalled(const std::string& library) {
  return library.empty() || RunCommand("LD_PRELOAD=" + library, "true").output.empty();
}

struct Allocator {
  const char* name;
  const char* library;
};

class Ahead : public testing::TestWithParam<Allocator> {};

TEST_P(Ahead, CountsOfAnUnsuspectingProgramAreExact) {
  if (!IsInstalled(GetParam().library)) GTEST_SKIP() << GetParam().library << " is not installed";
  const std::string report = std::string(getenv("TEST_TMPDIR")) + "/" + GetParam().name;
  const Result result =
      RunCommand(Preload(GetParam().library) + " PLIMSOLL_TEST_REPORT=" + report, kProgram);
  EXPECT_EQ(result.status, 0) << result.output;
  EXPECT_EQ(result.output, "survived\n");
  EXPECT_EQ(Contents(report),
            "interposed 1 complete 1\n"
            "heap: 60421 in 16\n"
            "mapping: 8192 in 1\n"
            "descriptor: 0 in 5\n"
            "thread: 0 in 1\n"
            "shared memory: 0 in 0\n"
            "temporary file: 0 in 0\n"
            "allocator block: 0 in 0\n");
}

INSTANTIATE_TEST_SUITE_P(Allocators, Ahead,
                         testing::Values(Allocator{"glibc", ""},
                                         Allocator{"jemalloc", "libjemalloc.so.2"},
                                         Allocator{"tcmalloc", "libtcmalloc_minimal.so.4"},
                                         Allocator{"mimalloc", "libmimalloc.so.2"}),
                         [](const testing::TestParamInfo<Allocator>& allocator) {
                           return std::string(allocator.param.name);
                         });

// The tests that link the ledger, over another allocator.
TEST_P(Ahead, OwnTestsPass) {
  if (!IsInstalled(GetParam().library)) GTEST_SKIP() << GetParam().library << " is not installed";
  for (const char* test : {"harness/ledger/heap_test", "harness/ledger/held_test"}) {
    const Result result =
        RunCommand("LD_PRELOAD=" + std::string(GetParam().library) + " GTEST_COLOR=no", test);
    EXPECT_EQ(result.status, 0) << test << "\n" << result.output;
  }
}

struct Command {
  const char* name;
  const char* needs;
  const char* command;
  const char* output;
};

class Inside : public testing::TestWithParam<Command> {};

TEST_P(Inside, Survives) {
  if (RunCommand("", std::string("sh -c 'command -v ") + GetParam().needs + "'").status != 0) {
    GTEST_SKIP() << GetParam().needs << " is not installed";
  }
  const Result result = RunCommand(Preload(""), GetParam().command);
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.output, GetParam().output);
}

INSTANTIATE_TEST_SUITE_P(
    Programs, Inside,
    testing::Values(Command{"shell", "sh", "sh -c 'echo one | cat; (echo two)'", "one\ntwo\n"},
                    Command{"python", "python3",
                            "python3 -c 'import ctypes, json, subprocess, threading\n"
                            "t = threading.Thread(target=lambda: None); t.start(); t.join()\n"
                            "print(subprocess.check_output([\"echo\", \"three\"]))'",
                            "b'three\\n'\n"},
                    Command{"node", "node", "node -e 'console.log([1, 2].map(x => x * 2))'",
                            "[ 2, 4 ]\n"}),
    [](const testing::TestParamInfo<Command>& command) { return std::string(command.param.name); });

TEST(SharedObject, ShowsOnlyWhatItInterposesAndNeedsNoCxxLibrary) {
  const Result symbols = RunCommand("", std::string("nm -D -g --defined-only -P ") + kLedger);
  ASSERT_EQ(symbols.status, 0) << symbols.output;
  std::istringstream lines(symbols.output);
  size_t seen = 0;
  for (std::string name, rest; lines >> name && std::getline(lines, rest);) {
    ++seen;
    // In C++ only operator new and delete: _Zn.., _Zd..
    EXPECT_FALSE(name.rfind("_Z", 0) == 0 && name[2] != 'n' && name[2] != 'd') << name;
    EXPECT_EQ(name.find("ledger"), std::string::npos) << name;
  }
  EXPECT_GT(seen, 100u);
  const Result needed = RunCommand("", std::string("readelf -d ") + kLedger);
  EXPECT_NE(needed.output.find("[libc.so.6]"), std::string::npos);
  EXPECT_EQ(needed.output.find("libstdc++"), std::string::npos) << needed.output;
}

}  // namespace
