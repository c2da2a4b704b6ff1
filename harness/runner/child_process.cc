#include "harness/runner/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>

extern char** environ;

namespace plimsoll {
namespace {

// The descriptors under which the agent's socket and the pipe for marks appear in the
// child: high, so that the program's own numbering is what it would be without us.
constexpr int kAgentFd = 997;
constexpr int kMarkFd = 998;

struct Descriptors {
  int agent[2] = {-1, -1};
  int output[2] = {-1, -1};
  int marks[2] = {-1, -1};
  int report[2] = {-1, -1};  // the second stays unused
  int exec_error[2] = {-1, -1};

  ~Descriptors() {
    for (int* pair : {agent, output, marks, report, exec_error}) {
      for (int i = 0; i < 2; ++i) {
        if (pair[i] >= 0) close(pair[i]);
      }
    }
  }
};

std::vector<std::string> MakeEnvironment(const ProcessOptions& options) {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    variables[std::string(text.substr(0, equals))] = text.substr(equals + 1);
  }
  if (!options.preload.empty()) {
    std::string preload;
    for (const std::string& library : options.preload) {
      if (!preload.empty()) preload += ':';
      preload += library;
    }
    variables["LD_PRELOAD"] = preload;
  }
  for (const auto& [name, value] : options.variables) variables[name] = value;
  variables["PLIMSOLL_AGENT_FD"] = std::to_string(kAgentFd);
  variables["PLIMSOLL_PARENT"] = std::to_string(getpid());
  if (options.leak_report) {
    variables["PLIMSOLL_DIRECT_LEAKS_FD"] = std::to_string(kLeakReportFd);
  }
  if (options.mark_pipe) variables["PLIMSOLL_MARK_FD"] = std::to_string(kMarkFd);
  std::vector<std::string> result;
  result.reserve(variables.size());
  for (const auto& [name, value] : variables) result.push_back(name + "=" + value);
  return result;
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (std::string& s : strings) pointers.push_back(s.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Between fork and exec: async-signal-safe calls only.
[[noreturn]] void Exec(const ProcessOptions& options, const Descriptors& fds, char* const* argv,
                       char* const* environment) {
  if (options.own_group) setpgid(0, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  bool ready = dup2(fds.agent[1], kAgentFd) >= 0;
  if (options.leak_report) ready = ready && dup2(fds.report[0], kLeakReportFd) >= 0;
  if (options.mark_pipe) ready = ready && dup2(fds.marks[1], kMarkFd) >= 0;
  switch (options.streams) {
    case Streams::kCaptured: {
      const int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
      ready = ready && null_fd >= 0 && dup2(null_fd, STDIN_FILENO) >= 0 &&
              dup2(fds.output[1], STDOUT_FILENO) >= 0 && dup2(fds.output[1], STDERR_FILENO) >= 0;
      break;
    }
    case Streams::kInherited:
      break;
    case Streams::kOutputCaptured:
      ready = ready && dup2(fds.output[1], STDOUT_FILENO) >= 0;
      break;
    case Streams::kOutputToError:
      ready = ready && dup2(STDERR_FILENO, STDOUT_FILENO) >= 0;
      break;
  }
  if (ready && !options.directory.empty()) ready = chdir(options.directory.c_str()) == 0;
  if (ready) {
    environ = const_cast<char**>(environment);
    execvp(argv[0], argv);
  }
  const int error_number = errno;
  const ssize_t written = write(fds.exec_error[1], &error_number, sizeof(error_number));
  _exit(written == sizeof(error_number) ? 127 : 126);
}

}  // namespace

std::string Describe(const ExitStatus& status) {
  if (status.code.has_value()) return "exit status " + std::to_string(*status.code);
  if (!status.signal.has_value()) return "unknown status";
  const char* name = sigabbrev_np(*status.signal);
  const char* text = sigdescr_np(*status.signal);
  std::string line = "killed by ";
  line += name != nullptr ? "SIG" + std::string(name) : "signal " + std::to_string(*status.signal);
  if (text != nullptr) line += " (" + std::string(text) + ")";
  if (status.dumped_core) line += ", core dumped";
  return line;
}

Expected<ChildProcess> ChildProcess::Start(const ProcessOptions& options) {
  if (options.command.empty() || options.command[0].empty()) {
    return BadValue("", "command", "", "expected a program to run");
  }
  const std::string& program = options.command[0];
  const bool captures =
      options.streams == Streams::kCaptured || options.streams == Streams::kOutputCaptured;
  Descriptors fds;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.agent) != 0 ||
      pipe2(fds.exec_error, O_CLOEXEC) != 0 || (captures && pipe2(fds.output, O_CLOEXEC) != 0) ||
      (options.mark_pipe && pipe2(fds.marks, O_CLOEXEC) != 0)) {
    return SystemError(program, "cannot make its pipes", errno);
  }
  if (options.leak_report) {
    fds.report[0] = memfd_create("plimsoll-leak-report", MFD_CLOEXEC);
    if (fds.report[0] < 0) return SystemError(program, "cannot make its leak report", errno);
  }
  std::vector<std::string> arguments = options.command;
  std::vector<std::string> environment = MakeEnvironment(options);
  const std::vector<char*> argv = Pointers(arguments);
  const std::vector<char*> envp = Pointers(environment);
  const pid_t pid = fork();
  if (pid < 0) return SystemError(program, "cannot fork", errno);
  if (pid == 0) Exec(options, fds, argv.data(), envp.data());

