#include "harness/runner/parent.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <deque>
#include <fstream>
#include <optional>

#include "harness/runner/child_process.h"
#include "harness/runner/conductor.h"
#include "harness/runner/decoder.h"

namespace plimsoll {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kLastLines = 20;
constexpr size_t kLongestLine = 400;
// What a child that was told to stop may take for its tear-down.
constexpr std::chrono::seconds kTearDownLimit(60);

// The last lines that the case printed.
class Tail {
 public:
  void Append(std::string_view text) {
    for (const char c : text) {
      if (c == '\n') {
        EndLine();
      } else if (current_.size() < kLongestLine) {
        current_ += c;
      }
    }
  }
  std::vector<std::string> Lines() {
    if (!current_.empty()) EndLine();
    return {lines_.begin(), lines_.end()};
  }

 private:
  void EndLine() {
    lines_.push_back(std::move(current_));
    current_.clear();
    if (lines_.size() > kLastLines) lines_.pop_front();
  }
  std::deque<std::string> lines_;
  std::string current_;
};

// Processes of this cgroup (v2) that the kernel killed for memory, if it says.
Count OutOfMemoryKills() {
  std::ifstream membership("/proc/self/cgroup");
  std::string line;
  while (std::getline(membership, line)) {
    if (line.rfind("0::", 0) != 0) continue;
    std::ifstream events("/sys/fs/cgroup" + line.substr(3) + "/memory.events");
    std::string key;
    uint64_t value = 0;
    while (events >> key >> value) {
      if (key == "oom_kill") return value;
    }
  }
  // Without a memory cgroup: the whole machine's count (Linux 4.13 and later).
  std::ifstream vmstat("/proc/vmstat");
  std::string key;
  uint64_t value = 0;
  while (vmstat >> key >> value) {
    if (key == "oom_kill") return value;
  }
  return std::nullopt;
}

// One run of the event loop.
class CaseRun {
 public:
  CaseRun(const CaseSpec& spec, ChildProcess& child, Conductor& conductor, CaseObserver& observer)
      : spec_(spec), child_(child), conductor_(conductor), observer_(observer) {}

  // Returns what went wrong; empty when the case ended as it should.
  std::string Run() {
    started_ = last_message_ = Clock::now();
    const Count kills_before = OutOfMemoryKills();
    std::string problem;
    std::optional<ExitStatus> status;
    while (problem.empty()) {
      Pump();
      status = child_.Poll();
      if (status.has_value()) break;
      problem = Overdue();
    }
    if (status.has_value()) {
      Drain();
      if (problem_.empty()) problem = ExitProblem(*status, kills_before);
    } else {
      child_.Signal(SIGKILL);
      Drain();
    }
    return problem_.empty() ? problem : problem_;
  }

  std::vector<std::string> LastOutput() { return tail_.Lines(); }

 private:
  void Pump() {
    std::array<pollfd, 2> fds = {{{agent_open_ ? child_.agent_fd() : -1, POLLIN, 0},
                                  {output_open_ ? child_.output_fd() : -1, POLLIN, 0}}};
    if (!outgoing_.empty()) fds[0].events |= POLLOUT;
    // Both may close before the process ends: look at it every few milliseconds then.
    const int wait = agent_open_ || output_open_ ? 20 : 2;
    poll(fds.data(), fds.size(), wait);
    if (fds[0].revents != 0) agent_open_ = ReadAgent();
    if (fds[1].revents != 0) output_open_ = ReadOutput();
    Send();
  }

  bool ReadAgent() {
    std::array<char, 65536> buffer;
    const ssize_t got = read(child_.agent_fd(), buffer.data(), buffer.size());
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) return false;
    last_message_ = Clock::now();
    std::vector<AgentEvent> events;
    if (const Status fed = decoder_.Feed(buffer.data(), static_cast<size_t>(got), events);
        !fed.has_value()) {
      problem_ = fed.error().message;
      child_.Signal(SIGKILL);
      return false;
    }
    for (AgentEvent& event : events) {
      if (const Sample* sample = std::get_if<Sample>(&event)) observer_.OnSample(*sample);
      outgoing_ += conductor_.Take(std::move(event));
    }
    if (conductor_.finished() && !finished_.has_value()) finished_ = Clock::now();
    return true;
  }

