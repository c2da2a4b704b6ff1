// What an arena says of itself: stats, the snapshot, the picture and the profile.

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <pugixml.hpp>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "allocators/planner_arena/arena.h"
#include "allocators/planner_arena/arena_sites.h"
#include "allocators/planner_arena/arena_testing.h"

namespace plimsoll {
namespace {

using namespace arena_testing;
using Json = nlohmann::json;

constexpr size_t kMiB = size_t{1} << 20;

TEST(ArenaReports, EveryAllocatorStat) {
  CountingUpstream upstream;
  ArenaConfiguration configuration = Quick();
  configuration.limit_bytes = 64 * kMiB;
  const auto arena = MakeArena(&upstream, configuration);
  const std::vector<size_t> sizes = {2 * kMiB, kMiB, 3 * kMiB};
  EXPECT_TRUE(Steps(*arena, 7, sizes));
  void* const outside = arena->Allocate(5 * kMiB);
  const StepScope step(*arena);
  void* const a = arena->Allocate(2 * kMiB);
  void* const b = arena->Allocate(kMiB);
  const AllocatorStats stats = arena->Stats().allocator;
  EXPECT_EQ(stats.num_allocs, 7 * 3 + 1 + 2);
  EXPECT_EQ(stats.bytes_in_use, static_cast<int64_t>(8 * kMiB));
  EXPECT_EQ(stats.peak_bytes_in_use, static_cast<int64_t>(8 * kMiB));
  EXPECT_EQ(stats.largest_alloc_size, static_cast<int64_t>(5 * kMiB));
  EXPECT_EQ(stats.bytes_limit, static_cast<int64_t>(64 * kMiB));
  EXPECT_EQ(stats.bytes_reserved, static_cast<int64_t>(11 * kMiB));
  EXPECT_EQ(stats.peak_bytes_reserved, static_cast<int64_t>(11 * kMiB));
  // Free are the third block's bytes, in one piece.
  EXPECT_EQ(stats.largest_free_block, static_cast<int64_t>(3 * kMiB));
  EXPECT_EQ(stats.Fragmentation(), 0.0);
  arena->Free(a);
  const AllocatorStats later = arena->Stats().allocator;
  EXPECT_EQ(later.bytes_in_use, static_cast<int64_t>(6 * kMiB));
  EXPECT_EQ(later.peak_bytes_in_use, static_cast<int64_t>(8 * kMiB));
  // Two pieces, unless the plan put the first and the third next to each other.
  EXPECT_GE(*later.largest_free_block, static_cast<int64_t>(3 * kMiB));
  EXPECT_EQ(*later.Fragmentation(),
            static_cast<double>(5 * kMiB - static_cast<size_t>(*later.largest_free_block)) /
                static_cast<double>(5 * kMiB));
  arena->Free(b);
  arena->Free(outside);
  EXPECT_EQ(arena->Stats().allocator.bytes_in_use, 0);
  EXPECT_EQ(arena->Stats().allocator.largest_free_block, static_cast<int64_t>(6 * kMiB));
}

// Crumbs: every other one of a hundred blocks is live.
TEST(ArenaReports, FragmentationOfCrumbs) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  const std::vector<size_t> sizes(100, 4096);
  EXPECT_TRUE(Steps(*arena, 7, sizes));
  const StepScope step(*arena);
  std::vector<unsigned char*> blocks;
  for (size_t size : sizes) blocks.push_back(static_cast<unsigned char*>(arena->Allocate(size)));
  unsigned char* const base = *std::min_element(blocks.begin(), blocks.end());
  std::vector<void*> live;
  for (unsigned char* block : blocks) {
    if ((block - base) / 4096 % 2 == 0) {
      arena->Free(block);
    } else {
      live.push_back(block);
    }
  }
  EXPECT_EQ(arena->Stats().allocator.largest_free_block, 4096);
  EXPECT_NEAR(*arena->Stats().allocator.Fragmentation(), 0.98, 1e-9);
  for (void* block : live) arena->Free(block);
  EXPECT_NEAR(*arena->Stats().allocator.Fragmentation(), 0, 1e-9);
}

TEST(ArenaReports, PeakOfThreadsIsOfTheirSum) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  for (int i = 0; i < 8; ++i) {
    const StepScope step(*arena);
    void* const mine = arena->Allocate(3 * kMiB);
    std::thread([&] {
      void* const theirs = arena->Allocate(2 * kMiB);
      arena->Free(mine);
      arena->Free(theirs);
    }).join();
  }
  EXPECT_EQ(arena->Stats().allocator.peak_bytes_in_use, static_cast<int64_t>(5 * kMiB));
  EXPECT_EQ(arena->Stats().allocator.bytes_in_use, 0);
}

