#ifndef BASE_CALLER_FOLDER_H_
#define BASE_CALLER_FOLDER_H_

// Where a program's user stands: `bazel run` starts programs in their runfiles folder, and
// says in $BUILD_WORKING_DIRECTORY where it was called. As thread-safe as getenv.

#include <string>

#include "base/error.h"

namespace plimsoll {

// The caller's folder; "." when not started by `bazel run`.
std::string CallerFolder();

// Makes it the working directory, for programs that need nothing from their runfiles by a
// relative path. Nothing happens when not started by `bazel run`.
Status EnterCallerFolder();

}  // namespace plimsoll

#endif  // BASE_CALLER_FOLDER_H_
