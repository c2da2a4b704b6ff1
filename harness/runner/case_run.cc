#include "harness/runner/case_run.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "harness/runner/oom_kills.h"

namespace plimsoll {
namespace {

// What a child that was told to stop may take for its tear-down.
constexpr std::chrono::seconds kTearDownLimit(60);
// What a watched program may take to end after SIGTERM.
constexpr std::chrono::seconds kTerminationLimit(10);
constexpr int kPollMilliseconds = 20;

std::string Seconds(std::chrono::duration<double> duration) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.3g s", duration.count());
  return text;
}

std::string MarkCommand() {
  const wire::MessageHeader header = {static_cast<uint32_t>(wire::MessageType::kMark), 0};
  return std::string(reinterpret_cast<const char*>(&header), sizeof(header));
}

}  // namespace

CaseRun::CaseRun(const CaseSpec& spec, ChildProcess& child, Conductor& conductor,
                 CaseObserver& observer, std::optional<MarkLines> marks)
    : spec_(spec),
      child_(child),
      conductor_(conductor),
      observer_(observer),
      marks_(std::move(marks)),
      output_open_(child.output_fd() >= 0),
      marks_open_(child.mark_fd() >= 0) {
  if (spec.watch.has_value() && !spec.watch->ledger_enters) {
    outside_probe_ = ProcessProbe::ForPid(child.pid());
  }
}

std::string CaseRun::Run() {
  started_ = last_message_ = next_mark_ = Clock::now();
  if (spec_.watch.has_value() && spec_.watch->mark_every.has_value()) {
    next_mark_ += std::chrono::duration_cast<Clock::duration>(*spec_.watch->mark_every);
  }
  const Count kills_before = OutOfMemoryKills();
  std::string problem;
  std::optional<ExitStatus> status;
  while (problem.empty()) {
    Pump();
    MarkByTime();
    if (const int signal = observer_.TakeSignal(); signal != 0) {
      child_.Signal(signal);
      signal_sent_ = signal;
    }
    status = child_.Poll();
    if (status.has_value()) break;
    problem = Overdue();
  }
  if (status.has_value()) {
    Drain();
    observer_.OnExit(*status);
    if (problem_.empty()) problem = ExitProblem(*status, kills_before);
  } else {
    child_.Signal(SIGKILL);
    Drain();
  }
  return problem_.empty() ? problem : problem_;
}

uint32_t CaseRun::iterations() const {
  return outside_samples_.empty() ? conductor_.iterations() : outside_samples_.back().iteration;
}

int CaseRun::Wait() const {
  // All may close before the process ends: look at it every few milliseconds then.
  int wait = agent_open_ || output_open_ ? kPollMilliseconds : 2;
  if (spec_.watch.has_value() && spec_.watch->mark_every.has_value()) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(next_mark_ - Clock::now()).count();
    wait = static_cast<int>(std::clamp<int64_t>(left, 0, wait));
  }
  return wait;
}

void CaseRun::Pump() {
  std::array<pollfd, 3> fds = {{{agent_open_ ? child_.agent_fd() : -1, POLLIN, 0},
                                {output_open_ ? child_.output_fd() : -1, POLLIN, 0},
                                {marks_open_ ? child_.mark_fd() : -1, POLLIN, 0}}};
  if (!outgoing_.empty()) fds[0].events |= POLLOUT;
  poll(fds.data(), fds.size(), Wait());
  if (fds[0].revents != 0) agent_open_ = ReadAgent();
  if (fds[1].revents != 0) output_open_ = ReadOutput();
  if (fds[2].revents != 0) marks_open_ = ReadMarks();
  Send();
}

bool CaseRun::ReadAgent() {
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
    if (const Sample* sample = std::get_if<Sample>(&event)) {
      mark_on_its_way_ = false;
      observer_.OnSample(*sample);
    }
    if (std::get_if<wire::Hello>(&event) != nullptr) mark_on_its_way_ = false;
    outgoing_ += conductor_.Take(std::move(event));
  }
  if (conductor_.finished() && !finished_.has_value()) finished_ = Clock::now();
  return true;
}

bool CaseRun::ReadOutput() {
  std::array<char, 65536> buffer;
  const ssize_t got = read(child_.output_fd(), buffer.data(), buffer.size());
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (got == 0) return false;
  const std::string_view text(buffer.data(), static_cast<size_t>(got));
  tail_.Append(text);
  observer_.OnOutput(text);
  if (marks_.has_value()) EndIterations(marks_->Take(text));
  return true;
}