// Threads tell each other what they hold when they enter and leave a step, however little.
TEST(ArenaReports, PeakOfThreadsThatHoldLittle) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  const StepScope step(*arena);
  void* const mine = arena->Allocate(5 * kMiB);
  std::thread([&] {
    const StepScope part(step.Ticket());
    void* const theirs = arena->Allocate(10000);
    EXPECT_EQ(arena->Stats().allocator.peak_bytes_in_use, static_cast<int64_t>(5 * kMiB + 10000));
    arena->Free(theirs);
  }).join();
  arena->Free(mine);
}

TEST(ArenaReports, PeakOfWhatIsKeptAndWhatIsOutside) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  void* kept = nullptr;
  {
    const StepScope step(*arena);
    kept = arena->Allocate(50000);
  }
  void* const outside = arena->Allocate(kMiB);
  EXPECT_EQ(arena->Stats().allocator.peak_bytes_in_use, static_cast<int64_t>(kMiB + 50000));
  arena->Free(outside);
  arena->Free(kept);
}

TEST(ArenaReports, PlanAgeAndStableSteps) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  EXPECT_EQ(arena->Stats().plans, 0);
  Steps(*arena, kStepsToPlan, {1000, 5000});
  EXPECT_EQ(arena->Stats().stable_steps, 2);
  EXPECT_EQ(arena->Stats().recorded_steps, 3);
  Step(*arena, {1000, 5000});
  EXPECT_EQ(arena->Stats().plans, 1);
  EXPECT_EQ(arena->Stats().plan_age_steps, 0);
  Steps(*arena, 17, {1000, 5000});
  EXPECT_EQ(arena->Stats().plan_age_steps, 17);
  EXPECT_EQ(arena->Stats().planned_steps, 18);
  EXPECT_EQ(arena->Stats().plan_height, 1024 + 5056);
  EXPECT_EQ(arena->Stats().plan_lower_bound, 1024 + 5056);
  EXPECT_EQ(arena->Stats().plan_peak_live, 6000);
  // A second one is young.
  Steps(*arena, 6, {1000, 2000, 3000}, {.shape = "other"});
  EXPECT_EQ(arena->Stats().plans, 2);
  EXPECT_LT(arena->Stats().plan_age_steps, 6);
}

// A training step with a name for each part; the gradient lives into the next step.
class Training {
 public:
  explicit Training(PlannerArena& arena) : arena_(arena) {}
  ~Training() { arena_.Free(gradient_); }

  void Step() {
    const StepScope step(arena_);
    void* const activation = Ask("forward <1>", 100000);
    arena_.Free(gradient_);
    gradient_ = Ask("backward, \"first\"", 50000);
    arena_.Free(activation);
    arena_.Free(Ask("loss & metrics", 300));
  }

 private:
  void* Ask(const char* site, size_t bytes) {
    const SiteScope named(site);
    return arena_.Allocate(bytes);
  }

  PlannerArena& arena_;
  void* gradient_ = nullptr;
};

