#include "allocators/mmap_loader/fault_guard.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include "allocators/mmap_loader/mapping.h"
#include "allocators/mmap_loader/test_files.h"

namespace plimsoll::weights {
namespace {

// Reads a byte in a way that the compiler keeps.
char Touch(const std::byte* at) {
  return static_cast<char>(*const_cast<const volatile std::byte*>(at));
}

class FaultGuardTest : public testing::Test {
 protected:
  void Truncate(uint64_t bytes) {
    ASSERT_EQ(truncate(path_.c_str(), static_cast<off_t>(bytes)), 0);
  }

  TestFolder folder_;
  const uint64_t page_ = PageSize();
  const std::string bytes_ = Pattern(8 * page_);
  const std::string path_ = folder_.Write("weights", bytes_);
  Mapping mapping_ = *Mapping::Map(*File::Open(Os::Real(), path_), MappingKind::kShared);
  std::optional<FaultGuard> guard_{std::in_place, mapping_.data(), mapping_.mapped_bytes(),
                                   mapping_.file().descriptor()};
};

TEST_F(FaultGuardTest, ATruncatedFileIsAnErrorForTheLostBytesOnly) {
  Truncate(3 * page_ + 10);
  EXPECT_FALSE(guard_->damaged()) << "nobody has read what is gone";
  EXPECT_EQ(Touch(mapping_.data() + 6 * page_), 0) << "zeros, and the process lives";
  EXPECT_TRUE(guard_->damaged());
  const std::string at = std::to_string(3 * page_ + 10);
  ExpectError(guard_->Check("weights", 6 * page_, 1),
              {"weights: file size in bytes: '" + at + "'", "shrank", "zeros"});
  ExpectError(guard_->Check("weights", 0, bytes_.size()), {at});
  EXPECT_TRUE(guard_->Check("weights", 0, 3 * page_ + 10).has_value());
  EXPECT_EQ(Touch(mapping_.data() + 2 * page_), bytes_[2 * page_]) << "the rest is as before";
  EXPECT_EQ(Touch(mapping_.data() + 4 * page_), 0) << "a page not touched before";
}

TEST_F(FaultGuardTest, AFileThatGrowsBackStaysDamaged) {
  Truncate(page_);
  EXPECT_EQ(Touch(mapping_.data() + page_), 0);
  Truncate(8 * page_);
  EXPECT_FALSE(guard_->Check("weights", page_, 1).has_value());
}

TEST_F(FaultGuardTest, AnyThreadIsGuarded) {
  Truncate(page_);
  std::vector<std::thread> readers;
  for (uint64_t i = 1; i < 8; ++i) {
    readers.emplace_back([this, i] { EXPECT_EQ(Touch(mapping_.data() + i * page_), 0); });
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_FALSE(guard_->Check("weights", 7 * page_, 1).has_value());
  EXPECT_TRUE(guard_->Check("weights", 0, page_).has_value());
}

TEST_F(FaultGuardTest, OnlyTheGuardedFileIsHeld) {
  const std::string other_path = folder_.Write("other", bytes_);
  const Mapping other = *Mapping::Map(*File::Open(Os::Real(), other_path), MappingKind::kShared);
  const FaultGuard other_guard(other.data(), other.mapped_bytes(), other.file().descriptor());
  Truncate(page_);
  EXPECT_EQ(Touch(mapping_.data() + page_), 0);
  EXPECT_TRUE(guard_->damaged());
  EXPECT_FALSE(other_guard.damaged());
}

using FaultGuardDeathTest = FaultGuardTest;

TEST_F(FaultGuardDeathTest, WithoutAGuardTheProcessEndsAsBefore) {
  Truncate(page_);
  guard_.reset();
  // By SIGBUS, or by a sanitizer's report of it.
  EXPECT_DEATH(Touch(mapping_.data() + page_), "");
}

void LeaveOnSignal(int) { _exit(7); }

TEST(FaultGuardChainDeathTest, FaultsElsewhereGoToTheHandlerThatWasThere) {
  // In a process of its own, whose first guard is made after its handler.
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto run = [] {
    signal(SIGBUS, LeaveOnSignal);
    TestFolder folder;
    const std::string path = folder.Write("weights", Pattern(2 * PageSize()));
    const auto file = *File::Open(Os::Real(), path);
    const Mapping guarded = *Mapping::Map(file, MappingKind::kShared);
    const Mapping bare = *Mapping::Map(file, MappingKind::kShared);
    const FaultGuard guard(guarded.data(), guarded.mapped_bytes(), file->descriptor());
    if (truncate(path.c_str(), 1) != 0) _exit(1);
    Touch(guarded.data() + PageSize());
    if (!guard.damaged()) _exit(2);
    Touch(bare.data() + PageSize());
    _exit(3);
  };
  EXPECT_EXIT(run(), testing::ExitedWithCode(7), "");
}

}  // namespace
}  // namespace plimsoll::weights
