#ifndef BASE_FILE_H_
#define BASE_FILE_H_

// Whole files, read at once and replaced at once. Thread-safe, except that the last of
// several writers of one path wins.

#include <string>
#include <string_view>

#include "base/error.h"

namespace plimsoll {

// The contents of a file. The error names the path.
Expected<std::string> ReadFile(const std::string& path);

// Replaces a file, or creates it: written to a temporary file in the same folder, synced
// and renamed, so that a reader sees the old contents or the new, and a full disk leaves
// the old. Permissions of an old file are kept; a symbolic link keeps pointing at the file
// that is replaced. What is not a regular file (a pipe, /dev/stdout) is written to.
// Missing folders are an error.
Status WriteFile(const std::string& path, std::string_view contents);

}  // namespace plimsoll

#endif  // BASE_FILE_H_
