#ifndef ALLOCATORS_WORKSPACE_FILE_TEST_SUPPORT_H_
#define ALLOCATORS_WORKSPACE_FILE_TEST_SUPPORT_H_

// Files that cannot be written or cannot grow, for tests. Not thread-safe.

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace plimsoll {

// Root may write to any file, whatever its mode; this thread may not while this lives.
class WithoutRootsPowerOverFiles {
 public:
  WithoutRootsPowerOverFiles() {
    EXPECT_EQ(::syscall(SYS_capget, &header_, before_), 0);
    __user_cap_data_struct without[2] = {before_[0], before_[1]};
    without[0].effective &= ~(1u << CAP_DAC_OVERRIDE);
    EXPECT_EQ(::syscall(SYS_capset, &header_, without), 0);
  }
  ~WithoutRootsPowerOverFiles() { EXPECT_EQ(::syscall(SYS_capset, &header_, before_), 0); }

 private:
  __user_cap_header_struct header_ = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct before_[2] = {};
};

// No file of this process grows beyond so many bytes: a full disk, without the privilege
// of mounting one.
class FileSizeLimited {
 public:
  explicit FileSizeLimited(rlim_t bytes) {
    EXPECT_EQ(::getrlimit(RLIMIT_FSIZE, &before_), 0);
    const rlimit limited = {bytes, before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &limited), 0);
  }
  FileSizeLimited(const FileSizeLimited&) = delete;
  FileSizeLimited& operator=(const FileSizeLimited&) = delete;
  ~FileSizeLimited() { EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &before_), 0); }

 private:
  rlimit before_ = {};
};

}  // namespace plimsoll

#endif  // ALLOCATORS_WORKSPACE_FILE_TEST_SUPPORT_H_
