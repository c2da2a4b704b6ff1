#include "allocators/mmap_loader/read_pages.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include "allocators/mmap_loader/test_files.h"

namespace plimsoll::weights {
namespace {

// Page-aligned memory.
struct Pages {
  explicit Pages(size_t bytes)
      : data(static_cast<std::byte*>(std::aligned_alloc(PageSize(), PageCeil(bytes)))) {}
  ~Pages() { std::free(data); }
  std::byte* const data;
};

class CountingOs : public Os {
 public:
  ssize_t Pread(int descriptor, void* to, size_t bytes, off_t offset) override {
    {
      const std::lock_guard lock(mutex);
      threads.insert(std::this_thread::get_id());
    }
    // Long enough that one thread cannot take all chunks before the others start.
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    if (fail_from && offset >= fail_from) {
      errno = EIO;
      return -1;
    }
    return Os::Pread(descriptor, to, longest == 0 ? bytes : std::min(bytes, longest), offset);
  }
  std::mutex mutex;
  std::set<std::thread::id> threads;
  off_t fail_from = 0;
  size_t longest = 0;
};

TEST(ReadPages, LargeRangesAreSharedOut) {
  TestFolder folder;
  const std::string bytes = Pattern((40 << 20) + 123);
  CountingOs os;
  const auto file = *File::Open(os, folder.Write("large", bytes));
  Pages to(bytes.size());
  ASSERT_TRUE(ReadPages(*file, 0, to.data, bytes.size(), 4).has_value());
  EXPECT_EQ(std::memcmp(to.data, bytes.data(), bytes.size()), 0);
  EXPECT_GT(os.threads.size(), 1u);
  os.threads.clear();
  ASSERT_TRUE(ReadPages(*file, 4096, to.data, 1 << 20, 4).has_value());
  EXPECT_EQ(os.threads.size(), 1u) << "a small range is not worth a thread";
  EXPECT_EQ(std::memcmp(to.data, bytes.data() + 4096, 1 << 20), 0);
}

TEST(ReadPages, OneChunksErrorIsTheError) {
  TestFolder folder;
  CountingOs os;
  const std::string bytes = Pattern(20 << 20);
  const auto file = *File::Open(os, folder.Write("large", bytes));
  Pages to(bytes.size());
  os.fail_from = 8 << 20;
  ExpectError(ReadPages(*file, 0, to.data, bytes.size(), 3),
              {"/large: read", "Input/output error"});
  os.fail_from = 0;
  ExpectError(ReadPages(*file, 4096, to.data, bytes.size(), 1),
              {"the file ends at " + std::to_string(bytes.size())});
}

TEST(ReadPages, DirectReadsEndWithTheFile) {
  TestFolder folder;
  CountingOs os;
  const std::string bytes = Pattern((9 << 20) + 777);
  const auto file = *File::Open(os, folder.Write("odd", bytes));
  if (os.SetFlags(file->descriptor(), os.GetFlags(file->descriptor()) | O_DIRECT) != 0) {
    GTEST_SKIP() << "this file system has no O_DIRECT";
  }
  Pages to(bytes.size());
  ASSERT_TRUE(ReadPages(*file, 0, to.data, bytes.size(), 2).has_value());
  EXPECT_EQ(std::memcmp(to.data, bytes.data(), bytes.size()), 0);
  // Cut short in the middle of a page, reading resumes where the page starts.
  os.longest = 12288;
  std::memset(to.data, 0, bytes.size());
  ASSERT_TRUE(ReadPages(*file, 0, to.data, 300'000, 1).has_value());
  EXPECT_EQ(std::memcmp(to.data, bytes.data(), 300'000), 0);
  os.longest = 0;
  ExpectError(ReadPages(*file, PageFloor(bytes.size()), to.data, 2 * PageSize(), 1),
              {"the file ends at " + std::to_string(bytes.size())});
}

}  // namespace
}  // namespace plimsoll::weights
