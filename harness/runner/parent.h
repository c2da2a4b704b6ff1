#ifndef HARNESS_RUNNER_PARENT_H_
#define HARNESS_RUNNER_PARENT_H_

// Runs one case in a fresh process and returns its result: starts it in its
// environment, streams its samples through the conductor, and turns whatever can go
// wrong (crash, hang, time limit, killed for memory, wrong program) into ERROR with
// the reason and the last output. Thread-compatible.

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "harness/result.h"
#include "harness/runner/environment.h"
#include "harness/verdict/verdict.h"

namespace plimsoll {

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

  // scenario/engine/allocator/environment
  std::string Name() const;
};

// Follows a case while it runs; the default does nothing.
class CaseObserver {
 public:
  virtual ~CaseObserver() = default;
  virtual void OnSample(const Sample& sample);
  virtual void OnOutput(std::string_view text);  // what the case printed, as it comes
  virtual bool Cancelled();  // true: end the case now (an interrupt key, say)
};

// `ledger` is the path of the shared object to preload; empty when the command
// already has the agent linked in (sanitizer builds). A case whose environment is not
// installed comes back skipped, with the reason.
CaseResult RunCase(const CaseSpec& spec, const std::string& ledger, CaseObserver& observer);

}  // namespace plimsoll

#endif  // HARNESS_RUNNER_PARENT_H_
