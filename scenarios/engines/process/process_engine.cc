#include "scenarios/engines/process/process_engine.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace plimsoll {
namespace {

using Run = std::function<void()>;

// A command line in the form that exec takes.
class Command {
 public:
  explicit Command(std::vector<std::string> words) : words_(std::move(words)) {
    for (std::string& word : words_) pointers_.push_back(word.data());
    pointers_.push_back(nullptr);
  }
  Command(Command&&) = default;  // the words' storage moves along
  Command(const Command&) = delete;

  const char* program() const { return pointers_[0]; }
  char* const* arguments() const { return pointers_.data(); }

 private:
  std::vector<std::string> words_;
  std::vector<char*> pointers_;
};

struct RunOptions {
  int exit_status = 0;
  bool quiet = true;
};

// The program takes no part in the harness's run: only this process does.
void LeaveHarness() {
  if (const char* descriptor = std::getenv("PLIMSOLL_AGENT_FD")) close(std::atoi(descriptor));
  for (const char* name : {"PLIMSOLL_AGENT_FD", "PLIMSOLL_PARENT", "PLIMSOLL_TRIM",
                           "PLIMSOLL_MARK_FD", "PLIMSOLL_REMOTE"}) {
    unsetenv(name);
  }
}

[[noreturn]] void BecomeChild(const Command& command, const RunOptions& options, pid_t parent) {
  // Dies with the engine, also when the harness kills that.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  LeaveHarness();
  if (options.quiet) {
    const int null = open("/dev/null", O_RDWR);
    if (null < 0 || dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0) _exit(127);
    if (null > STDERR_FILENO) close(null);
  }
  execvp(command.program(), command.arguments());
  _exit(errno == ENOENT ? 127 : 126);
}

void RunOnce(const Command& command, const RunOptions& options) {
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (child == 0) BecomeChild(command, options, parent);
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "waitpid");
  }
  const std::string program = command.program();
  if (WIFSIGNALED(status)) {
    throw std::runtime_error(program + ": killed by signal " + std::to_string(WTERMSIG(status)) +
                             " (" + strsignal(WTERMSIG(status)) + ")");
  }
  if (WEXITSTATUS(status) != options.exit_status) {
    throw std::runtime_error(program + ": exit status " + std::to_string(WEXITSTATUS(status)) +
                             ", expected " + std::to_string(options.exit_status));
  }
}

class ProcessEngine : public Engine {
 public:
  Expected<Run> Prepare(const Step& step) override {
    if (step.name == "exec") return PrepareExec(step);
    if (step.name == "run") return PrepareRun(step);
    return BadValue(step.where, "", step.name, "expected one of exec, run");
  }

 private:
  static Expected<Command*> ReadCommand(const Step& step, FieldReader& reader,
                                        std::vector<std::unique_ptr<Command>>& commands) {
    std::vector<std::string> words = reader.Texts("command");
    if (Status status = reader.Finish(); !status) return tl::unexpected(status.error());
    if (words.empty() || words[0].empty()) {
      return BadValue(step.where, "command", "", "expected a program and its arguments");
    }
    commands.push_back(std::make_unique<Command>(std::move(words)));
    return commands.back().get();
  }

  Expected<Run> PrepareExec(const Step& step) {
    FieldReader reader(step, "command");
    const auto command = ReadCommand(step, reader, commands_);
    if (!command) return tl::unexpected(command.error());
    return Run([command = *command] {
      execvp(command->program(), command->arguments());
      throw std::system_error(errno, std::generic_category(), command->program());
    });
  }

  Expected<Run> PrepareRun(const Step& step) {
    FieldReader reader(step, "command");
    RunOptions options;
    options.exit_status = static_cast<int>(reader.Integer("exit", 0, 0, 255));
    options.quiet = reader.Flag("quiet", options.quiet);
    const auto command = ReadCommand(step, reader, commands_);
    if (!command) return tl::unexpected(command.error());
    return Run([command = *command, options] { RunOnce(*command, options); });
  }

  std::vector<std::unique_ptr<Command>> commands_;
};

bool IsExec(const Step& step) { return step.name == "exec"; }

}  // namespace

Expected<std::unique_ptr<Engine>> MakeProcessEngine(const EngineConfig& config) {
  FieldReader knobs(config.knobs, config.path + ": knobs");
  if (Status status = knobs.Finish(); !status) return tl::unexpected(status.error());
  if (config.allocator != "system") {
    return BadValue(config.path, "allocator", config.allocator,
                    "expected system: a program brings its own");
  }
  if (!config.models.empty()) {
    return BadValue(config.path, "model", config.models[0], "expected none");
  }
  const auto has_exec = [](const std::vector<Step>& steps) {
    return std::any_of(steps.begin(), steps.end(), IsExec);
  };
  if (has_exec(config.setup) || has_exec(config.teardown) ||
      (has_exec(config.iteration) && (config.iteration.size() != 1 || !config.teardown.empty()))) {
    return Fail(config.path + ": exec: must be the iteration's only step, without a teardown");
  }
  return std::make_unique<ProcessEngine>();
}

}  // namespace plimsoll
