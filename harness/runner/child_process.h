#ifndef HARNESS_RUNNER_CHILD_PROCESS_H_
#define HARNESS_RUNNER_CHILD_PROCESS_H_

// Starts a program with the agent's socket and its output connected, and ends it
// surely. Thread-compatible; one owner per child.

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace plimsoll {

// Where a child's standard streams lead.
enum class Streams {
  kCaptured,        // stdin empty, stdout and stderr into one pipe
  kInherited,       // all three ours
  kOutputCaptured,  // stdout into a pipe, the others ours
  kOutputToError,   // stdout to our stderr, the others ours
};

// Under this number the leak report is open in the child.
constexpr int kLeakReportFd = 996;

struct ProcessOptions {
  std::vector<std::string> command;  // command[0] is looked up in PATH when it has no '/'
  std::vector<std::pair<std::string, std::string>> variables;  // added to ours, replacing
  std::vector<std::string> preload;  // LD_PRELOAD, first to last; empty: as inherited
  std::string directory;             // empty: ours
  Streams streams = Streams::kCaptured;
  // A group of its own, ended as a whole; false: it stays in ours, and a terminal's signals
  // reach it as they reach us.
  bool own_group = true;
  // An unnamed file for a leak checker's report (see ReadLeakReport).
  bool leak_report = false;
  // A pipe for marks: the child finds its end's number in PLIMSOLL_MARK_FD.
  bool mark_pipe = false;
};

// How a process ended.
struct ExitStatus {
  std::optional<int> code;    // exited by itself
  std::optional<int> signal;  // was killed
  bool dumped_core = false;
};
// "exit status 3", "killed by SIGSEGV (Segmentation fault), core dumped".
std::string Describe(const ExitStatus& status);

class ChildProcess {
 public:
  // Starts `options.command`. A program that cannot be executed is an error here (path and
  // reason), not an exit status.
  static Expected<ChildProcess> Start(const ProcessOptions& options);

  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  ~ChildProcess();  // kills the child (its whole group, if it has its own) and reaps it

  pid_t pid() const { return pid_; }
  // Our end of the agent's stream socket, of the captured output (-1: none) and of the
  // pipe for marks (-1: none). Non-blocking, closed by the destructor.
  int agent_fd() const { return agent_fd_; }
  int output_fd() const { return output_fd_; }
  int mark_fd() const { return mark_fd_; }

  // What was written to the leak report so far.
  std::string ReadLeakReport() const;

  // Sends `signal` to the child, or to its process group if it has its own.
  void Signal(int signal) const;
  // The status if the child has ended, without waiting.
  std::optional<ExitStatus> Poll();

 private:
  ChildProcess() = default;

  pid_t pid_ = -1;
  bool own_group_ = true;
  int agent_fd_ = -1;
  int output_fd_ = -1;
  int mark_fd_ = -1;
  int report_fd_ = -1;
  std::optional<ExitStatus> status_;
};

}  // namespace plimsoll

#endif  // HARNESS_RUNNER_CHILD_PROCESS_H_