  if (options.own_group) setpgid(pid, pid);  // whichever side comes first
  ChildProcess child;
  child.pid_ = pid;
  child.own_group_ = options.own_group;
  close(fds.exec_error[1]);
  fds.exec_error[1] = -1;
  int error_number = 0;
  ssize_t got;
  do {
    got = read(fds.exec_error[0], &error_number, sizeof(error_number));
  } while (got < 0 && errno == EINTR);
  if (got == sizeof(error_number)) {
    std::string where = program;
    if (error_number == ENOENT && !options.directory.empty()) where += " in " + options.directory;
    return SystemError(where, "cannot run", error_number);  // ~ChildProcess reaps it
  }
  child.agent_fd_ = std::exchange(fds.agent[0], -1);
  fcntl(child.agent_fd_, F_SETFL, O_NONBLOCK);
  if (captures) {
    child.output_fd_ = std::exchange(fds.output[0], -1);
    fcntl(child.output_fd_, F_SETFL, O_NONBLOCK);
  }
  child.report_fd_ = std::exchange(fds.report[0], -1);
  if (options.mark_pipe) {
    child.mark_fd_ = std::exchange(fds.marks[0], -1);
    fcntl(child.mark_fd_, F_SETFL, O_NONBLOCK);
  }
  return child;
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      own_group_(other.own_group_),
      agent_fd_(std::exchange(other.agent_fd_, -1)),
      output_fd_(std::exchange(other.output_fd_, -1)),
      mark_fd_(std::exchange(other.mark_fd_, -1)),
      report_fd_(std::exchange(other.report_fd_, -1)),
      status_(std::exchange(other.status_, std::nullopt)) {}

ChildProcess::~ChildProcess() {
  if (agent_fd_ >= 0) close(agent_fd_);
  if (output_fd_ >= 0) close(output_fd_);
  if (mark_fd_ >= 0) close(mark_fd_);
  if (report_fd_ >= 0) close(report_fd_);
  if (pid_ < 0 || status_.has_value()) return;
  Signal(SIGKILL);
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
}

std::string ChildProcess::ReadLeakReport() const {
  std::string text;
  char buffer[65536];
  // The position is shared with the child, which may still write.
  ssize_t got = 0;
  while (report_fd_ >= 0 &&
         (got = pread(report_fd_, buffer, sizeof(buffer), static_cast<off_t>(text.size()))) > 0) {
    text.append(buffer, static_cast<size_t>(got));
  }
  return text;
}

void ChildProcess::Signal(int signal) const {
  if (pid_ > 0 && !status_.has_value()) kill(own_group_ ? -pid_ : pid_, signal);
}

std::optional<ExitStatus> ChildProcess::Poll() {
  if (status_.has_value()) return status_;
  siginfo_t info = {};
  if (waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
      info.si_pid != pid_) {
    return std::nullopt;
  }
  // What it left behind goes too, while its unreaped id still keeps the group ours.
  if (own_group_) kill(-pid_, SIGKILL);
  int status = 0;
  if (waitpid(pid_, &status, 0) != pid_) return std::nullopt;
  ExitStatus result;
  if (WIFEXITED(status)) {
    result.code = WEXITSTATUS(status);
  } else {
    result.signal = WTERMSIG(status);
    result.dumped_core = WCOREDUMP(status);
  }
  status_ = result;
  return status_;
}

}  // namespace plimsoll