// Marks that were not taken inside the program.
bool CaseRun::ReadMarks() {
  std::array<char, 256> buffer;
  const ssize_t got = read(child_.mark_fd(), buffer.data(), buffer.size());
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (got == 0) return false;
  EndIterations(static_cast<uint32_t>(got));
  return true;
}

void CaseRun::MarkByTime() {
  if (!spec_.watch.has_value() || !spec_.watch->mark_every.has_value()) return;
  const Clock::time_point now = Clock::now();
  if (now < next_mark_) return;
  EndIterations(1);
  // Marks that could not be given in time are not made up for.
  const auto every = std::chrono::duration_cast<Clock::duration>(*spec_.watch->mark_every);
  next_mark_ = std::max(next_mark_ + every, now);
}

void CaseRun::EndIterations(uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) {
    if (!spec_.watch->ledger_enters) {
      SampleFromOutside();
    } else if (!conductor_.finished() && !mark_on_its_way_) {
      // One at a time: marks that come faster than they are taken are one. Queued, they would
      // end iterations in which the program has done nothing.
      mark_on_its_way_ = true;
      outgoing_ += MarkCommand();
    }
  }
}

void CaseRun::SampleFromOutside() {
  if (Decided()) return;
  Sample sample;
  sample.iteration = iterations() + 1;
  sample.nanoseconds = static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch())
          .count());
  sample.process =
      outside_probe_.Sample(spec_.full_samples ? SampleLevel::kFull : SampleLevel::kEveryIteration);
  if (!sample.process.rss_bytes.has_value()) return;  // it has ended already
  observer_.OnSample(sample);
  outside_samples_.push_back(std::move(sample));
}

void CaseRun::Send() {
  if (outgoing_.empty() || !agent_open_) return;
  const ssize_t sent =
      send(child_.agent_fd(), outgoing_.data(), outgoing_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent > 0) outgoing_.erase(0, static_cast<size_t>(sent));
  if (sent < 0 && errno != EAGAIN && errno != EINTR) outgoing_.clear();
}

// What is still in the pipes of a process that has ended.
void CaseRun::Drain() {
  const auto drain = [](bool& open, int descriptor, auto read_some) {
    while (open) {
      pollfd fd = {descriptor, POLLIN, 0};
      if (poll(&fd, 1, 0) <= 0) break;
      open = read_some();
    }
  };
  drain(agent_open_, child_.agent_fd(), [this] { return ReadAgent(); });
  drain(output_open_, child_.output_fd(), [this] { return ReadOutput(); });
}

bool CaseRun::Decided() const {
  if (!spec_.watch.has_value() || spec_.watch->ledger_enters) return conductor_.finished();
  return iterations() >= spec_.rule.warmup + spec_.rule.max_iterations;
}

// Asks a watched program to end, then makes it.
void CaseRun::EndProgram() {
  if (ending_.has_value()) {
    if (Clock::now() - *ending_ > kTerminationLimit) child_.Signal(SIGKILL);
    return;
  }
  ending_ = Clock::now();
  signal_sent_ = SIGTERM;
  child_.Signal(SIGTERM);
}

std::string CaseRun::Overdue() {
  const Clock::time_point now = Clock::now();
  const std::string where = " after " + std::to_string(iterations()) + " iterations";
  if (observer_.Cancelled()) return "cancelled" + where;
  if (spec_.watch.has_value()) {
    if ((spec_.watch->end_when_decided && Decided()) || now - started_ > spec_.time_limit) {
      EndProgram();
    }
    return "";
  }
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

std::string CaseRun::ExitProblem(const ExitStatus& status, const Count& kills_before) const {
  const std::string where = " after " + std::to_string(iterations()) + " iterations";
  const bool watched = spec_.watch.has_value();
  if (status.signal == SIGKILL && signal_sent_ == 0) {
    const Count kills = OutOfMemoryKills();
    if (kills.has_value() && kills_before.has_value() && *kills > *kills_before) {
      return "killed by the kernel for lack of memory (oom_kill)" + where;
    }
    return "killed by SIGKILL" + where + ", not by Plimsoll";
  }
  if (watched && (status.code.has_value() || signal_sent_ != 0)) return "";
  if (status.code == 0 && conductor_.finished() && !conductor_.ended_early()) return "";
  if (status.code == 0) {
    if (iterations() == 0) {
      return "ended without marking an iteration: is the ledger preloaded, and does the "
             "program call plimsoll_iteration_end()?";
    }
    return "ended by itself" + where + ", before the verdict";
  }
  return Describe(status) + where;
}

}  // namespace plimsoll
