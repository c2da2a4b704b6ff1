#include "allocators/mmap_loader/page_cache/region.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>

#include "allocators/mmap_loader/test_files.h"

namespace plimsoll::weights {
namespace {

class RegionTest : public testing::Test {
 protected:
  std::unique_ptr<Region> Make(Mode mode, Os& os = Os::Real()) {
    options_.mode = mode;
    auto region = Region::Create(*File::Open(os, path_), options_, counters_);
    EXPECT_TRUE(region.has_value()) << MessageOf(region);
    return std::move(*region);
  }
  bool Holds(const Region& region, uint64_t offset, uint64_t bytes) const {
    return std::memcmp(region.mapping().data() + offset, bytes_.data() + offset, bytes) == 0;
  }

  const uint64_t page_ = PageSize();
  TestFolder folder_;
  const std::string bytes_ = Pattern(100 * page_ + 50);
  const std::string path_ = folder_.Write("weights", bytes_);
  LoadOptions options_;
  std::shared_ptr<Counters> counters_ = std::make_shared<Counters>();
};

TEST_F(RegionTest, ReadModesLoadWhatIsHeldAndGiveItBack) {
  for (const Mode mode : {Mode::kRead, Mode::kDirect}) {
    const auto region = Make(mode);
    EXPECT_EQ(region->Measure().resident, 0u);
    // Not page-aligned: two tensors share page 10.
    ASSERT_TRUE(region->Pin(5 * page_ + 10, 5 * page_, options_).has_value());
    ASSERT_TRUE(region->Pin(10 * page_ + 10, 5 * page_, options_).has_value());
    EXPECT_TRUE(Holds(*region, 5 * page_ + 10, 10 * page_));
    EXPECT_EQ(region->Measure().resident, 11 * page_);
    EXPECT_EQ(counters_->loaded_bytes.level(), 11 * page_);
    region->Unpin(5 * page_ + 10, 5 * page_, options_);
    EXPECT_EQ(region->Measure().resident, 6 * page_) << "the shared page stays";
    EXPECT_TRUE(Holds(*region, 10 * page_ + 10, 5 * page_));
    region->Unpin(10 * page_ + 10, 5 * page_, options_);
    EXPECT_EQ(region->Measure().resident, 0u);
    EXPECT_EQ(counters_->loaded_bytes.level(), 0u);
    // Loaded anew, up to the odd end.
    ASSERT_TRUE(region->Pin(90 * page_, 10 * page_ + 50, options_).has_value());
    EXPECT_TRUE(Holds(*region, 90 * page_, 10 * page_ + 50));
    region->Unpin(90 * page_, 10 * page_ + 50, options_);
  }
}

TEST_F(RegionTest, MappedPagesComeAndGo) {
  const auto region = Make(Mode::kMmap);
  options_.prefetch = Prefetch::kPopulate;
  ASSERT_TRUE(region->Start(options_).has_value());
  EXPECT_EQ(region->Measure().resident, 101 * page_);
  ASSERT_TRUE(region->Pin(10 * page_, 20 * page_, options_).has_value());
  region->Unpin(10 * page_, 20 * page_, options_);
  EXPECT_EQ(region->Measure().resident, 81 * page_);
  EXPECT_EQ(counters_->returned_bytes.load(), 20 * page_);
  ASSERT_TRUE(region->Pin(50 * page_, page_, options_).has_value());
  EXPECT_EQ(region->ReleaseUnused(), 80 * page_) << "all but what is held";
  EXPECT_EQ(region->Measure().resident, page_);
  region->Unpin(50 * page_, page_, options_);
}

TEST_F(RegionTest, EvictTakesThePageCacheToo) {
  const auto region = Make(Mode::kMmap);
  options_.prefetch = Prefetch::kPopulate;
  options_.on_drop = OnDrop::kEvict;
  ASSERT_TRUE(region->Start(options_).has_value());
  EXPECT_EQ(region->Measure().page_cache, 101 * page_);
  ASSERT_TRUE(region->Pin(10 * page_, 64 * page_, options_).has_value());
  region->Unpin(10 * page_, 64 * page_, options_);
  EXPECT_EQ(region->Measure().page_cache, 37 * page_);
}

TEST_F(RegionTest, KeepKeeps) {
  const auto region = Make(Mode::kRead);
  options_.on_drop = OnDrop::kKeep;
  ASSERT_TRUE(region->Pin(0, 10 * page_, options_).has_value());
  region->Unpin(0, 10 * page_, options_);
  EXPECT_EQ(region->Measure().resident, 10 * page_);
  EXPECT_EQ(region->ReleaseUnused(), 10 * page_);
  EXPECT_EQ(counters_->loaded_bytes.level(), 0u);
}

TEST_F(RegionTest, PrefetchFillsReadModes) {
  for (const Prefetch prefetch : {Prefetch::kPopulate, Prefetch::kBackground}) {
    const auto region = Make(Mode::kRead);
    options_.prefetch = prefetch;
    ASSERT_TRUE(region->Start(options_).has_value());
    ASSERT_TRUE(region->Start(options_).has_value()) << "a second time is allowed";
    for (int i = 0; i < 5000 && counters_->loaded_bytes.level() < 101 * page_; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    EXPECT_EQ(counters_->loaded_bytes.level(), 101 * page_);
    EXPECT_TRUE(region->notes().empty());  // under the region's lock, after the last write
    EXPECT_TRUE(Holds(*region, 0, bytes_.size()));
  }
  EXPECT_EQ(counters_->loaded_bytes.level(), 0u) << "a region takes its loaded bytes along";
}

TEST_F(RegionTest, AdviceIsTaken) {
  for (const Mode mode : {Mode::kMmap, Mode::kPrivate, Mode::kRead, Mode::kDirect}) {
    for (const Prefetch prefetch : {Prefetch::kNone, Prefetch::kWillNeed, Prefetch::kSequential,
                                    Prefetch::kBackground, Prefetch::kPopulate}) {
      options_.prefetch = prefetch;
      const auto region = Make(mode);
      ASSERT_TRUE(region->Start(options_).has_value()) << PrefetchName(prefetch);
      ASSERT_TRUE(region->Pin(0, bytes_.size(), options_).has_value());
      EXPECT_TRUE(Holds(*region, 0, bytes_.size()));
      region->Unpin(0, bytes_.size(), options_);
      EXPECT_TRUE(region->notes().empty()) << region->notes()[0];
    }
  }
}

TEST_F(RegionTest, LocksWhileHeldAndCountsIt) {
  const auto region = Make(Mode::kMmap);
  options_.lock = Lock::kRequire;
  ASSERT_TRUE(region->Pin(0, 4 * page_, options_).has_value());
  ASSERT_TRUE(region->Pin(3 * page_, 4 * page_, options_).has_value());
  EXPECT_EQ(region->locked_bytes(), 7 * page_);
  region->Unpin(0, 4 * page_, options_);
  EXPECT_EQ(region->locked_bytes(), 4 * page_);
  EXPECT_EQ(counters_->locked_bytes.level(), 4 * page_);
  region->Unpin(3 * page_, 4 * page_, options_);
  EXPECT_EQ(counters_->locked_bytes.level(), 0u);
  EXPECT_EQ(counters_->locked_bytes.peak(), 7 * page_);
  EXPECT_EQ(region->Measure().resident, 0u) << "unlocked pages can be given back";
}

TEST_F(RegionTest, OwnLockLimit) {
  const auto region = Make(Mode::kMmap);
  options_.lock = Lock::kRequire;
  options_.lock_limit_bytes = 8 * page_;
  ASSERT_TRUE(region->Pin(0, 6 * page_, options_).has_value());
  ExpectError(region->Pin(10 * page_, 3 * page_, options_),
              {"/weights: mlock: '" + std::to_string(3 * page_) + " bytes'",
               "limit of " + std::to_string(8 * page_), std::to_string(6 * page_) + " are locked"});
  EXPECT_EQ(counters_->locked_bytes.level(), 6 * page_);
  options_.lock = Lock::kTry;
  ASSERT_TRUE(region->Pin(10 * page_, 3 * page_, options_).has_value());
  ASSERT_EQ(region->notes().size(), 1u);
  ExpectLineWith(region->notes()[0], {"mlock", "limit of"});
  region->Unpin(10 * page_, 3 * page_, options_);
  region->Unpin(0, 6 * page_, options_);
}

class LockLimitOs : public Os {
 public:
  int Mlock(const void*, size_t) override {
    errno = EPERM;
    return -1;
  }
};

TEST_F(RegionTest, TheSystemsLockLimit) {
  LockLimitOs limited;
  const auto region = Make(Mode::kRead, limited);
  options_.lock = Lock::kRequire;
  ExpectError(region->Pin(0, page_, options_), {"mlock", "RLIMIT_MEMLOCK"});
  EXPECT_EQ(counters_->locked_bytes.level(), 0u);
  EXPECT_EQ(region->Measure().resident, 0u) << "a failed pin holds nothing";
}

// Takes O_DIRECT, as some file systems do, and then refuses to read.
class NoDirectOs : public Os {
 public:
  ssize_t Pread(int descriptor, void* to, size_t bytes, off_t offset) override {
    if (Os::GetFlags(descriptor) & O_DIRECT) {
      errno = EINVAL;
      return -1;
    }
    return Os::Pread(descriptor, to, bytes, offset);
  }
};

class NoDirectFlagOs : public Os {
 public:
  int SetFlags(int descriptor, int flags) override {
    if (flags & O_DIRECT) {
      errno = EINVAL;
      return -1;
    }
    return Os::SetFlags(descriptor, flags);
  }
};

TEST_F(RegionTest, DirectFallsBackAndSaysSo) {
  NoDirectOs refuses_reads;
  NoDirectFlagOs refuses_flag;
  for (Os* os : std::initializer_list<Os*>{&refuses_reads, &refuses_flag}) {
    const auto region = Make(Mode::kDirect, *os);
    ASSERT_TRUE(region->Pin(0, bytes_.size(), options_).has_value());
    EXPECT_TRUE(Holds(*region, 0, bytes_.size()));
    ASSERT_EQ(region->notes().size(), 1u);
    ExpectLineWith(region->notes()[0],
                   {"/weights", "direct", "Invalid argument", "through the page cache instead"});
    region->Unpin(0, bytes_.size(), options_);
  }
}

// Remembers what was advised about huge pages, in bytes from the first address seen.
class AdvisedOs : public Os {
 public:
  struct Advised {
    uint64_t begin;
    uint64_t bytes;
    int advice;
    bool operator==(const Advised&) const = default;
  };
  int Madvise(void* address, size_t bytes, int advice) override {
    if (advice == MADV_HUGEPAGE || advice == MADV_NOHUGEPAGE) {
      const auto at = reinterpret_cast<uintptr_t>(address);
      if (advised.empty()) base_ = at;
      advised.push_back({at - base_, bytes, advice});
    }
    return Os::Madvise(address, bytes, advice);
  }
  std::vector<Advised> advised;

 private:
  uintptr_t base_ = 0;
};

TEST_F(RegionTest, OnlyWholeHugePagesThatALoadFillsAreAskedFor) {
  const uint64_t mebi = uint64_t{1} << 20;
  const std::string large = folder_.Write("large", Pattern(9 * mebi));
  AdvisedOs os;
  options_.mode = Mode::kRead;
  const auto region = *Region::Create(*File::Open(os, large), options_, counters_);
  using Advised = AdvisedOs::Advised;
  const Advised never{0, 9 * mebi, MADV_NOHUGEPAGE};
  EXPECT_EQ(os.advised, std::vector<Advised>{never});
  ASSERT_TRUE(region->Pin(mebi, 6 * mebi, options_).has_value());
  ASSERT_TRUE(region->Pin(7 * mebi, mebi, options_).has_value());
  const std::vector<Advised> expected = {
      never, {2 * mebi, 4 * mebi, MADV_HUGEPAGE}, {2 * mebi, 4 * mebi, MADV_NOHUGEPAGE}};
  EXPECT_EQ(os.advised, expected) << "and one mapping is left, advised alike";
  EXPECT_EQ(region->Measure().resident, 7 * mebi);
  region->Unpin(mebi, 6 * mebi, options_);
  region->Unpin(7 * mebi, mebi, options_);
  EXPECT_EQ(region->Measure().resident, 0u);
}

TEST_F(RegionTest, HugePagesAreAskedForAsToldTo) {
  const std::string large = folder_.Write("large", Pattern(4 << 20));
  for (const bool huge : {true, false}) {
    AdvisedOs os;
    options_.mode = Mode::kRead;
    options_.huge_pages = huge;
    const auto region = *Region::Create(*File::Open(os, large), options_, counters_);
    ASSERT_TRUE(region->Pin(0, 4 << 20, options_).has_value());
    const AdvisedOs::Advised all{0, 4 << 20, MADV_HUGEPAGE};
    EXPECT_EQ(os.advised, std::vector<AdvisedOs::Advised>(huge ? 1 : 0, all));
    region->Unpin(0, 4 << 20, options_);
  }
}

class OldKernelOs : public Os {
 public:
  int Madvise(void* address, size_t bytes, int advice) override {
    if (advice == MADV_POPULATE_READ || advice == MADV_HUGEPAGE) {
      errno = EINVAL;
      return -1;
    }
    return Os::Madvise(address, bytes, advice);
  }
};

TEST_F(RegionTest, WhatAKernelDoesNotKnowIsANote) {
  OldKernelOs old_kernel;
  options_.huge_pages = true;
  options_.prefetch = Prefetch::kPopulate;
  const auto region = Make(Mode::kMmap, old_kernel);
  ASSERT_TRUE(region->Start(options_).has_value());
  ASSERT_EQ(region->notes().size(), 2u);
  ExpectLineWith(region->notes()[0], {"huge pages: Invalid argument"});
  ExpectLineWith(region->notes()[1], {"populate: Invalid argument", "asked to read ahead"});
}

TEST_F(RegionTest, NumaChoices) {
  options_.numa = Numa::kDistribute;
  options_.prefetch = Prefetch::kPopulate;
  const auto region = Make(Mode::kMmap);
  ASSERT_TRUE(region->Start(options_).has_value());
  EXPECT_EQ(region->Measure().resident, 0u);
  ASSERT_EQ(region->notes().size(), 1u);
  ExpectLineWith(region->notes()[0], {"prefetch: none", "numa distribute"});
}

TEST_F(RegionTest, AFailedLoadHoldsNothing) {
  class BrokenOs : public Os {
   public:
    ssize_t Pread(int descriptor, void* to, size_t bytes, off_t offset) override {
      if (broken && offset >= static_cast<off_t>(10 * PageSize())) {
        errno = EIO;
        return -1;
      }
      return Os::Pread(descriptor, to, bytes, offset);
    }
    bool broken = true;
  } os;
  const auto region = Make(Mode::kRead, os);
  ASSERT_TRUE(region->Pin(0, 10 * page_, options_).has_value());
  ExpectError(region->Pin(5 * page_, 30 * page_, options_), {"/weights: read", "Input/output"});
  EXPECT_EQ(counters_->loaded_bytes.level(), 10 * page_);
  os.broken = false;
  ASSERT_TRUE(region->Pin(5 * page_, 30 * page_, options_).has_value());
  EXPECT_TRUE(Holds(*region, 0, 35 * page_));
  region->Unpin(5 * page_, 30 * page_, options_);
  region->Unpin(0, 10 * page_, options_);
}

TEST_F(RegionTest, AShrunkFileIsAnErrorBelowWhichTheRestIsFine) {
  const auto region = Make(Mode::kMmap);
  const auto copy = Make(Mode::kRead);
  options_.mode = Mode::kRead;
  ASSERT_TRUE(copy->Pin(90 * page_, page_, options_).has_value());
  ASSERT_EQ(truncate(path_.c_str(), static_cast<off_t>(50 * page_)), 0);
  ExpectError(region->Check(60 * page_, page_), {"/weights: file size in bytes", "has shrunk"});
  EXPECT_TRUE(region->Check(49 * page_, page_).has_value());
  EXPECT_TRUE(copy->Check(90 * page_, page_).has_value()) << "read bytes are ours";
  EXPECT_FALSE(copy->Pin(91 * page_, page_, options_).has_value());
  EXPECT_TRUE(Holds(*copy, 90 * page_, page_));
  options_.prefetch = Prefetch::kPopulate;
  ExpectError(region->Start(options_), {"has shrunk"});
  copy->Unpin(90 * page_, page_, options_);
}

TEST_F(RegionTest, ManyThreadsShareTensors) {
  for (const Mode mode : {Mode::kMmap, Mode::kRead}) {
    const auto region = Make(mode);
    std::vector<std::thread> threads;
    for (uint32_t t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        uint32_t state = t + 1;
        for (int i = 0; i < 300; ++i) {
          state = state * 1664525u + 1013904223u;
          const uint64_t offset = (state >> 8) % (90 * page_);
          const uint64_t bytes = 1 + (state >> 4) % (8 * page_);
          ASSERT_TRUE(region->Pin(offset, bytes, options_).has_value());
          ASSERT_TRUE(Holds(*region, offset, bytes));
          region->Unpin(offset, bytes, options_);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    // The kernel maps a few pages around the one that was wanted.
    if (mode == Mode::kMmap) region->ReleaseUnused();
    EXPECT_EQ(region->Measure().resident, 0u);
  }
}

}  // namespace
}  // namespace plimsoll::weights
