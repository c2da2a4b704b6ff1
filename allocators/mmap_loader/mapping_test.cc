#include "allocators/mmap_loader/mapping.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "allocators/mmap_loader/residency.h"
#include "allocators/mmap_loader/test_files.h"

namespace plimsoll::weights {
namespace {

class MappingTest : public testing::Test {
 protected:
  Mapping Map(MappingKind kind) {
    Expected<Mapping> mapping = Mapping::Map(*File::Open(os_, path_), kind);
    EXPECT_TRUE(mapping.has_value()) << MessageOf(mapping);
    return std::move(*mapping);
  }

  Os& os_ = Os::Real();
  TestFolder folder_;
  const std::string bytes_ = Pattern(3 * PageSize() + 100);
  const std::string path_ = folder_.Write("weights", bytes_);
};

TEST_F(MappingTest, SharedShowsTheFileAndRefusesWrites) {
  const Mapping mapping = Map(MappingKind::kShared);
  EXPECT_EQ(mapping.bytes(), bytes_.size());
  EXPECT_EQ(mapping.mapped_bytes(), 4 * PageSize());
  const auto bytes = mapping.Bytes(10, 5000);
  ASSERT_TRUE(bytes.has_value());
  EXPECT_EQ(std::memcmp(bytes->data(), bytes_.data() + 10, 5000), 0);
  ExpectError(mapping.MutableBytes(10, 5),
              {"/weights: write: '5 bytes at offset 10'", "read-only", "mode private"});
}

TEST_F(MappingTest, PrivateWritesStayOutOfTheFile) {
  const Mapping mapping = Map(MappingKind::kPrivate);
  const auto bytes = mapping.MutableBytes(0, 4);
  ASSERT_TRUE(bytes.has_value());
  std::memcpy(bytes->data(), "mine", 4);
  const Mapping other = Map(MappingKind::kShared);
  EXPECT_EQ(std::memcmp(other.data(), bytes_.data(), 4), 0);
  EXPECT_EQ(MeasureResidency(os_, mapping.data(), bytes_.size(), true).private_dirty, PageSize());
  ASSERT_TRUE(mapping.Discard(0, 1).has_value());
  EXPECT_EQ(std::memcmp(mapping.data(), bytes_.data(), 4), 0) << "the file's bytes are back";
}

TEST_F(MappingTest, RangesOutsideAreErrors) {
  const Mapping mapping = Map(MappingKind::kShared);
  const uint64_t size = bytes_.size();
  EXPECT_TRUE(mapping.Bytes(size, 0).has_value());
  const std::string allowed = "expected to lie within the " + std::to_string(size) + " bytes";
  ExpectError(mapping.Bytes(size, 1),
              {"access: '1 bytes at offset " + std::to_string(size), allowed});
  ExpectError(mapping.Bytes(1, UINT64_MAX), {"access", allowed});
  ExpectError(mapping.Bytes(UINT64_MAX, 2), {"access", allowed});
  ExpectError(mapping.MutableBytes(size + 1, 0), {"write", allowed});
  ExpectError(mapping.Discard(size, 1), {"return pages", allowed});
  ExpectError(mapping.Lock(0, size + 1), {"mlock", allowed});
  ExpectError(mapping.Unlock(0, size + 1), {"munlock", allowed});
  ExpectError(mapping.Advise(0, size + 1, MADV_NORMAL, "normal"), {"normal", allowed});
}

TEST_F(MappingTest, NothingWorksOnceUnmapped) {
  const int before = MappingsOf("/weights");
  Mapping mapping = Map(MappingKind::kShared);
  EXPECT_EQ(MappingsOf("/weights"), before + 1);
  ASSERT_TRUE(mapping.Unmap().has_value());
  EXPECT_EQ(MappingsOf("/weights"), before);
  EXPECT_EQ(mapping.mapped_bytes(), 0u);
  ExpectError(mapping.Bytes(0, 1), {"/weights: access: 'unmapped': expected a live mapping"});
  ExpectError(mapping.MutableBytes(0, 1), {"/weights: write: 'unmapped'"});
  ExpectError(mapping.Discard(0, 1), {"/weights: return pages: 'unmapped'"});
  ExpectError(mapping.Unmap(), {"/weights: unmap: 'unmapped': expected a live mapping"});
}

TEST_F(MappingTest, GoesWithItsOwnerAndMoves) {
  const int before = MappingsOf("/weights");
  {
    Mapping first = Map(MappingKind::kShared);
    Mapping second = Map(MappingKind::kShared);
    EXPECT_EQ(MappingsOf("/weights"), before + 2);
    first = std::move(second);
    EXPECT_EQ(MappingsOf("/weights"), before + 1) << "what was mapped before is unmapped";
    EXPECT_TRUE(first.Bytes(0, 1).has_value());
  }
  EXPECT_EQ(MappingsOf("/weights"), before);
}

// The file shrinks between its opening and its mapping.
class ShrinkingOs : public Os {
 public:
  void* Mmap(void* address, size_t bytes, int protection, int flags, int descriptor,
             off_t offset) override {
    std::filesystem::resize_file(path, 10);
    return Os::Mmap(address, bytes, protection, flags, descriptor, offset);
  }
  std::string path;
};

TEST_F(MappingTest, SizeIsRevalidatedAfterMapping) {
  ShrinkingOs shrinking;
  shrinking.path = path_;
  const int before = MappingsOf("/weights");
  ExpectError(
      Mapping::Map(*File::Open(shrinking, path_), MappingKind::kShared),
      {"/weights: file size in bytes: '10': expected at least " + std::to_string(bytes_.size()),
       "has shrunk"});
  EXPECT_EQ(MappingsOf("/weights"), before);
}

class NoMemoryOs : public Os {
 public:
  void* Mmap(void*, size_t, int, int, int, off_t) override {
    errno = ENOMEM;
    return MAP_FAILED;
  }
};

TEST_F(MappingTest, NoAddressSpaceIsAnError) {
  NoMemoryOs full;
  const std::string size = std::to_string(bytes_.size());
  for (const MappingKind kind : {MappingKind::kShared, MappingKind::kAnonymous}) {
    ExpectError(Mapping::Map(*File::Open(full, path_), kind),
                {"/weights: map " + size + " bytes: Cannot allocate memory"});
  }
}

class UnmapFailsOnceOs : public Os {
 public:
  int Munmap(void* address, size_t bytes) override {
    if (!std::exchange(failed, true)) {
      errno = ENOMEM;
      return -1;
    }
    return Os::Munmap(address, bytes);
  }
  bool failed = false;
};

TEST_F(MappingTest, AnUnmapThatFailsIsAnErrorAndCanBeRepeated) {
  UnmapFailsOnceOs os;
  Mapping mapping = *Mapping::Map(*File::Open(os, path_), MappingKind::kShared);
  ExpectError(mapping.Unmap(), {path_, "unmap: Cannot allocate memory"});
  EXPECT_TRUE(mapping.Bytes(0, 1).has_value()) << "it is still there";
  EXPECT_TRUE(mapping.Unmap().has_value());
  ExpectError(mapping.Unmap(), {path_, "unmap: 'unmapped'"});
}

class LockLimitOs : public Os {
 public:
  int Mlock(const void*, size_t) override {
    errno = ENOMEM;
    return -1;
  }
};

TEST_F(MappingTest, LockLimitIsNamed) {
  LockLimitOs limited;
  const auto mapping = Mapping::Map(*File::Open(limited, path_), MappingKind::kShared);
  ExpectError(mapping->Lock(0, 5000),
              {"/weights: mlock: '" + std::to_string(2 * PageSize()) + " bytes'",
               "Cannot allocate memory", "RLIMIT_MEMLOCK"});
}

TEST_F(MappingTest, AnonymousIsOursToFillAndAlignedForHugePages) {
  const Mapping mapping = Map(MappingKind::kAnonymous);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(mapping.data()) % kHugePageBytes, 0u);
  EXPECT_EQ(MeasureResidency(os_, mapping.data(), bytes_.size(), false).resident, 0u);
  std::memset(mapping.data(), 1, PageSize());
  const Residency residency = MeasureResidency(os_, mapping.data(), bytes_.size(), false);
  EXPECT_EQ(residency.resident, PageSize());
  EXPECT_EQ(residency.private_dirty, PageSize());
}

TEST_F(MappingTest, ResidencyFollowsTouchAndDiscard) {
  const Mapping mapping = Map(MappingKind::kShared);
  ASSERT_TRUE(mapping.Advise(0, bytes_.size(), MADV_POPULATE_READ, "populate").has_value());
  Residency residency = MeasureResidency(os_, mapping.data(), bytes_.size(), true);
  EXPECT_EQ(residency.resident, 4 * PageSize());
  EXPECT_EQ(residency.page_cache, 4 * PageSize());
  EXPECT_EQ(residency.private_dirty, 0u);
  ASSERT_TRUE(mapping.Discard(PageSize(), 2 * PageSize()).has_value());
  residency = MeasureResidency(os_, mapping.data(), bytes_.size(), true);
  EXPECT_EQ(residency.resident, 2 * PageSize());
  EXPECT_EQ(residency.page_cache, 4 * PageSize()) << "the page cache keeps them";
}

class NoProcOs : public Os {
 public:
  int Open(const char*, int, mode_t) override { return -1; }
  int Mincore(void*, size_t, unsigned char*) override { return -1; }
};

TEST_F(MappingTest, WhatCannotBeMeasuredIsAbsent) {
  const Mapping mapping = Map(MappingKind::kShared);
  NoProcOs blind;
  const Residency residency = MeasureResidency(blind, mapping.data(), bytes_.size(), true);
  EXPECT_EQ(residency.resident, std::nullopt);
  EXPECT_EQ(residency.private_dirty, std::nullopt);
  EXPECT_EQ(residency.page_cache, std::nullopt);
  Residency sum{.resident = 1, .private_dirty = 2, .page_cache = 3};
  sum += residency;
  EXPECT_EQ(sum.resident, std::nullopt);
}

}  // namespace
}  // namespace plimsoll::weights
