#include "tools/watch_command.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/gate/suppression_file.h"
#include "harness/runner/children.h"
#include "harness/runner/entry.h"
#include "harness/runner/environment.h"
#include "harness/runner/mark_lines.h"
#include "harness/runner/parent.h"
#include "scenarios/launch/installation.h"
#include "tools/exit_status.h"
#include "tools/noise_options.h"
#include "tools/report_options.h"

namespace plimsoll {
namespace {

constexpr char kMarksHelp[] =
    "An iteration ends when the program calls plimsoll_iteration_end() (harness/client.h),\n"
    "when it writes a byte to the descriptor in $PLIMSOLL_MARK_FD, with a line on its standard\n"
    "output that matches --mark, or --every so many seconds. (The last two are taken by another\n"
    "thread, a moment later; marks that come faster than that are merged.) The table goes to\n"
    "standard error, and so does the program's exit status: plimsoll's own is the verdict's.";

constexpr int kForwarded[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCONT};

std::atomic<int> g_signal = 0;

// A terminal's signals reach the program by themselves: it is in our process group.
void TakeSignal(int signal, siginfo_t* info, void*) {
  if (info->si_code != SI_KERNEL) g_signal = signal;
}

void HandleSignals() {
  struct sigaction action = {};
  action.sa_sigaction = TakeSignal;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  for (const int signal : kForwarded) sigaction(signal, &action, nullptr);
}

struct WatchRequest {
  std::vector<std::string> command;
  std::string mark;
  double every_seconds = 0;
  std::string environment = "glibc";
  Rule rule;
  double timeout_seconds = 0;
  bool until_decided = false;
  bool no_stacks = false;
  std::string suppressions;
  NoiseOptions noise;
  ReportOptions reports;
};

// Passes the program's output and signals through, and keeps how it ended.
class Watcher : public CaseObserver {
 public:
  explicit Watcher(std::FILE* out) : out_(out) {}
  void OnOutput(std::string_view text) override {
    std::fwrite(text.data(), 1, text.size(), out_);
    std::fflush(out_);
  }
  int TakeSignal() override { return g_signal.exchange(0); }
  void OnExit(const ExitStatus& status) override { exit_ = status; }
  const std::optional<ExitStatus>& exit() const { return exit_; }

