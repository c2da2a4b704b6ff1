#include "tools/plan_command.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "allocators/planner_arena/planner/instances.h"
#include "base/file.h"

namespace plimsoll {
namespace {

class PlanCommandTest : public testing::Test {
 protected:
  PlanCommandTest() {
    std::string pattern = testing::TempDir() + "/planXXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~PlanCommandTest() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& text) {
    const std::string path = folder_ + "/" + name;
    EXPECT_TRUE(WriteFile(path, text));
    return path;
  }

  // Tiles but one: with it they would be a tiling, which is planned at once.
  std::string WriteTiles(const std::string& name, int32_t count) {
    std::string text = "id,lower,upper,size\n";
    int64_t id = 0;
    std::vector<Buffer> tiles = PerfectTiles(count, Cuts::kPinwheels, 1);
    tiles.pop_back();
    for (const Buffer& b : tiles) {
      text += std::to_string(id++) + "," + std::to_string(b.lower) + "," + std::to_string(b.upper) +
              "," + std::to_string(b.size) + "\n";
    }
    return Write(name, text);
  }

  // Runs `plimsoll plan ARGUMENTS…`; out_ and err_ are what it printed.
  int Run(std::vector<std::string> arguments) {
    CLI::App app;
    int status = -1;
    AddPlanCommand(app, status);
    arguments.insert(arguments.begin(), "plan");
    std::reverse(arguments.begin(), arguments.end());
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    app.parse(arguments);
    out_ = testing::internal::GetCapturedStdout();
    err_ = testing::internal::GetCapturedStderr();
    return status;
  }

  bool Printed(const std::string& text) const { return out_.find(text) != std::string::npos; }

