#ifndef HARNESS_LEAK_TEST_H_
#define HARNESS_LEAK_TEST_H_

// LEAK_TEST and the HoldsSteady matcher: GoogleTest's face of Plimsoll.
//
//   LEAK_TEST(CompiledModel, Recompile) {     // the body is one iteration
//     auto model = runtime.Compile("resnet50.onnx");
//     model.Infer(input);
//   }
//
// Each LEAK_TEST runs in a fresh process of its own (the test binary re-executed with
// the ledger preloaded), for as many iterations as its verdict needs, and fails unless
// it is CLEAN within its lines. Filters, sharding and repetition work as in GoogleTest.
// LEAK_TEST_F(Fixture, Name) runs the fixture's SetUp and TearDown once, in that
// process; SetUpTestSuite is not run. Tests of GoogleTest's and of this kind should
// not share a suite's name. A failed EXPECT or ASSERT in the body ends the case.
//
// Registration is thread-compatible, as in GoogleTest.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/units.h"
#include "harness/gate/lines.h"
#include "harness/result.h"
#include "harness/verdict/verdict.h"

namespace plimsoll {

class LeakTestOptions {
 public:
  // Iterations judged at most, after the warm-up. Default: Rule's.
  LeakTestOptions& Iterations(uint32_t count);
  LeakTestOptions& Warmup(uint32_t count);
  // Environment by name, as `plimsoll list` prints them. Default "glibc".
  LeakTestOptions& Environment(std::string name);
  // Environment variables of the case's process.
  LeakTestOptions& Variable(std::string name, std::string value);
  LeakTestOptions& PeakRss(uint64_t bytes);
  LeakTestOptions& LiveHeapPeak(uint64_t bytes);
  LeakTestOptions& TimeLimit(double seconds);
  // A positive control: the test passes only if the verdict is LEAK, of this kind, with
  // `function` in the stack of the site (empty: any site).
  LeakTestOptions& ExpectLeak(ResourceKind kind, std::string function);
  // Also held against the leak that ExpectLeak announced.
  LeakTestOptions& ExpectBytesPerIteration(double bytes);
  LeakTestOptions& ExpectPeriod(uint32_t iterations);

  struct ExpectedLeak {
    ResourceKind kind = ResourceKind::kHeap;
    std::string function;
    std::optional<double> bytes_per_iteration;
    std::optional<uint32_t> period;
  };

  Rule rule;
  std::string environment = "glibc";
  std::vector<std::pair<std::string, std::string>> variables;
  std::vector<Line> lines;
  double time_limit_seconds = 600;
  std::optional<ExpectedLeak> expected;
};

// Runs `iteration` again and again in this process, for as long as the verdict needs,
// and returns the result. The process's other allocations, if any thread makes some,
// are judged too. Needs no LEAK_TEST around it, but not inside one.
CaseResult Iterate(const std::function<void()>& iteration,
                   const LeakTestOptions& options = LeakTestOptions());

// Matches a CaseResult that is CLEAN and within the lines asked for:
//   EXPECT_THAT(plimsoll::Iterate([&] { ... }), plimsoll::HoldsSteady().WithPeakRss(450_MiB));
class HoldsSteadyMatcher {
 public:
  using is_gtest_matcher = void;

  HoldsSteadyMatcher WithPeakRss(uint64_t bytes) const;
  HoldsSteadyMatcher WithLiveHeapPeak(uint64_t bytes) const;

  bool MatchAndExplain(const CaseResult& result, std::ostream* explanation) const;
  void DescribeTo(std::ostream* out) const;
  void DescribeNegationTo(std::ostream* out) const;

 private:
  std::vector<Line> lines_;
};
HoldsSteadyMatcher HoldsSteady();

namespace internal {

// A test whose iteration can be called again and again.
class LeakTestBody {
 public:
  virtual ~LeakTestBody() = default;
  virtual void Iteration() = 0;
};

// In the case's process: iterates until the harness has seen enough.
void RunIterations(LeakTestBody& body);

using TestFactory = std::function<::testing::Test*()>;
bool RegisterLeakTest(const char* suite, const char* name, const char* file, int line,
                      LeakTestOptions options, TestFactory factory);

}  // namespace internal
}  // namespace plimsoll

#define PLIMSOLL_LEAK_TEST_CLASS_(suite, name) suite##_##name##_LeakTest

#define PLIMSOLL_LEAK_TEST_(suite, name, fixture, options)                                       \
  class PLIMSOLL_LEAK_TEST_CLASS_(suite, name)                                                   \
      : public fixture, public ::plimsoll::internal::LeakTestBody {                              \
   public:                                                                                       \
    void TestBody() override { ::plimsoll::internal::RunIterations(*this); }                     \
    void Iteration() override;                                                                   \
  };                                                                                             \
  [[maybe_unused]] static const bool suite##_##name##_registered_ =                              \
      ::plimsoll::internal::RegisterLeakTest(#suite, #name, __FILE__, __LINE__, options, [] {    \
        return static_cast<::testing::Test*>(new PLIMSOLL_LEAK_TEST_CLASS_(suite, name)());      \
      });                                                                                        \
  void PLIMSOLL_LEAK_TEST_CLASS_(suite, name)::Iteration()

#define LEAK_TEST(suite, name) \
  PLIMSOLL_LEAK_TEST_(suite, name, ::testing::Test, ::plimsoll::LeakTestOptions())
#define LEAK_TEST_WITH(suite, name, options) \
  PLIMSOLL_LEAK_TEST_(suite, name, ::testing::Test, options)
#define LEAK_TEST_F(fixture, name) \
  PLIMSOLL_LEAK_TEST_(fixture, name, fixture, ::plimsoll::LeakTestOptions())
#define LEAK_TEST_F_WITH(fixture, name, options) \
  PLIMSOLL_LEAK_TEST_(fixture, name, fixture, options)

#endif  // HARNESS_LEAK_TEST_H_