 private:
  std::FILE* const out_;
  std::optional<ExitStatus> exit_;
};

int Refuse(const std::string& message) {
  std::fprintf(stderr, "plimsoll: %s\n", message.c_str());
  return kExitBadRequest;
}

Expected<CaseSpec> SpecOf(const WatchRequest& request) {
  CaseSpec spec;
  spec.scenario = std::filesystem::path(request.command[0]).filename().string();
  spec.engine = "watch";
  spec.allocator = "system";
  const Expected<Environment> environment = FindEnvironment(request.environment);
  if (!environment.has_value()) return Fail("--environment: " + environment.error().message);
  spec.environment = *environment;
  spec.command = request.command;
  spec.rule = request.rule;
  spec.rule.first_look = std::min(spec.rule.first_look, spec.rule.max_iterations);
  if (const Status checked = Check(spec.rule); !checked.has_value()) {
    return tl::unexpected(checked.error());
  }
  spec.time_limit = request.timeout_seconds > 0
                        ? std::chrono::duration<double>(request.timeout_seconds)
                        : std::chrono::hours(24 * 365);
  spec.capture_stacks = !request.no_stacks;
  if (!request.suppressions.empty()) {
    Expected<std::vector<Suppression>> loaded = LoadSuppressions(request.suppressions);
    if (!loaded.has_value()) return tl::unexpected(loaded.error());
    spec.suppressions = *std::move(loaded);
  }
  WatchOptions watch;
  if (!request.mark.empty()) {
    const Expected<MarkLines> marks = MarkLines::Make(request.mark);
    if (!marks.has_value()) return tl::unexpected(marks.error());
    watch.mark_line = request.mark;
  }
  if (request.every_seconds > 0) {
    watch.mark_every = std::chrono::duration<double>(request.every_seconds);
  }
  watch.end_when_decided = request.until_decided;
  watch.output_to_error = SendsToStandardOutput(request.reports);
  spec.watch = watch;
  return spec;
}

int Watch(const WatchRequest& request) {
  Expected<CaseSpec> spec = SpecOf(request);
  if (!spec.has_value()) return Refuse(spec.error().message);
  const Expected<std::string> ledger = LedgerLibrary();
  if (!ledger.has_value()) return Refuse(ledger.error().message);
  const auto outside = WhyLedgerStaysOut(request.command[0]);
  if (!outside.has_value()) return Refuse(outside.error().message);
  if (outside->has_value()) {
    spec->watch->ledger_enters = false;
    std::fprintf(stderr,
                 "plimsoll: %s %s: the ledger cannot enter it; what is judged is the RSS of "
                 "several runs of it\n",
                 request.command[0].c_str(), (*outside)->c_str());
  }
  const auto children = ChildrenFor(request.noise, request.rule.level, spec->watch->ledger_enters);
  if (!children.has_value()) return Refuse(children.error().message);

  HandleSignals();
  Watcher watcher(spec->watch->output_to_error ? stderr : stdout);
  const CaseResult result = children->has_value() ? RunChildren(*spec, **children, *ledger, watcher)
                                                  : RunCase(*spec, *ledger, watcher);
  if (watcher.exit().has_value()) {
    std::fprintf(stderr, "plimsoll: %s: %s\n", request.command[0].c_str(),
                 Describe(*watcher.exit()).c_str());
  }
  PrintTable(request.reports, {result}, /*command=*/"", stderr);
  for (const std::string& line : SuppressionUse(spec->suppressions, {result})) {
    std::fprintf(stderr, "%s\n", line.c_str());
  }
  if (const Status written = WriteReports(request.reports, {result}); !written.has_value()) {
    return Refuse(written.error().message);
  }
  return ExitStatusOf({&result, 1});
}

}  // namespace

void AddWatchCommand(CLI::App& app, int& status) {
  CLI::App* const command = app.add_subcommand(
      "watch", "Watch any program: plimsoll watch [OPTIONS] -- COMMAND [ARGUMENTS]");
  command->footer(kMarksHelp);
  const auto request = std::make_shared<WatchRequest>();
  command->add_option("COMMAND", request->command, "The program and its arguments, after --")
      ->required();
  command->add_option("--mark", request->mark,
                      "A line of standard output that matches this regular expression ends an "
                      "iteration");
  command->add_option("--every", request->every_seconds, "An iteration ends every so many seconds")
      ->check(CLI::PositiveNumber);
  command->add_option("--environment", request->environment,
                      "What to preload and set (see plimsoll list; default glibc)");
  command->add_option("--iterations", request->rule.max_iterations,
                      "Judge at most so many iterations (default 2048)");
  command->add_option("--warmup", request->rule.warmup,
                      "Iterations before the first judged one (default 8)");
  command->add_option("--level", request->rule.level,
                      "Probability of a false LEAK (default 0.001)");
  command
      ->add_option("--timeout", request->timeout_seconds, "End the program after so many seconds")
      ->check(CLI::PositiveNumber);
  command->add_flag("--until-decided", request->until_decided,
                    "End the program (SIGTERM) as soon as there is a verdict");
  command->add_flag("--no-stacks", request->no_stacks,
                    "Name the calling function only: no second phase with full call stacks");
  AddNoiseOptions(*command, request->noise);
  command->add_option("--suppressions", request->suppressions,
                      "Known leaks that are not judged (YAML: name, reason, kind, stack)");
  AddReportOptions(*command, request->reports);
  command->callback([request, &status] { status = Watch(*request); });
}

}  // namespace plimsoll
