#include "allocators/mmap_loader/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <vector>

#include "allocators/mmap_loader/test_files.h"

namespace plimsoll::weights {
namespace {

class FileTest : public testing::Test {
 protected:
  Expected<std::shared_ptr<File>> Open(const std::string& path) { return File::Open(os_, path); }

  Os& os_ = Os::Real();
  TestFolder folder_;
};

TEST_F(FileTest, WhatIsNoWeightFile) {
  ExpectError(Open(folder_.Path("absent")), {folder_.Path("absent"), "open", "No such file"});
  ExpectError(Open(folder_.Write("empty", "")),
              {"/empty: file size in bytes: '0': expected at least 1"});
  ExpectError(Open(folder_.Path("")), {"file type: 'directory': expected a regular file"});
  ASSERT_EQ(mkfifo(folder_.Path("fifo").c_str(), 0600), 0);
  ExpectError(Open(folder_.Path("fifo")), {"/fifo: file type: 'FIFO': expected a regular file"});
  ExpectError(Open("/dev/null"), {"/dev/null: file type: 'character device'"});
  const int before = Descriptors();
  ExpectError(Open(folder_.Path("empty")), {"at least 1"});
  EXPECT_EQ(Descriptors(), before) << "a refused file is closed";
}

TEST_F(FileTest, ReadsAllOrSaysWhereTheFileEnds) {
  const auto file = *Open(folder_.Write("five", "12345"));
  std::vector<std::byte> three(3);
  ASSERT_TRUE(file->ReadAt(2, three).has_value());
  EXPECT_EQ(three[2], std::byte{'5'});
  ExpectError(file->ReadAt(3, three), {"/five: bytes read at offset 3: '3': the file ends at 5"});
}

// Returns one byte at a time, and is interrupted before each.
class HaltingOs : public Os {
 public:
  ssize_t Pread(int descriptor, void* to, size_t bytes, off_t offset) override {
    if (interrupted_ = !interrupted_; interrupted_) {
      errno = EINTR;
      return -1;
    }
    return Os::Pread(descriptor, to, std::min<size_t>(bytes, 1), offset);
  }

 private:
  bool interrupted_ = false;
};

TEST_F(FileTest, ShortAndInterruptedReadsGoOn) {
  HaltingOs halting;
  const auto file = *File::Open(halting, folder_.Write("five", "12345"));
  std::string text(5, ' ');
  ASSERT_TRUE(file->ReadAt(0, std::as_writable_bytes(std::span(text))).has_value());
  EXPECT_EQ(text, "12345");
}

class BrokenDiskOs : public Os {
 public:
  ssize_t Pread(int, void*, size_t, off_t) override {
    errno = EIO;
    return -1;
  }
};

TEST_F(FileTest, ReadErrorsNameTheBytes) {
  BrokenDiskOs broken;
  const auto file = *File::Open(broken, folder_.Write("five", "12345"));
  std::vector<std::byte> three(3);
  ExpectError(file->ReadAt(1, three), {"/five: read 3 bytes at offset 1: Input/output error"});
}

TEST_F(FileTest, NoticesWhatHappenedToTheFile) {
  const std::string path = folder_.Write("f", "12345");
  const auto file = *Open(path);
  EXPECT_TRUE(file->Revalidate().has_value());
  EXPECT_TRUE(file->CheckStillHolds(5).has_value());

  folder_.Write("g", "12345");
  std::filesystem::rename(folder_.Path("g"), path);
  EXPECT_TRUE(file->CheckUnchanged().has_value()) << "the opened file lives on";
  ExpectError(file->Revalidate(), {"/f: inode: '", "was replaced"});

  const auto second = *Open(path);
  std::filesystem::last_write_time(
      path, std::filesystem::file_time_type::clock::now() + std::chrono::hours(1));
  ExpectError(second->Revalidate(), {"size and modification time: '5 bytes, ", "was changed"});
  std::filesystem::resize_file(path, 3);
  ExpectError(second->CheckStillHolds(4),
              {"/f: file size in bytes: '3': expected at least 4", "was 5 bytes", "has shrunk"});
  EXPECT_TRUE(second->CheckStillHolds(3).has_value());
  ExpectError(second->Revalidate(), {"has shrunk"});
  std::filesystem::remove(path);
  const auto third = *Open(folder_.Write("f", "12345"));
  std::filesystem::remove(path);
  ExpectError(third->Revalidate(), {"/f: stat: No such file"});
}

}  // namespace
}  // namespace plimsoll::weights
