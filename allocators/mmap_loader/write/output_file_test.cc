#include "allocators/mmap_loader/write/output_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string>

#include "allocators/mmap_loader/test_files.h"
#include "base/file.h"

namespace plimsoll::weights {
namespace {

// Calls that can be made to fail.
class FailingOs : public Os {
 public:
  enum Call { kNone, kPwrite, kFsync, kClose, kRename };
  ssize_t Pwrite(int descriptor, const void* from, size_t bytes, off_t offset) override {
    if (failing == kPwrite) return Refuse(ENOSPC);
    // One byte at a time, and interrupted before each.
    if (interrupted_ = !interrupted_; interrupted_) return Refuse(EINTR);
    return Os::Pwrite(descriptor, from, std::min<size_t>(bytes, 1), offset);
  }
  int Fsync(int descriptor) override {
    ++syncs;
    return failing == kFsync ? Refuse(EIO) : Os::Fsync(descriptor);
  }
  int Close(int descriptor) override {
    const int closed = Os::Close(descriptor);
    return failing == kClose ? Refuse(EDQUOT) : closed;
  }
  int Rename(const char* from, const char* to) override {
    return failing == kRename ? Refuse(EACCES) : Os::Rename(from, to);
  }

  Call failing = kNone;
  int syncs = 0;

 private:
  static int Refuse(int error) {
    errno = error;
    return -1;
  }
  bool interrupted_ = false;
};

class OutputFileTest : public testing::Test {
 protected:
  Status WriteNew() {
    Expected<std::unique_ptr<OutputFile>> file = OutputFile::Create(os_, path_);
    if (!file) return tl::unexpected(file.error());
    Status done = (*file)->Append("new ");
    if (done) done = (*file)->Pad(8);
    if (done) done = (*file)->Append("bytes");
    if (done) done = (*file)->Overwrite(1, "E");
    return done ? (*file)->Commit() : done;
  }
  size_t FilesInFolder() const {
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry :
         std::filesystem::directory_iterator(folder_.Path(""))) {
      ++count;
    }
    return count;
  }

  FailingOs os_;
  TestFolder folder_;
  const std::string path_ = folder_.Write("out", "old");
};

TEST_F(OutputFileTest, ReplacesAtOnceAndSyncsFileAndFolder) {
  ASSERT_TRUE(WriteNew().has_value());
  EXPECT_EQ(*ReadFile(path_), std::string("nEw \0\0\0\0bytes", 13));
  EXPECT_EQ(FilesInFolder(), 1u);
  EXPECT_EQ(os_.syncs, 2);
}

TEST_F(OutputFileTest, AnyFailureLeavesTheOldFileAndNothingElse) {
  const int descriptors = Descriptors();
  for (const auto& [call, what] :
       {std::pair(FailingOs::kPwrite, "/out: write 4 bytes at offset 0: No space left"),
        std::pair(FailingOs::kFsync, "/out: sync: Input/output error"),
        std::pair(FailingOs::kClose, "/out: close: Disk quota exceeded"),
        std::pair(FailingOs::kRename, "/out: replace: Permission denied")}) {
    os_.failing = call;
    ExpectError(WriteNew(), {what});
    EXPECT_EQ(*ReadFile(path_), "old");
    EXPECT_EQ(FilesInFolder(), 1u);
  }
  EXPECT_EQ(Descriptors(), descriptors);
}

TEST_F(OutputFileTest, ForgottenFilesAreRemoved) {
  {
    const auto file = *OutputFile::Create(os_, path_);
    EXPECT_EQ(FilesInFolder(), 2u);
  }
  EXPECT_EQ(FilesInFolder(), 1u);
  EXPECT_EQ(*ReadFile(path_), "old");
}

TEST_F(OutputFileTest, FollowsLinksAndNamesFoldersThatAreNotThere) {
  std::filesystem::create_symlink(path_, folder_.Path("link"));
  const auto file = *OutputFile::Create(os_, folder_.Path("link"));
  ASSERT_TRUE(file->Append("x").has_value());
  ASSERT_TRUE(file->Commit().has_value());
  EXPECT_EQ(*ReadFile(path_), "x");
  EXPECT_TRUE(std::filesystem::is_symlink(folder_.Path("link")));
  ExpectError(OutputFile::Create(os_, folder_.Path("absent/out")),
              {"/absent/out.", ".tmp: create: No such file"});
}

}  // namespace
}  // namespace plimsoll::weights