TEST(ArenaReports, SnapshotIsJsonWithEverything) {
  CountingUpstream upstream;
  ArenaConfiguration configuration = Quick();
  configuration.limit_bytes = 64 * kMiB;
  configuration.plan_seconds = 0.5;
  configuration.max_plans = 7;
  const auto arena = MakeArena(&upstream, configuration);
  Training training(*arena);
  for (int i = 0; i < 9; ++i) training.Step();
  const Json snapshot = Json::parse(arena->SnapshotJson());
  EXPECT_EQ(snapshot["schema_version"], 1);
  const Json& controls = snapshot["configuration"];
  EXPECT_EQ(controls["enable_memory_optimization"], true);
  EXPECT_EQ(controls["start_statistic_step"], 1);
  EXPECT_EQ(controls["stable_statistic_step"], 2);
  EXPECT_EQ(controls["max_statistic_step"], 100);
  EXPECT_EQ(controls["plan_in_background"], false);
  EXPECT_EQ(controls["plan_seconds"], 0.5);
  EXPECT_EQ(controls["max_plans"], 7);
  EXPECT_EQ(controls["reserve_bytes"], uint64_t{1} << 32);
  EXPECT_EQ(controls["limit_bytes"], 64 * kMiB);
  EXPECT_EQ(controls["growth"], "grow");
  EXPECT_EQ(controls["first_region_bytes"], 2 * kMiB);
  EXPECT_EQ(controls["decay_ms"], -1);
  EXPECT_EQ(controls["huge_pages"], true);
  EXPECT_EQ(controls["numa_interleave"], false);
  // What Stats says, field by field.
  const ArenaStats stats = arena->Stats();
  const Json& told = snapshot["stats"];
  EXPECT_EQ(told["num_allocs"], stats.allocator.num_allocs);
  EXPECT_EQ(told["bytes_in_use"], 50000);
  EXPECT_EQ(told["peak_bytes_in_use"], 150000);
  EXPECT_EQ(told["largest_alloc_size"], 100000);
  EXPECT_EQ(told["bytes_limit"], 64 * kMiB);
  EXPECT_EQ(told["bytes_reserved"], stats.allocator.bytes_reserved);
  EXPECT_EQ(told["peak_bytes_reserved"], stats.allocator.peak_bytes_reserved);
  EXPECT_EQ(told["largest_free_block"], *stats.allocator.largest_free_block);
  EXPECT_EQ(told["fragmentation"], *stats.allocator.Fragmentation());
  EXPECT_EQ(told["hits"], stats.hits);
  EXPECT_EQ(told["misses"], stats.misses);
  EXPECT_EQ(told["unplanned"], stats.unplanned);
  EXPECT_EQ(told["outside"], stats.outside);
  EXPECT_EQ(told["steps"], 9);
  EXPECT_EQ(told["planned_steps"], stats.planned_steps);
  EXPECT_EQ(told["recorded_steps"], stats.recorded_steps);
  EXPECT_EQ(told["stable_steps"], stats.stable_steps);
  EXPECT_EQ(told["plans"], 1);
  EXPECT_EQ(told["plan_age_steps"], stats.plan_age_steps);
  // The one timeline and its one plan.
  ASSERT_EQ(snapshot["timelines"].size(), 1u);
  const Json& timeline = snapshot["timelines"][0];
  EXPECT_EQ(timeline["phase"], "serving");
  EXPECT_EQ(timeline["steps"], 9);
  EXPECT_EQ(timeline["planned_steps"], stats.planned_steps);
  EXPECT_EQ(timeline["recorded_steps"], stats.recorded_steps);
  EXPECT_EQ(timeline["stable_steps"], stats.stable_steps);
  EXPECT_EQ(timeline["committed_bytes"], stats.allocator.bytes_reserved);
  EXPECT_EQ(timeline["largest_free_bytes"], *stats.allocator.largest_free_block);
  EXPECT_EQ(timeline["hints_taken"], true);
  EXPECT_EQ(timeline["live_blocks"], 1);
  EXPECT_EQ(timeline["unplanned"], 0);
  int64_t hits = 0;
  int64_t misses = 0;
  for (const Json& size_class : timeline["size_classes"]) {
    hits += size_class["hits"].get<int64_t>();
    misses += size_class["misses"].get<int64_t>();
  }
  EXPECT_EQ(hits, stats.hits);
  EXPECT_EQ(misses, stats.misses);
  ASSERT_EQ(timeline["plans"].size(), 1u);
  const Json& plan = timeline["plans"][0];
  EXPECT_EQ(plan["named_shape"], false);
  EXPECT_EQ(plan["covers_shapes"], false);
  EXPECT_EQ(plan["requests"], 3);
  EXPECT_EQ(plan["height_bytes"], stats.plan_height);
  EXPECT_EQ(plan["lower_bound_bytes"], stats.plan_lower_bound);
  EXPECT_EQ(plan["peak_live_bytes"], 150000);
  EXPECT_EQ(plan["steps_served"], stats.planned_steps);
  EXPECT_EQ(plan["age_steps"], stats.plan_age_steps);
  // Live by site.
  ASSERT_EQ(snapshot["sites"].size(), 1u);
  EXPECT_EQ(snapshot["sites"][0]["site"], "backward, \"first\"");
  EXPECT_EQ(snapshot["sites"][0]["live_bytes"], 50000);
}

