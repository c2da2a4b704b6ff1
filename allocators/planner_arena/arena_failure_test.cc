// One failure of upstream or of the system at each place where there can be one: the
// request may fail, and nothing else may happen.

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "allocators/planner_arena/arena.h"
#include "allocators/planner_arena/arena_testing.h"

namespace plimsoll {
namespace {

using namespace arena_testing;

// Counts down to a failure; 0 or less: none is to come.
struct Fuse {
  int64_t left = 0;
  bool Blows() { return left > 0 && --left == 0; }
};

class FusedUpstream : public CountingUpstream {
 public:
  explicit FusedUpstream(Fuse& fuse) : fuse_(fuse) {}

 protected:
  void* do_allocate(size_t size, size_t alignment) override {
    if (fuse_.Blows()) throw std::bad_alloc();
    return CountingUpstream::do_allocate(size, alignment);
  }

 private:
  Fuse& fuse_;
};

class FusedPages : public FakePages {
 public:
  explicit FusedPages(Fuse& fuse) : fuse_(fuse) {}
  void* Reserve(size_t bytes) override {
    return fuse_.Blows() ? nullptr : FakePages::Reserve(bytes);
  }
  bool Commit(void* begin, size_t bytes) override {
    return !fuse_.Blows() && FakePages::Commit(begin, bytes);
  }
  bool Populate(void* begin, size_t bytes) override {
    return !fuse_.Blows() && FakePages::Populate(begin, bytes);
  }
  bool AdviseHuge(void* begin, size_t bytes) override {
    return !fuse_.Blows() && FakePages::AdviseHuge(begin, bytes);
  }
  bool Interleave(void* begin, size_t bytes) override {
    return !fuse_.Blows() && FakePages::Interleave(begin, bytes);
  }

 private:
  Fuse& fuse_;
};

// A block that knows what was written to it; empty if the request failed.
class Checked {
 public:
  Checked() = default;
  Checked(PlannerArena& arena, size_t bytes, int mark, int& failures) {
    try {
      begin_ = static_cast<unsigned char*>(arena.Allocate(bytes));
    } catch (const ArenaOutOfMemory&) {
      ++failures;
      return;
    }
    bytes_ = bytes;
    mark_ = static_cast<unsigned char>(mark);
    std::memset(begin_, mark, bytes);
  }
  void Free(PlannerArena& arena) {
    if (begin_ == nullptr) return;
    EXPECT_TRUE(AllBytesAre(begin_, bytes_, mark_)) << bytes_ << " bytes";
    arena.Free(begin_);
    *this = Checked();
  }

 private:
  unsigned char* begin_ = nullptr;
  size_t bytes_ = 0;
  unsigned char mark_ = 0;
};

// Steps of two shapes in turns with a block that lives into the next step, one that is
// kept for long, and a pause in between. Returns how many requests failed.
int Run(PlannerArena& arena, int steps) {
  int failures = 0;
  Checked carried;
  Checked kept(arena, 3000, 99, failures);
  for (int i = 0; i < steps; ++i) {
    {
      const StepScope step(arena);
      const size_t unit = i % 8 < 6 ? 5000 : 7000;
      Checked a(arena, unit * 10, i, failures);
      carried.Free(arena);
      Checked b(arena, unit, i + 1, failures);
      a.Free(arena);
      carried = Checked(arena, unit * 3, i + 2, failures);
      Checked c(arena, unit * 8, i + 3, failures);
      b.Free(arena);
      c.Free(arena);
    }
    if (i == steps / 2) arena.Trim();
  }
  carried.Free(arena);
  kept.Free(arena);
  return failures;
}

ArenaConfiguration Controls(Growth growth) {
  ArenaConfiguration configuration = Quick();
  configuration.growth = growth;
  configuration.first_region_bytes = 4096;
  configuration.huge_pages = true;
  configuration.numa_interleave = true;
  return configuration;
}

class ArenaFailure : public testing::TestWithParam<Growth> {};
INSTANTIATE_TEST_SUITE_P(Growths, ArenaFailure,
                         testing::Values(Growth::kGrow, Growth::kPreallocate),
                         [](const auto& growth) {
                           return std::string(growth.param == Growth::kGrow ? "Grow"
                                                                            : "Preallocate");
                         });

constexpr int kSteps = 40;

// Runs with one failure at the k-th call, for every k, until there are fewer calls.
template <typename Make>
void FailAtEveryCall(Fuse& fuse, CountingUpstream& upstream, int most_failures, Make make) {
  int64_t k = 1;
  int failed_requests = 0;
  for (;; ++k) {
    SCOPED_TRACE("call " + std::to_string(k));
    const std::unique_ptr<PlannerArena> arena = make();
    fuse.left = k;
    const int failures = Run(*arena, kSteps);
    EXPECT_LE(failures, most_failures);
    failed_requests += failures;
    const bool blew = fuse.left == 0;
    fuse.left = 0;
    // It is as good as new.
    EXPECT_EQ(Run(*arena, kSteps), 0);
    const Since since(*arena);
    EXPECT_EQ(Run(*arena, 6), 0);
    EXPECT_GE(since.hits(), 20);
    EXPECT_EQ(arena->Stats().allocator.bytes_in_use, 0);
    EXPECT_EQ(upstream.blocks, 0);
    EXPECT_EQ(upstream.bytes, 0);
    if (testing::Test::HasFailure() || !blew) break;
  }
  EXPECT_GE(k, 5);
  EXPECT_EQ(failed_requests > 0, most_failures > 0);
}

TEST_P(ArenaFailure, OfUpstreamAtEveryCall) {
  Fuse fuse;
  FusedUpstream upstream(fuse);
  FailAtEveryCall(fuse, upstream, 1, [&] { return MakeArena(&upstream, Controls(GetParam())); });
}

// Pages that are refused cost no request at all: upstream serves it.
TEST_P(ArenaFailure, OfTheSystemAtEveryCall) {
  Fuse fuse;
  CountingUpstream upstream;
  FusedPages pages(fuse);
  FailAtEveryCall(fuse, upstream, 0,
                  [&] { return MakeArena(&upstream, Controls(GetParam()), &pages); });
  EXPECT_EQ(pages.reservations, 0);
}

}  // namespace
}  // namespace plimsoll
