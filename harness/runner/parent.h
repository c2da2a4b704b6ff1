#ifndef HARNESS_RUNNER_PARENT_H_
#define HARNESS_RUNNER_PARENT_H_

// Runs one case in a fresh process and returns its result: starts it in its
// environment, streams its samples through the conductor, and turns whatever can go
// wrong (crash, hang, time limit, killed for memory, wrong program) into ERROR with
// the reason and the last output. Thread-compatible.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "harness/result.h"
#include "harness/runner/child_process.h"
#include "harness/runner/environment.h"
#include "harness/verdict/suppression.h"
#include "harness/verdict/verdict.h"

namespace plimsoll {

// A program that is not an engine and knows nothing of the harness, or only its marks. It
// keeps its standard streams and its exit status, and goes on after the verdict.
struct WatchOptions {
  // Besides the program's own marks (harness/client.h, a byte to PLIMSOLL_MARK_FD), an
  // iteration ends with a line on standard output that matches, or whenever the time is up.
  std::optional<std::string> mark_line;  // ECMAScript regular expression
  std::optional<std::chrono::duration<double>> mark_every;
  // False: the ledger is not preloaded, and samples are the kernel's counters alone. The
  // case is INCONCLUSIVE then; JudgeChildren judges several such runs.
  bool ledger_enters = true;
  bool end_when_decided = false;  // SIGTERM, and SIGKILL 10 s later
  bool output_to_error = false;   // its standard output goes to our standard error
};

struct CaseSpec {
  std::string scenario, engine, allocator;
  Environment environment;
  std::vector<std::string> command;  // the engine's binary and its arguments
  std::vector<std::pair<std::string, std::string>> variables;
  Rule rule;
  std::chrono::duration<double> time_limit = std::chrono::minutes(10);  // of the whole case
  // Without any message from the agent for this long, the case hangs.
  std::chrono::duration<double> hang_limit = std::chrono::minutes(2);
  bool capture_stacks = true;
  // PSS, private dirty and the like at each iteration, not only at looks: up to a millisecond.
  bool full_samples = false;
  std::vector<Suppression> suppressions;
  // With it, nothing is a hang, and reaching the time limit ends the program, not the case.
  std::optional<WatchOptions> watch;

  // scenario/engine/allocator/environment
  std::string Name() const;
};

// Follows a case while it runs; the default does nothing.
class CaseObserver {
 public:
  virtual ~CaseObserver() = default;
  virtual void OnSample(const Sample& sample);
  virtual void OnOutput(std::string_view text);  // what the case printed, as it comes
  virtual bool Cancelled();                      // true: end the case now (an interrupt key, say)
  virtual int TakeSignal();  // a signal to hand to the process, each once; 0: none
  virtual void OnExit(const ExitStatus& status);  // of the process, when it ended by itself
};

// `ledger` is the path of the shared object to preload; empty when the command
// already has the agent linked in (sanitizer builds). A case whose environment is not
// installed comes back skipped, with the reason.
CaseResult RunCase(const CaseSpec& spec, const std::string& ledger, CaseObserver& observer);

}  // namespace plimsoll

#endif  // HARNESS_RUNNER_PARENT_H_