TEST(ArenaReports, SnapshotOfNothing) {
  const auto arena = MakeArena(nullptr);
  const Json snapshot = Json::parse(arena->SnapshotJson());
  EXPECT_EQ(snapshot["stats"]["num_allocs"], 0);
  EXPECT_TRUE(snapshot["stats"]["bytes_limit"].is_null());
  EXPECT_TRUE(snapshot["stats"]["fragmentation"].is_null());
  EXPECT_EQ(snapshot["timelines"].size(), 0u);
  EXPECT_EQ(snapshot["sites"].size(), 0u);
  EXPECT_EQ(arena->PictureSvg(), "");
  EXPECT_EQ(arena->ProfileCsv(), "");
}

TEST(ArenaReports, NamesMayHoldAnyBytes) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  const std::string name = "caf\xE9 \x01 \x1B[31m";
  const SiteScope named(name);
  EXPECT_TRUE(Steps(*arena, 8, {1000}));
  void* const block = arena->Allocate(500);
  EXPECT_EQ(Json::parse(arena->SnapshotJson())["sites"][0]["live_bytes"], 500);
  const std::string svg = arena->PictureSvg();
  EXPECT_TRUE(pugi::xml_document().load_string(svg.c_str()));
  for (char c : svg) EXPECT_TRUE(static_cast<unsigned char>(c) >= ' ' || c == '\n');
  arena->Free(block);
}

TEST(ArenaReports, PictureShowsTheArenaOverOneStep) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  Training training(*arena);
  for (int i = 0; i < 9; ++i) training.Step();
  pugi::xml_document document;
  const std::string text = arena->PictureSvg();
  ASSERT_TRUE(document.load_string(text.c_str()));
  EXPECT_NE(text.find("loss &amp; metrics"), std::string::npos);
  EXPECT_NE(text.find("forward &lt;1&gt;"), std::string::npos);
  const pugi::xml_node svg = document.child("svg");
  ASSERT_TRUE(svg);
  EXPECT_STREQ(svg.attribute("xmlns").value(), "http://www.w3.org/2000/svg");
  const pugi::xml_node drawing = svg.child("g");
  std::vector<pugi::xml_node> blocks;
  for (pugi::xml_node rect : drawing.children("rect")) {
    if (rect.child("title")) blocks.push_back(rect);
  }
  // The block that lives into the next step is drawn at both ends.
  ASSERT_EQ(blocks.size(), 4u);
  std::set<std::string> sites;
  for (pugi::xml_node block : blocks) {
    const std::string title = block.child("title").text().get();
    sites.insert(title.substr(title.find(", ", title.find(", request") + 2) + 2));
    EXPECT_GE(block.attribute("x").as_double(), 0);
    EXPECT_LE(block.attribute("x").as_double() + block.attribute("width").as_double(), 1000.001);
    EXPECT_GT(block.attribute("width").as_double(), 0);
    EXPECT_GE(block.attribute("y").as_double(), -0.001);
    EXPECT_LE(block.attribute("y").as_double() + block.attribute("height").as_double(), 600.001);
  }
  EXPECT_EQ(sites, (std::set<std::string>{"forward <1>", "backward, \"first\"", "loss & metrics"}));
  // No two blocks cover each other.
  for (size_t i = 0; i < blocks.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      const auto apart = [&](const char* at, const char* extent) {
        const double a = blocks[i].attribute(at).as_double();
        const double b = blocks[j].attribute(at).as_double();
        return a + blocks[i].attribute(extent).as_double() <= b + 0.01 ||
               b + blocks[j].attribute(extent).as_double() <= a + 0.01;
      };
      EXPECT_TRUE(apart("x", "width") || apart("y", "height")) << i << " and " << j;
    }
  }
}

TEST(ArenaReports, ProfileIsCsvOfTheRecordedStep) {
  CountingUpstream upstream;
  const auto arena = MakeArena(&upstream);
  Training training(*arena);
  for (int i = 0; i < 9; ++i) training.Step();
  // Three requests and three frees are six ticks; in the first recorded step there was
  // one less, as the block freed first was not followed yet.
  EXPECT_EQ(arena->ProfileCsv(),
            "id,lower,upper,size,alignment,thread,fate,site\n"
            "0,0,3,100000,64,0,in_step,forward <1>\n"
            "1,1,7,50000,64,0,carried,\"backward, \"\"first\"\"\"\n"
            "2,3,5,300,64,0,in_step,loss & metrics\n");
}

}  // namespace
}  // namespace plimsoll