  bool ReadOutput() {
    std::array<char, 65536> buffer;
    const ssize_t got = read(child_.output_fd(), buffer.data(), buffer.size());
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) return false;
    const std::string_view text(buffer.data(), static_cast<size_t>(got));
    tail_.Append(text);
    observer_.OnOutput(text);
    return true;
  }

  void Send() {
    if (outgoing_.empty() || !agent_open_) return;
    const ssize_t sent =
        send(child_.agent_fd(), outgoing_.data(), outgoing_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) outgoing_.erase(0, static_cast<size_t>(sent));
    if (sent < 0 && errno != EAGAIN && errno != EINTR) outgoing_.clear();
  }

  // What is still in the pipes of a process that has ended.
  void Drain() {
    while (agent_open_) {
      pollfd fd = {child_.agent_fd(), POLLIN, 0};
      if (poll(&fd, 1, 0) <= 0) break;
      agent_open_ = ReadAgent();
    }
    while (output_open_) {
      pollfd fd = {child_.output_fd(), POLLIN, 0};
      if (poll(&fd, 1, 0) <= 0) break;
      output_open_ = ReadOutput();
    }
  }

  std::string Seconds(std::chrono::duration<double> duration) const {
    char text[32];
    std::snprintf(text, sizeof(text), "%.3g s", duration.count());
    return text;
  }

  std::string Overdue() const {
    const Clock::time_point now = Clock::now();
    const std::string where = " after " + std::to_string(conductor_.iterations()) + " iterations";
    if (observer_.Cancelled()) return "cancelled" + where;
    if (finished_.has_value()) {
      if (now - *finished_ < kTearDownLimit) return "";
      return "the tear-down took longer than " + Seconds(kTearDownLimit) + where;
    }
    if (now - started_ > spec_.time_limit) {
      return "over its time limit of " + Seconds(spec_.time_limit) + where;
    }
    if (now - last_message_ > spec_.hang_limit) {
      return "hangs: nothing heard for " + Seconds(spec_.hang_limit) + where;
    }
    return "";
  }

  std::string ExitProblem(const ExitStatus& status, const Count& kills_before) const {
    const std::string where = " after " + std::to_string(conductor_.iterations()) + " iterations";
    if (status.code == 0 && conductor_.finished()) return "";
    if (status.signal == SIGKILL) {
      const Count kills = OutOfMemoryKills();
      if (kills.has_value() && kills_before.has_value() && *kills > *kills_before) {
        return "killed by the kernel for lack of memory (oom_kill)" + where;
      }
      return "killed by SIGKILL" + where + ", not by Plimsoll";
    }
    if (status.code == 0) {
      if (conductor_.iterations() == 0) {
        return "ended without marking an iteration: is the ledger preloaded, and does the "
               "program call plimsoll_iteration_end()?";
      }
      return "ended by itself" + where + ", before the verdict";
    }
    return Describe(status) + where;
  }

  const CaseSpec& spec_;
  ChildProcess& child_;
  Conductor& conductor_;
  CaseObserver& observer_;
  Decoder decoder_;
  Tail tail_;
  std::string outgoing_;
  std::string problem_;
  bool agent_open_ = true;
  bool output_open_ = true;
  Clock::time_point started_, last_message_;
  std::optional<Clock::time_point> finished_;
};

}  // namespace

std::string CaseSpec::Name() const {
  return scenario + "/" + engine + "/" + allocator + "/" + environment.name;
}

void CaseObserver::OnSample(const Sample&) {}
void CaseObserver::OnOutput(std::string_view) {}
bool CaseObserver::Cancelled() { return false; }

CaseResult RunCase(const CaseSpec& spec, const std::string& ledger, CaseObserver& observer) {
  CaseResult result;
  result.name = spec.Name();
  result.scenario = spec.scenario;
  result.engine = spec.engine;
  result.allocator = spec.allocator;
  result.environment = spec.environment.name;
  result.warmup = spec.rule.warmup;

  ProcessOptions options;
  options.command = spec.command;
  options.variables = spec.environment.variables;
  options.variables.insert(options.variables.end(), spec.variables.begin(), spec.variables.end());
  if (spec.environment.trim_after_iteration) options.variables.emplace_back("PLIMSOLL_TRIM", "1");
  if (!ledger.empty()) options.preload.push_back(ledger);
  if (!spec.environment.library.empty()) {
    const std::optional<std::string> library = FindLibrary(spec.environment.library);
    if (!library.has_value()) {
      result.skipped = true;
      result.verdict = Verdict::kInconclusive;
      result.reason = "skipped: " + spec.environment.library + " is not installed";
      return result;
    }
    options.preload.push_back(*library);
  }
  if (const Status checked = Check(spec.rule); !checked.has_value()) {
    result.verdict = Verdict::kInconclusive;
    result.reason = checked.error().message;
    return result;
  }

  const Clock::time_point started = Clock::now();
  Expected<ChildProcess> child = ChildProcess::Start(options);
  if (!child.has_value()) {
    result.reason = child.error().message;
    return result;
  }
  Conductor conductor(spec.rule, spec.capture_stacks);
  CaseRun run(spec, *child, conductor, observer);
  const std::string problem = run.Run();
  conductor.Report(result);
  result.seconds = std::chrono::duration<double>(Clock::now() - started).count();
  if (!problem.empty()) {
    // A leak that was already proven stays proven when the tear-down then fails.
    if (result.verdict == Verdict::kLeak && conductor.finished()) {
      result.reason += "; then " + problem;
    } else {
      result.verdict = Verdict::kError;
      result.reason = problem;
    }
    result.last_output = run.LastOutput();
  }
  return result;
}

}  // namespace plimsoll
