#include "harness/leak_test.h"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <ostream>
#include <sstream>
#include <utility>

#include "harness/client.h"
#include "harness/report/table.h"
#include "harness/runner/agent.h"
#include "harness/runner/conductor.h"
#include "harness/runner/environment.h"
#include "harness/runner/parent.h"

namespace plimsoll {
namespace {

std::string ThisBinary() {
  char self[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", self, sizeof(self));
  return length > 0 ? std::string(self, static_cast<size_t>(length)) : "/proc/self/exe";
}

// The shared object that this binary was linked with, to preload into the case's
// process; empty when the agent is part of the binary itself (sanitizer builds).
std::string LedgerPath() {
  Dl_info info = {};
  char resolved[PATH_MAX];
  if (dladdr(reinterpret_cast<void*>(&plimsoll_agent_present), &info) == 0 ||
      realpath(info.dli_fname, resolved) == nullptr) {
    return "";
  }
  return ThisBinary() == resolved ? "" : resolved;
}

Line MakeLine(const char* metric, uint64_t limit) {
  return Line{metric, static_cast<double>(limit), "test"};
}

// "CLEAN: …" with the sites and their stacks, as the table prints them.
std::string Summary(const CaseResult& result) {
  TableOptions options;
  options.details_of_all = true;
  return RenderDetails(result, options);
}

// Why `result` is not the leak that was announced; empty when it is.
std::string Mismatch(const CaseResult& result, const LeakTestOptions::ExpectedLeak& expected) {
  if (result.verdict != Verdict::kLeak) {
    return std::string("expected LEAK, but the verdict is ") + VerdictName(result.verdict);
  }
  std::string why = "no leaking site is a " + std::string(ResourceKindName(expected.kind)) +
                    (expected.function.empty() ? "" : " with " + expected.function + " in its stack");
  for (const SiteFinding& site : result.sites) {
    if (site.kind != expected.kind || site.verdict != Verdict::kLeak) continue;
    const bool in_stack =
        expected.function.empty() ||
        std::any_of(site.stack.begin(), site.stack.end(), [&](const std::string& frame) {
          return frame.find(expected.function) != std::string::npos;
        });
    if (!in_stack) continue;
    if (expected.bytes_per_iteration.has_value() &&
        std::fabs(site.bytes_per_iteration - *expected.bytes_per_iteration) >
            1e-6 * *expected.bytes_per_iteration) {
      why = "expected " + std::to_string(*expected.bytes_per_iteration) +
            " bytes per iteration, found " + std::to_string(site.bytes_per_iteration);
      continue;
    }
    if (expected.period.has_value() && site.period != expected.period) {
      why = "expected a leak every " + std::to_string(*expected.period) + " iterations, found " +
            site.pattern;
      continue;
    }
    return "";
  }
  return why;
}

// In the harness's process: stands for the test in GoogleTest's list, and runs it in
// a process of its own.
class ParentTest : public ::testing::Test {
 public:
  ParentTest(std::string name, const LeakTestOptions& options)
      : name_(std::move(name)), options_(options) {}

  void TestBody() override {
    CaseSpec spec;
    spec.scenario = name_;
    spec.engine = "leak_test";
    spec.allocator = "system";
    spec.rule = options_.rule;
    spec.time_limit = std::chrono::duration<double>(options_.time_limit_seconds);
    const Expected<Environment> environment = FindEnvironment(options_.environment);
    ASSERT_TRUE(environment.has_value()) << environment.error().message;
    spec.environment = *environment;
    spec.command = {"/proc/self/exe",     "--gtest_filter=" + name_, "--gtest_repeat=1",
                    "--gtest_color=no",   "--gtest_output=",         "--gtest_shuffle=0",
                    "--gtest_also_run_disabled_tests"};
    spec.variables = options_.variables;
    // The parent already chose this test: the child must not shard it away.
    spec.variables.emplace_back("GTEST_TOTAL_SHARDS", "1");
    spec.variables.emplace_back("GTEST_SHARD_INDEX", "0");
  // The file that tells Bazel of a test that ended early is the parent's to remove.
  spec.variables.emplace_back("TEST_PREMATURE_EXIT_FILE", "");
    CaseObserver observer;
    CaseResult result = RunCase(spec, LedgerPath(), observer);
    if (result.skipped) GTEST_SKIP() << result.reason;
    HoldLines(result, options_.lines);
    RecordProperty("verdict", VerdictName(result.verdict));
    RecordProperty("iterations", std::to_string(result.iterations));
    const std::string next = "next, this case alone: " + ThisBinary() + " --gtest_filter=" + name_;
    if (options_.expected.has_value()) {
      const std::string mismatch = Mismatch(result, *options_.expected);
      EXPECT_EQ(mismatch, "") << Summary(result) << next;
    } else {
      EXPECT_STREQ(VerdictName(result.verdict), "CLEAN") << Summary(result) << next;
    }
  }

 private:
  const std::string name_;
  const LeakTestOptions options_;
};

// Connects the agent in this process to a conductor in this process.
class InProcessHarness {
 public:
  explicit InProcessHarness(const Rule& rule) : conductor_(rule, /*capture_stacks=*/true) {}

  static void Write(void* context, const void* data, size_t size) {
    auto& self = *static_cast<InProcessHarness*>(context);
    std::vector<AgentEvent> events;
    const Status fed = self.decoder_.Feed(data, size, events);
    if (!fed.has_value()) self.problem_ = fed.error().message;
    for (AgentEvent& event : events) self.commands_ += self.conductor_.Take(std::move(event));
  }

  static bool Read(void* context, void* data, size_t size) {
    auto& self = *static_cast<InProcessHarness*>(context);
    // Nothing to say means that the stream broke: the agent then lets go.
    if (self.commands_.size() < size) return false;
    std::memcpy(data, self.commands_.data(), size);
    self.commands_.erase(0, size);
    return true;
  }

  const Conductor& conductor() const { return conductor_; }
  const std::string& problem() const { return problem_; }

 private:
  Conductor conductor_;
  Decoder decoder_;
  std::string commands_;
  std::string problem_;
};

}  // namespace

LeakTestOptions& LeakTestOptions::Iterations(uint32_t count) {
  rule.max_iterations = count;
  return *this;
}
LeakTestOptions& LeakTestOptions::Warmup(uint32_t count) {
  rule.warmup = count;
  return *this;
}
LeakTestOptions& LeakTestOptions::Environment(std::string name) {
  environment = std::move(name);
  return *this;
}
LeakTestOptions& LeakTestOptions::Variable(std::string name, std::string value) {
  variables.emplace_back(std::move(name), std::move(value));
  return *this;
}
LeakTestOptions& LeakTestOptions::PeakRss(uint64_t bytes) {
  lines.push_back(MakeLine("peak_rss_bytes", bytes));
  return *this;
}
LeakTestOptions& LeakTestOptions::LiveHeapPeak(uint64_t bytes) {
  lines.push_back(MakeLine("live_heap_peak_bytes", bytes));
  return *this;
}
LeakTestOptions& LeakTestOptions::TimeLimit(double seconds) {
  time_limit_seconds = seconds;
  return *this;
}
LeakTestOptions& LeakTestOptions::ExpectLeak(ResourceKind kind, std::string function) {
  expected.emplace();
  expected->kind = kind;
  expected->function = std::move(function);
  return *this;
}
LeakTestOptions& LeakTestOptions::ExpectBytesPerIteration(double bytes) {
  expected->bytes_per_iteration = bytes;
  return *this;
}
LeakTestOptions& LeakTestOptions::ExpectPeriod(uint32_t iterations) {
  expected->period = iterations;
  return *this;
}

CaseResult Iterate(const std::function<void()>& iteration, const LeakTestOptions& options) {
  CaseResult result;
  result.scenario = result.name = "Iterate";
  result.engine = "in_process";
  result.allocator = "system";
  result.environment = "glibc";
  result.warmup = options.rule.warmup;
  if (const Status checked = Check(options.rule); !checked.has_value()) {
    result.verdict = Verdict::kInconclusive;
    result.reason = checked.error().message;
    return result;
  }
  InProcessHarness harness(options.rule);
  const PlimsollChannel channel = {InProcessHarness::Write, InProcessHarness::Read, &harness};
  if (!plimsoll_agent_connect(&channel)) {
    result.reason = "Iterate() inside a process that a harness already leads";
    return result;
  }
  const uint64_t longest = uint64_t{options.rule.warmup} + 4 * options.rule.max_iterations;
  for (uint64_t i = 0; i < longest; ++i) {
    iteration();
    if (plimsoll_iteration_end() == 0) break;
  }
  plimsoll_agent_connect(nullptr);
  harness.conductor().Report(result);
  if (!harness.problem().empty()) result.reason = harness.problem();
  HoldLines(result, options.lines);
  return result;
}

HoldsSteadyMatcher HoldsSteadyMatcher::WithPeakRss(uint64_t bytes) const {
  HoldsSteadyMatcher with = *this;
  with.lines_.push_back(MakeLine("peak_rss_bytes", bytes));
  return with;
}

HoldsSteadyMatcher HoldsSteadyMatcher::WithLiveHeapPeak(uint64_t bytes) const {
  HoldsSteadyMatcher with = *this;
  with.lines_.push_back(MakeLine("live_heap_peak_bytes", bytes));
  return with;
}

bool HoldsSteadyMatcher::MatchAndExplain(const CaseResult& result,
                                         std::ostream* explanation) const {
  CaseResult held = result;
  HoldLines(held, lines_);
  if (explanation != nullptr) *explanation << Summary(held);
  return held.verdict == Verdict::kClean;
}

void HoldsSteadyMatcher::DescribeTo(std::ostream* out) const {
  *out << "holds steady";
  for (const Line& line : lines_) {
    *out << ", with " << line.metric << " at most " << FormatBytes(line.limit);
  }
}

void HoldsSteadyMatcher::DescribeNegationTo(std::ostream* out) const {
  *out << "leaks, grows or is over its line";
}

HoldsSteadyMatcher HoldsSteady() { return {}; }

namespace internal {

void RunIterations(LeakTestBody& body) {
  do {
    body.Iteration();
  } while (!::testing::Test::HasFailure() && plimsoll_iteration_end() != 0);
}

bool RegisterLeakTest(const char* suite, const char* name, const char* file, int line,
                      LeakTestOptions options, TestFactory factory) {
  ::testing::RegisterTest(
      suite, name, nullptr, nullptr, file, line,
      [full_name = std::string(suite) + "." + name, options = std::move(options),
       factory = std::move(factory)]() -> ::testing::Test* {
        if (plimsoll_present() != 0) return factory();
        return new ParentTest(full_name, options);
      });
  return true;
}

}  // namespace internal
}  // namespace plimsoll
