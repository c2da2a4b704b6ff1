#include "harness/runner/entry.h"

#include <elf.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <vector>

namespace plimsoll {
namespace {

// As execvp would find it; the name itself when it is nowhere.
std::string InPath(const std::string& program) {
  if (program.find('/') != std::string::npos) return program;
  const char* path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin");
  std::string folder;
  while (std::getline(folders, folder, ':')) {
    const std::string candidate = (folder.empty() ? "." : folder) + "/" + program;
    struct stat status;
    if (access(candidate.c_str(), X_OK) == 0 && stat(candidate.c_str(), &status) == 0 &&
        S_ISREG(status.st_mode)) {
      return candidate;
    }
  }
  return program;
}

// The program named after "#!", empty when the file does not begin so.
std::string InterpreterOf(const std::string& start) {
  if (start.rfind("#!", 0) != 0) return "";
  std::istringstream line(start.substr(2, start.find('\n') - 2));
  std::string interpreter, argument;
  line >> interpreter >> argument;
  const bool is_env =
      interpreter.size() >= 4 && interpreter.compare(interpreter.size() - 4, 4, "/env") == 0;
  return is_env && !argument.empty() && argument[0] != '-' ? argument : interpreter;
}

std::optional<std::string> WhyElfStaysOut(std::ifstream& file, const std::string& start) {
  Elf64_Ehdr header;
  if (start.size() < sizeof(header)) return "is not an x86-64 program";
  std::memcpy(&header, start.data(), sizeof(header));
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_machine != EM_X86_64) {
    return "is not an x86-64 program";
  }
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    file.clear();
    file.seekg(static_cast<std::streamoff>(header.e_phoff + uint64_t{i} * header.e_phentsize));
    if (!file.read(reinterpret_cast<char*>(&segment), sizeof(segment))) break;
    if (segment.p_type == PT_INTERP) return std::nullopt;
  }
  return "is statically linked";
}

}  // namespace

Expected<std::optional<std::string>> WhyLedgerStaysOut(const std::string& program) {
  std::string path = InPath(program);
  // The kernel follows five interpreters as well.
  for (int depth = 0; depth < 5; ++depth) {
    struct stat status;
    if (stat(path.c_str(), &status) != 0) return SystemError(path, "cannot run", errno);
    if (S_ISDIR(status.st_mode)) return SystemError(path, "cannot run", EISDIR);
    const bool is_root = geteuid() == 0;
    if ((status.st_mode & S_ISUID) != 0 && !(is_root && status.st_uid == 0)) return "is setuid";
    if ((status.st_mode & S_ISGID) != 0 && (status.st_mode & S_IXGRP) != 0 &&
        status.st_gid != getegid()) {
      return "is setgid";
    }
    if (!is_root && getxattr(path.c_str(), "security.capability", nullptr, 0) > 0) {
      return "has file capabilities";
    }
    std::ifstream file(path, std::ios::binary);
    std::string start(4096, '\0');
    file.read(start.data(), static_cast<std::streamsize>(start.size()));
    start.resize(static_cast<size_t>(file.gcount()));
    if (start.empty()) return SystemError(path, "cannot read", EACCES);
    const std::string interpreter = InterpreterOf(start);
    if (interpreter.empty()) return WhyElfStaysOut(file, start);
    path = InPath(interpreter);
  }
  return SystemError(program, "cannot run", ELOOP);
}

}  // namespace plimsoll
