#include "harness/gate/fingerprint.h"

#include <fcntl.h>
#include <gnu/libc-version.h>
#include <sched.h>
#include <spawn.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cctype>
#include <ctime>

#include "base/file.h"

namespace plimsoll {
namespace {

std::string OrNothing(const char* path) { return ReadFile(path).value_or(""); }

uint32_t Cores() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0) {
    return static_cast<uint32_t>(CPU_COUNT(&allowed));
  }
  return static_cast<uint32_t>(sysconf(_SC_NPROCESSORS_ONLN));  // more than 1024 processors
}

std::string Compiler() {
#if defined(__clang__)
  return "clang " + std::to_string(__clang_major__) + "." + std::to_string(__clang_minor__) + "." +
         std::to_string(__clang_patchlevel__);
#else
  return "gcc " + std::to_string(__GNUC__) + "." + std::to_string(__GNUC_MINOR__) + "." +
         std::to_string(__GNUC_PATCHLEVEL__);
#endif
}

// Bazel says which: compilers announce only two of the four.
std::optional<std::string> Sanitizer() {
#ifdef PLIMSOLL_SANITIZER
  return PLIMSOLL_SANITIZER;
#else
  return std::nullopt;
#endif
}

// What `git -C FOLDER rev-parse HEAD` prints; empty where that fails.
std::string Commit(const std::string& folder) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return "";
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::string arguments[] = {"git", "-C", folder, "rev-parse", "HEAD"};
  char* argv[] = {arguments[0].data(), arguments[1].data(), arguments[2].data(),
                  arguments[3].data(), arguments[4].data(), nullptr};
  pid_t git = 0;
  const int error = posix_spawnp(&git, "git", &actions, nullptr, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  std::string commit;
  char text[128];
  for (ssize_t size = 0; error == 0 && (size = read(ends[0], text, sizeof(text))) > 0;) {
    commit.append(text, static_cast<size_t>(size));
  }
  close(ends[0]);
  int status = 0;
  if (error != 0 || waitpid(git, &status, 0) != git || status != 0) return "";
  while (!commit.empty() && commit.back() == '\n') commit.pop_back();
  return commit;
}

}  // namespace

std::string OsFromRelease(std::string_view os_release) {
  std::string id, version;
  while (!os_release.empty()) {
    const size_t end = os_release.find('\n');
    std::string_view line = os_release.substr(0, end);
    os_release.remove_prefix(end == std::string_view::npos ? os_release.size() : end + 1);
    std::string* field = line.starts_with("ID=")           ? &id
                         : line.starts_with("VERSION_ID=") ? &version
                                                           : nullptr;
    if (field == nullptr) continue;
    line.remove_prefix(line.find('=') + 1);
    if (line.size() >= 2 && (line.front() == '"' || line.front() == '\'') &&
        line.back() == line.front()) {
      line = line.substr(1, line.size() - 2);
    }
    *field = line;
  }
  return version.empty() ? id : id + " " + version;
}

std::string ThpFromEnabled(std::string_view enabled) {
  const size_t open = enabled.find('[');
  const size_t close = enabled.find(']');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return "";
  return std::string(enabled.substr(open + 1, close - open - 1));
}

Fingerprint ThisFingerprint() {
  Fingerprint fingerprint;
  struct utsname name;
  if (uname(&name) == 0) {
    fingerprint.kernel = name.release;
    fingerprint.arch = name.machine;
  }
  fingerprint.os = OsFromRelease(OrNothing("/etc/os-release"));
  fingerprint.libc = std::string("glibc ") + gnu_get_libc_version();
  fingerprint.cores = Cores();
  fingerprint.page_size_bytes = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  fingerprint.thp = ThpFromEnabled(OrNothing("/sys/kernel/mm/transparent_hugepage/enabled"));
  fingerprint.compiler = Compiler();
#ifdef NDEBUG
  fingerprint.build = "opt";
#else
  fingerprint.build = "dbg";
#endif
  fingerprint.sanitizer = Sanitizer();
  return fingerprint;
}

Context ThisContext(const std::string& folder, uint64_t seed) {
  Context context;
  const std::time_t now = std::time(nullptr);
  struct tm utc;
  char date[32] = "";
  if (gmtime_r(&now, &utc) != nullptr) std::strftime(date, sizeof(date), "%FT%TZ", &utc);
  context.date = date;
  char host[256] = "";
  if (gethostname(host, sizeof(host) - 1) == 0) context.host = host;
  context.fingerprint = ThisFingerprint();
  context.commit = Commit(folder);
  context.seed = seed;
  return context;
}

std::string FingerprintKey(const Fingerprint& fingerprint) {
  std::string key;
  const auto add = [&key](std::string_view part) {
    if (part.empty()) return;
    if (!key.empty()) key += '-';
    for (const char c : part) {
      const bool plain = std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_';
      key += plain ? c : '-';
    }
  };
  add(fingerprint.os);
  add(fingerprint.arch);
  add(fingerprint.libc);
  add(std::to_string(fingerprint.cores) + " cores");
  add(std::to_string(fingerprint.page_size_bytes >> 10) + " KiB pages");
  if (!fingerprint.thp.empty()) add("thp " + fingerprint.thp);
  add(fingerprint.build);
  if (fingerprint.sanitizer) add(*fingerprint.sanitizer);
  return key;
}

}  // namespace plimsoll
