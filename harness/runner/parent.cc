#include "harness/runner/parent.h"

#include <chrono>
#include <optional>

#include "harness/ledger/direct_leak_report.h"
#include "harness/runner/case_run.h"
#include "harness/runner/conductor.h"
#include "harness/runner/lost_blocks.h"
#include "harness/runner/mark_lines.h"

namespace plimsoll {
namespace {

using Clock = std::chrono::steady_clock;

Streams StreamsOf(const CaseSpec& spec) {
  if (!spec.watch.has_value()) return Streams::kCaptured;
  if (spec.watch->mark_line.has_value()) return Streams::kOutputCaptured;
  return spec.watch->output_to_error ? Streams::kOutputToError : Streams::kInherited;
}

void AddWatchVariables(const WatchOptions& watch, ProcessOptions& options) {
  if (!watch.ledger_enters) return;
  options.variables.emplace_back("PLIMSOLL_REMOTE", "1");
  if (watch.mark_line.has_value()) {
    options.variables.emplace_back("PLIMSOLL_MARK_LINES", "1");
    options.variables.emplace_back("PYTHONUNBUFFERED", "1");
  }
}

// A watched program that ended, or was ended, before there was a verdict.
void ExplainNoVerdict(const CaseRun& run, const Rule& rule, CaseResult& result) {
  result.verdict = Verdict::kInconclusive;
  const std::vector<Sample>& outside = run.outside_samples();
  if (!outside.empty()) {
    result.samples = outside;
    result.peak = PeakOf(outside, rule.warmup);
    result.iterations =
        outside.size() > rule.warmup ? static_cast<uint32_t>(outside.size()) - rule.warmup : 0;
    result.reason = "the kernel's counters of one process are no evidence for or against a leak";
    return;
  }
  const size_t seen = result.samples.size();
  if (seen == 0) {
    result.reason =
        "no iteration was marked: expected plimsoll_iteration_end() of harness/client.h, a byte "
        "written to the descriptor $PLIMSOLL_MARK_FD, --mark or --every; only the process "
        "started here is watched, not those it starts";
    return;
  }
  result.reason = "ended after " + std::to_string(seen) + " iterations, before the first look at " +
                  std::to_string(Looks(rule).front());
}

}  // namespace

std::string CaseSpec::Name() const {
  return scenario + "/" + engine + "/" + allocator + "/" + environment.name;
}

void CaseObserver::OnSample(const Sample&) {}
void CaseObserver::OnOutput(std::string_view) {}
bool CaseObserver::Cancelled() { return false; }
int CaseObserver::TakeSignal() { return 0; }
void CaseObserver::OnExit(const ExitStatus&) {}

CaseResult RunCase(const CaseSpec& spec, const std::string& ledger, CaseObserver& observer) {
  CaseResult result;
  result.name = spec.Name();
  result.scenario = spec.scenario;
  result.engine = spec.engine;
  result.allocator = spec.allocator;
  result.environment = spec.environment.name;
  result.warmup = spec.rule.warmup;

  ProcessOptions options;
  options.command = spec.environment.wrapper;
  options.command.insert(options.command.end(), spec.command.begin(), spec.command.end());
  // Without a preloaded ledger the agent is linked in, and a sanitizer may be as well.
  options.leak_report = ledger.empty() || !spec.environment.wrapper.empty();
  options.variables = spec.environment.variables;
  options.variables.insert(options.variables.end(), spec.variables.begin(), spec.variables.end());
  if (spec.environment.trim_after_iteration) options.variables.emplace_back("PLIMSOLL_TRIM", "1");
  if (spec.full_samples) options.variables.emplace_back("PLIMSOLL_FULL_SAMPLES", "1");
  const bool enters = !spec.watch.has_value() || spec.watch->ledger_enters;
  if (!ledger.empty() && enters) options.preload.push_back(ledger);
  options.streams = StreamsOf(spec);
  std::optional<MarkLines> marks;
  if (spec.watch.has_value()) {
    options.own_group = false;
    options.mark_pipe = true;
    AddWatchVariables(*spec.watch, options);
    if (spec.watch->mark_line.has_value()) {
      Expected<MarkLines> made = MarkLines::Make(*spec.watch->mark_line);
      if (!made.has_value()) {
        result.reason = made.error().message;
        return result;
      }
      marks = *std::move(made);
    }
  }
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
  Conductor conductor(spec.rule, spec.capture_stacks, spec.suppressions);
  CaseRun run(spec, *child, conductor, observer, std::move(marks));
  const std::string problem = run.Run();
  conductor.Report(result);
  result.seconds = std::chrono::duration<double>(Clock::now() - started).count();
  // A sanitizer that found a leak makes the program's exit fail: the verdict tells more.
  if (problem.empty() || conductor.finished()) {
    MergeDirectLeaks(ledger::ParseDirectLeaks(child->ReadLeakReport()), conductor.iterations(),
                     result);
  }
  if (spec.watch.has_value() && problem.empty() && result.verdict == Verdict::kError) {
    ExplainNoVerdict(run, spec.rule, result);
  } else if (spec.watch.has_value() && problem.empty() && conductor.ended_early()) {
    result.reason +=
        "; the program ended after " + std::to_string(conductor.iterations()) + " iterations";
  }
  if (!problem.empty()) {
    // A leak that was already proven stays proven when the tear-down then fails.
    if (result.verdict == Verdict::kLeak && conductor.finished() && !conductor.ended_early()) {
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
