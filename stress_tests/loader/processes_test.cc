// Several processes with the same weights: what the mapping loader shares between them, and
// the reading one does not.

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <vector>

#include "allocators/mmap_loader/loader.h"
#include "stress_tests/loader/big_files.h"
#include "stress_tests/loader/smaps.h"

namespace plimsoll {
namespace {

using weights::Mode;

constexpr uint64_t kTensors = 16;
constexpr uint64_t kTensorBytes = uint64_t{4} << 20;
constexpr uint64_t kModel = kTensors * kTensorBytes;

// A process that holds all tensors of a file, every byte touched, until it is destroyed.
class Holder {
 public:
  Holder(const std::string& path, Mode mode) {
    int ready[2];
    if (pipe(ready) != 0) std::abort();
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      close(ready[0]);
      Hold(path, mode, ready[1]);
    }
    close(ready[1]);
    char byte = 0;
    is_ready_ = read(ready[0], &byte, 1) == 1;
    close(ready[0]);
  }
  ~Holder() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;

  bool is_ready() const { return is_ready_; }
  pid_t pid() const { return pid_; }

 private:
  [[noreturn]] static void Hold(const std::string& path, Mode mode, int ready) {
    const auto open = weights::Loader::OfProcess().Open(path, {.mode = mode});
    if (!open) _exit(1);
    std::vector<weights::Tensor> held;
    unsigned sum = 0;
    for (size_t i = 0; i < open->directory().size(); ++i) {
      auto tensor = open->Acquire(i);
      if (!tensor) _exit(1);
      const auto bytes = tensor->Bytes();
      if (!bytes) _exit(1);
      for (const std::byte byte : *bytes) sum += std::to_integer<unsigned>(byte);
      held.push_back(std::move(*tensor));
    }
    if (sum == 0 || write(ready, "x", 1) != 1) _exit(1);
    for (;;) pause();
  }

  pid_t pid_ = -1;
  bool is_ready_ = false;
};

class ProcessesTest : public testing::Test {
 protected:
  const BigFolder folder_;
  const std::string path_ =
      WriteBigFile(folder_.Path("shared.safetensors"), kTensors, kTensorBytes).value();
};

// PSS counts a page that n processes have in their page tables as an n-th part of it.
TEST_F(ProcessesTest, TwoThatMapOneFileHaveHalfEach) {
  const Holder first(path_, Mode::kMmap);
  ASSERT_TRUE(first.is_ready());
  const MappedMemory alone = ReadSmaps(first.pid(), "/shared.safetensors");
  EXPECT_EQ(alone.mappings, 1u);
  EXPECT_GE(alone.rss, kModel);
  EXPECT_GE(alone.pss, kModel) << "nobody else maps it";
  EXPECT_EQ(alone.anonymous, 0u);
  const Holder second(path_, Mode::kMmap);
  ASSERT_TRUE(second.is_ready());
  for (const pid_t pid : {first.pid(), second.pid()}) {
    const MappedMemory shared = ReadSmaps(pid, "/shared.safetensors");
    EXPECT_EQ(shared.rss, alone.rss);
    EXPECT_LE(shared.pss, alone.pss / 2 + 64 * 1024);
    EXPECT_GE(shared.pss, alone.pss / 2 - 64 * 1024);
    EXPECT_EQ(shared.anonymous, 0u);
  }
}

TEST_F(ProcessesTest, TwoThatReadItHaveItTwice) {
  const Holder first(path_, Mode::kRead);
  const Holder second(path_, Mode::kRead);
  ASSERT_TRUE(first.is_ready() && second.is_ready());
  for (const pid_t pid : {first.pid(), second.pid()}) {
    EXPECT_EQ(ReadSmaps(pid, "/shared.safetensors").mappings, 0u);
    EXPECT_GE(ReadSmaps(pid).anonymous, kModel);
  }
}

}  // namespace
}  // namespace plimsoll