  std::string folder_, out_, err_;
};

TEST_F(PlanCommandTest, PlansAndWrites) {
  const std::string trace =
      Write("t.csv", "id,lower,upper,size,alignment\nx,0,4,100,1\ny,4,9,100,1\nz,2,6,28,64\n");
  ASSERT_EQ(Run({trace, "-o", folder_ + "/out.csv", "--svg", folder_ + "/out.svg"}), 0) << err_;
  EXPECT_TRUE(Printed("t.csv: 3 buffers, at most 128 B live")) << out_;
  EXPECT_TRUE(Printed("height    128 bytes (128 B), proven optimal")) << out_;
  EXPECT_EQ(*ReadFile(folder_ + "/out.csv"),
            "id,lower,upper,size,alignment,offset\nx,0,4,100,1,28\ny,4,9,100,1,28\n"
            "z,2,6,28,64,0\n");
  const std::string svg = *ReadFile(folder_ + "/out.svg");
  EXPECT_NE(svg.find("3 buffers in 128 B"), std::string::npos) << svg;
  EXPECT_NE(svg.find("<title>buffer z: 28 B at 0, live [2, 6)</title>"), std::string::npos) << svg;
  EXPECT_EQ(err_, "");  // not a terminal: no progress
}

TEST_F(PlanCommandTest, ChecksWhatItWrote) {
  const std::string trace = Write("t.csv", "id,lower,upper,size\nx,0,4,100\ny,4,9,100\nz,2,6,28\n");
  const std::string planned = folder_ + "/planned.csv";
  ASSERT_EQ(Run({trace, "-o", planned}), 0) << err_;
  EXPECT_EQ(Run({planned, "--check"}), 0) << err_;
  EXPECT_EQ(out_, planned +
                      ": a plan of 3 buffers\n  height    128 bytes (128 B)\n"
                      "  bound     128 bytes: no plan is lower; gap 0.000 %\n");
  // A log of numbers has no names.
  ASSERT_EQ(Run({Write("log", "0 3 8\n1 2 8\n"), "-o", planned}), 0) << err_;
  EXPECT_EQ(Run({planned, "--check"}), 0) << err_;
}

TEST_F(PlanCommandTest, CheckNamesTheFirstOverlap) {
  const std::string bad =
      Write("bad.csv", "id,lower,upper,size,offset\nx,0,4,100,0\n\ny,4,9,100,0\nz,2,6,28,99\n");
  EXPECT_EQ(Run({bad, "--check"}), 1);
  EXPECT_EQ(out_, bad +
                      ": no plan: plan: buffer z of line 5 (lifetime [2, 6), bytes [99, 127)) "
                      "overlaps buffer x of line 2 (lifetime [0, 4), bytes [0, 100))\n");
  EXPECT_EQ(Run({Write("t.csv", "id,lower,upper,size\nx,0,4,100\n"), "--check"}), 2);
  EXPECT_NE(err_.find("expected an offset in each row"), std::string::npos) << err_;
  EXPECT_EQ(Run({bad, "--check", "-o", folder_ + "/out"}), 2);
}

TEST_F(PlanCommandTest, NotesStandBelowTheTable) {
  const std::string profile =
      Write("p.csv",
            "id,lower,upper,size,alignment,thread,fate,site\n0,1,4,100,64,0,in_step,conv\n"
            "1,2,14,50,64,0,carried,loss\n2,3,,9,64,0,outlives,cache\n");
  const std::string log = Write("log.csv",
                                "Thread,Time,Action,Pointer,Size,Stream\n1,0.1,allocate,0x10,256,"
                                "0\n1,0.2,free,0x10,256,0\n1,0.3,allocate,0x10,256,0\n");
  ASSERT_EQ(Run({profile, log}), 0) << err_;
  EXPECT_TRUE(Printed("p.csv: 1 blocks that outlive two steps are left out\n")) << out_;
  EXPECT_TRUE(Printed("p.csv: 1 blocks live on into the next step: planned for one step")) << out_;
  EXPECT_TRUE(Printed("log.csv: 1 blocks are never freed: live to the end\n")) << out_;
  EXPECT_GT(out_.find("p.csv: 1"), out_.find("\nlog.csv "));
  ASSERT_EQ(Run({profile}), 0) << err_;
  EXPECT_TRUE(Printed("  note      1 blocks live on into the next step")) << out_;
}

TEST_F(PlanCommandTest, OutputAloneOnStandardOutput) {
  ASSERT_EQ(Run({Write("log", "0 3 8\n1 2 8\n"), "-o", "-"}), 0) << err_;
  EXPECT_EQ(out_, "0 3 8 0\n1 2 8 8\n");
  EXPECT_NE(err_.find("2 buffers, at most 16 B live"), std::string::npos);
}

TEST_F(PlanCommandTest, InclusiveRangesMeet) {
  const std::string trace = Write("t.csv", "id,lower,upper,size\n0,0,4,10\n1,4,9,10\n");
  ASSERT_EQ(Run({trace}), 0);
  EXPECT_TRUE(Printed("height    10 bytes")) << out_;
  ASSERT_EQ(Run({trace, "--inclusive"}), 0);
  EXPECT_TRUE(Printed("height    20 bytes")) << out_;
}

TEST_F(PlanCommandTest, CapacityDecidesTheStatus) {
  const std::string tiles = WriteTiles("tiles.csv", 600);
  EXPECT_EQ(Run({tiles, "--capacity", "4 MiB"}), 0);
  EXPECT_TRUE(Printed("capacity  4 MiB: fits")) << out_;
  EXPECT_EQ(Run({tiles, "--capacity", "1048575"}), 1);
  EXPECT_TRUE(Printed("does not fit")) << out_;
  EXPECT_EQ(Run({tiles, "--capacity", "1 MiB", "--effort", "0"}), 3);
  EXPECT_TRUE(Printed("undecided")) << out_;
}

TEST_F(PlanCommandTest, SeveralFilesMakeATable) {
  const std::string small = Write("small", "0 3 8\n");
  const std::string tiles = WriteTiles("tiles.csv", 600);
  EXPECT_EQ(Run({small, tiles, "--capacity", "1 MiB", "--effort", "0"}), 3);
  EXPECT_EQ(out_.rfind("instance ", 0), 0u) << out_;
  EXPECT_TRUE(Printed("\nsmall ")) << out_;
  EXPECT_TRUE(Printed(" fits ")) << out_;
  EXPECT_TRUE(Printed("\ntiles.csv ")) << out_;
  EXPECT_TRUE(Printed(" undecided ")) << out_;
  // Proven outranks undecided.
  const std::string large = Write("large", "0 3 2000000\n");
  EXPECT_EQ(Run({large, tiles, "--capacity", "1 MiB", "--effort", "0"}), 1);
}

TEST_F(PlanCommandTest, TimeLimitAndThreads) {
  EXPECT_EQ(Run({WriteTiles("tiles.csv", 600), "--time-limit", "0.1", "--threads", "2"}), 0);
  EXPECT_TRUE(Printed("the best found")) << out_;
}

TEST_F(PlanCommandTest, RefusesWithOneLine) {
  EXPECT_EQ(Run({folder_ + "/absent"}), 2);
  EXPECT_NE(err_.find("absent: "), std::string::npos) << err_;
  const std::string bad = Write("bad.csv", "id,lower,upper,size\n0,1,2,x\n");
  EXPECT_EQ(Run({bad}), 2);
  EXPECT_EQ(err_, "plimsoll: " + bad + ":2: size: 'x': expected a whole number\n");
  const std::string good = Write("good.csv", "id,lower,upper,size\n0,1,2,3\n");
  EXPECT_EQ(Run({good, "-o", "-", "--svg", "-"}), 2);
  EXPECT_EQ(err_,
            "plimsoll: plan: -o and --svg: expected standard output, -, for one of them "
            "only\n");
  EXPECT_EQ(out_, "");
  EXPECT_EQ(Run({good, "--capacity", "0"}), 2);
  EXPECT_NE(err_.find("--capacity: '0': expected"), std::string::npos) << err_;
  EXPECT_EQ(Run({good, "--capacity", "lots"}), 2);
  EXPECT_EQ(Run({good, "--threads", "0"}), 2);
  EXPECT_EQ(err_, "plimsoll: threads: '0': expected >= 1\n");
  EXPECT_EQ(Run({good, good, "-o", folder_ + "/out"}), 2);
  EXPECT_NE(err_.find("expected one FILE, not 2"), std::string::npos) << err_;
}

}  // namespace
}  // namespace plimsoll
