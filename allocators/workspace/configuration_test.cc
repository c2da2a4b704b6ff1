#include "allocators/workspace/configuration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

namespace plimsoll {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Builder = WorkspaceConfigurationBuilder;

std::string ErrorOf(const Builder& builder) {
  const Expected<WorkspaceConfiguration> built = builder.Build();
  return built ? "no error" : built.error().message;
}

TEST(WorkspaceConfiguration, DefaultsAreThoseOfNd4j) {
  const WorkspaceConfiguration c = Builder().Build().value();
  EXPECT_EQ(c.initial_size(), 0u);
  EXPECT_EQ(c.min_size(), 0u);
  EXPECT_EQ(c.max_size(), 0u);
  EXPECT_EQ(c.overallocation_limit(), 0.3);
  EXPECT_EQ(c.cycles_before_initialization(), 0u);
  EXPECT_EQ(c.allocation(), AllocationPolicy::kOverallocate);
  EXPECT_EQ(c.spill(), SpillPolicy::kExternal);
  EXPECT_EQ(c.mirroring(), MirroringPolicy::kFull);
  EXPECT_EQ(c.learning(), LearningPolicy::kFirstLoop);
  EXPECT_EQ(c.reset(), ResetPolicy::kBlockLeft);
  EXPECT_EQ(c.location(), LocationPolicy::kRam);
}

TEST(WorkspaceConfiguration, LearningDefaultsToNoneWhereNothingCanBeLearned) {
  EXPECT_EQ(Builder().Location(LocationPolicy::kMmap).InitialSize(1).Build()->learning(),
            LearningPolicy::kNone);
  EXPECT_EQ(Builder()
                .Reset(ResetPolicy::kEndOfBufferReached)
                .Allocation(AllocationPolicy::kStrict)
                .InitialSize(1)
                .Build()
                ->learning(),
            LearningPolicy::kNone);
}

TEST(WorkspaceConfigurationErrors, NegativeSize) {
  EXPECT_EQ(ErrorOf(Builder().InitialSize(-1)),
            "workspace configuration: initial_size: '-1': expected bytes from 0 to 2^63 - 1");
  EXPECT_EQ(ErrorOf(Builder().MinSize(-2)),
            "workspace configuration: min_size: '-2': expected bytes from 0 to 2^63 - 1");
  EXPECT_EQ(ErrorOf(Builder().MaxSize(-3)),
            "workspace configuration: max_size: '-3': expected bytes from 0 to 2^63 - 1");
}

TEST(WorkspaceConfigurationErrors, SizeOf2To63AndMoreArrivesNegative) {
  EXPECT_THAT(ErrorOf(Builder().InitialSize(static_cast<int64_t>(uint64_t{1} << 63))),
              HasSubstr("'-9223372036854775808': expected bytes from 0 to 2^63 - 1"));
}

TEST(WorkspaceConfigurationErrors, NanInfiniteOrNegativeLimit) {
  EXPECT_EQ(ErrorOf(Builder().OverallocationLimit(std::nan(""))),
            "workspace configuration: overallocation_limit: 'nan': expected a finite share of at "
            "least 0");
  EXPECT_THAT(ErrorOf(Builder().OverallocationLimit(std::numeric_limits<double>::infinity())),
              HasSubstr("'inf': expected a finite share"));
  EXPECT_THAT(ErrorOf(Builder().OverallocationLimit(-0.1)),
              HasSubstr("'-0.1': expected a finite share"));
}

TEST(WorkspaceConfigurationErrors, OverflowingOverallocation) {
  EXPECT_EQ(ErrorOf(Builder().InitialSize(int64_t{1} << 62).OverallocationLimit(1.0)),
            "workspace configuration: overallocation_limit: '1': expected initial_size "
            "(4611686018427387904) times (1 + overallocation_limit) below 2^63");
  EXPECT_EQ(ErrorOf(Builder()
                        .InitialSize(int64_t{1} << 62)
                        .OverallocationLimit(1.0)
                        .Allocation(AllocationPolicy::kStrict)),
            "no error");
}

TEST(WorkspaceConfigurationErrors, MinAboveMax) {
  EXPECT_EQ(ErrorOf(Builder().MinSize(2048).MaxSize(1024)),
            "workspace configuration: min_size: '2048': expected at most max_size (1024)");
  EXPECT_EQ(ErrorOf(Builder().MinSize(2048).MaxSize(0)), "no error");
}

TEST(WorkspaceConfigurationErrors, InitialAboveMax) {
  EXPECT_EQ(ErrorOf(Builder().InitialSize(2048).MaxSize(1024)),
            "workspace configuration: initial_size: '2048': expected at most max_size (1024)");
}

TEST(WorkspaceConfigurationErrors, OverTimeWithoutCycles) {
  EXPECT_EQ(ErrorOf(Builder().Learning(LearningPolicy::kOverTime)),
            "workspace configuration: cycles_before_initialization: '0': expected at least 1 with "
            "learning OVER_TIME");
  EXPECT_THAT(ErrorOf(Builder().Learning(LearningPolicy::kOverTime).CyclesBeforeInitialization(-1)),
              HasSubstr("'-1': expected at least 0"));
}

TEST(WorkspaceConfigurationErrors, CyclesWithoutOverTime) {
  EXPECT_EQ(ErrorOf(Builder().CyclesBeforeInitialization(3)),
            "workspace configuration: cycles_before_initialization: '3': only with learning "
            "OVER_TIME");
}

TEST(WorkspaceConfigurationErrors, Alignment) {
  for (const int64_t alignment : {0, -8, 4, 12, 8192}) {
    EXPECT_EQ(ErrorOf(Builder().Alignment(alignment)),
              "workspace configuration: alignment: '" + std::to_string(alignment) +
                  "': expected a power of two from 8 to 4096");
  }
}

TEST(WorkspaceConfigurationErrors, FailWithoutInitialSize) {
  EXPECT_EQ(ErrorOf(Builder().Spill(SpillPolicy::kFail)),
            "workspace configuration: spill: 'FAIL': expected initial_size above 0: the first "
            "cycle would have no room at all");
}

TEST(WorkspaceConfigurationErrors, CircularWithALimitBelow1) {
  EXPECT_EQ(ErrorOf(Builder().Reset(ResetPolicy::kEndOfBufferReached)),
            "workspace configuration: overallocation_limit: '0.3': expected at least 1 (two "
            "blocks) with reset ENDOFBUFFER_REACHED and allocation OVERALLOCATE");
}

TEST(WorkspaceConfigurationErrors, CircularCombinations) {
  const Builder circular =
      Builder().Reset(ResetPolicy::kEndOfBufferReached).OverallocationLimit(2.0);
  EXPECT_EQ(ErrorOf(circular), "no error");
  EXPECT_THAT(ErrorOf(Builder(circular).InitialSize(64).Learning(LearningPolicy::kFirstLoop)),
              HasSubstr("initial_size: '64': expected 0 with reset ENDOFBUFFER_REACHED and "
                        "learning FIRST_LOOP"));
  EXPECT_THAT(ErrorOf(Builder(circular).Learning(LearningPolicy::kNone)),
              HasSubstr("initial_size: '0': expected above 0 with reset ENDOFBUFFER_REACHED and "
                        "learning NONE"));
  EXPECT_THAT(ErrorOf(Builder(circular).InitialSize(64).Spill(SpillPolicy::kReallocate)),
              HasSubstr("spill: 'REALLOCATE': expected EXTERNAL or FAIL"));
}

TEST(WorkspaceConfigurationErrors, MmapWithLearning) {
  EXPECT_EQ(ErrorOf(Builder()
                        .Location(LocationPolicy::kMmap)
                        .InitialSize(4096)
                        .Learning(LearningPolicy::kFirstLoop)),
            "workspace configuration: learning: 'FIRST_LOOP': expected NONE with location MMAP: "
            "the file has its size from the start");
}

TEST(WorkspaceConfigurationErrors, MmapCombinations) {
  EXPECT_THAT(ErrorOf(Builder().Location(LocationPolicy::kMmap)),
              HasSubstr("initial_size: '0': expected at least 1 byte for a temporary file"));
  EXPECT_THAT(ErrorOf(Builder().MmapPath("/tmp/x")),
              HasSubstr("mmap_path: '/tmp/x': only with location MMAP"));
  EXPECT_THAT(ErrorOf(Builder().TemporaryDirectory("/tmp")),
              HasSubstr("temporary_directory: '/tmp': only with location MMAP"));
  EXPECT_THAT(ErrorOf(Builder()
                          .Location(LocationPolicy::kMmap)
                          .InitialSize(1)
                          .MmapPath("/tmp/x")
                          .TemporaryDirectory("/tmp")),
              HasSubstr("not together with mmap_path"));
}

// Every combination of policies either builds or is refused by one of the stated rules.
TEST(WorkspaceConfiguration, EveryCombinationIsSupportedOrRefusedWithAReason) {
  size_t supported = 0;
  std::set<std::string> reasons;
  for (const int64_t initial : {0, 4096}) {
    for (const auto allocation : {AllocationPolicy::kStrict, AllocationPolicy::kOverallocate}) {
      for (const auto learning :
           {LearningPolicy::kNone, LearningPolicy::kFirstLoop, LearningPolicy::kOverTime}) {
        for (const auto reset : {ResetPolicy::kBlockLeft, ResetPolicy::kEndOfBufferReached}) {
          for (const auto spill :
               {SpillPolicy::kExternal, SpillPolicy::kReallocate, SpillPolicy::kFail}) {
            for (const auto location : {LocationPolicy::kRam, LocationPolicy::kMmap}) {
              const Builder builder =
                  Builder()
                      .InitialSize(initial)
                      .OverallocationLimit(2.0)
                      .Allocation(allocation)
                      .Learning(learning)
                      .CyclesBeforeInitialization(learning == LearningPolicy::kOverTime ? 2 : 0)
                      .Reset(reset)
                      .Spill(spill)
                      .Location(location);
              const std::string error = ErrorOf(builder);
              if (error == "no error") {
                ++supported;
              } else {
                EXPECT_THAT(error, AllOf(StartsWith("workspace configuration: "),
                                         HasSubstr("': expected ")));
                reasons.insert(error);
              }
            }
          }
        }
      }
    }
  }
  EXPECT_EQ(supported, 52u);
  EXPECT_EQ(reasons.size(), 8u);
}

TEST(WorkspaceConfiguration, TextAndBackIsTheSame) {
  const WorkspaceConfiguration built = Builder()
                                           .InitialSize(10 << 20)
                                           .MaxSize(int64_t{1} << 40)
                                           .OverallocationLimit(0.1)
                                           .Alignment(64)
                                           .Spill(SpillPolicy::kReallocate)
                                           .Learning(LearningPolicy::kOverTime)
                                           .CyclesBeforeInitialization(7)
                                           .Build()
                                           .value();
  const Expected<WorkspaceConfiguration> parsed = ParseWorkspaceConfiguration(built.ToText());
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  EXPECT_TRUE(*parsed == built) << parsed->ToText();
  EXPECT_THAT(built.ToText(),
              AllOf(StartsWith("initial_size=10485760, "), HasSubstr("spill=REALLOCATE")));
}

TEST(WorkspaceConfiguration, ParsesUnitsAndKeepsDefaults) {
  const WorkspaceConfiguration c =
      ParseWorkspaceConfiguration(" initial_size = 10 MiB , location=MMAP,mmap_path=/data/ws ")
          .value();
  EXPECT_EQ(c.initial_size(), uint64_t{10} << 20);
  EXPECT_EQ(c.mmap_path(), "/data/ws");
  EXPECT_EQ(c.overallocation_limit(), 0.3);
}

TEST(WorkspaceConfiguration, RefusesTextThatDoesNotParse) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"initial_size=ten", "initial_size: 'ten': expected a size such as"},
      {"initial_size", "'initial_size': expected fields such as 'initial_size=10MiB'"},
      {"size=1", "field: 'size': expected one of initial_size min_size"},
      {"spill=MAYBE", "spill: 'MAYBE': expected EXTERNAL or REALLOCATE or FAIL"},
      {"learning=first_loop", "learning: 'first_loop': expected NONE or FIRST_LOOP or OVER_TIME"},
      {"overallocation_limit=0.3x", "overallocation_limit: '0.3x': expected a share"},
      {"cycles_before_initialization=1.5", "'1.5': expected a count"}};
  for (const auto& [text, error] : cases) {
    const Expected<WorkspaceConfiguration> parsed = ParseWorkspaceConfiguration(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_THAT(parsed.error().message, HasSubstr(error));
  }
}

TEST(WorkspaceConfiguration, NamesWhatDiffers) {
  const WorkspaceConfiguration a = Builder().InitialSize(1024).Build().value();
  const WorkspaceConfiguration b =
      Builder().InitialSize(2048).Spill(SpillPolicy::kFail).Build().value();
  EXPECT_EQ(a.DifferencesFrom(b),
            "initial_size: '1024' against '2048'; spill: 'EXTERNAL' against 'FAIL'");
  EXPECT_EQ(a.DifferencesFrom(a), "");
}

}  // namespace
}  // namespace plimsoll
