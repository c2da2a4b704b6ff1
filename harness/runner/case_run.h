#ifndef HARNESS_RUNNER_CASE_RUN_H_
#define HARNESS_RUNNER_CASE_RUN_H_

// The event loop of one case: carries bytes between its process and the conductor, and
// notices when it crashes, hangs or takes too long. Thread-compatible.

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "harness/probe/process_probe.h"
#include "harness/runner/child_process.h"
#include "harness/runner/conductor.h"
#include "harness/runner/decoder.h"
#include "harness/runner/mark_lines.h"
#include "harness/runner/output_tail.h"
#include "harness/runner/parent.h"

namespace plimsoll {

class CaseRun {
 public:
  // `marks` comes with CaseSpec::watch's mark_line. All must outlive this object.
  CaseRun(const CaseSpec& spec, ChildProcess& child, Conductor& conductor, CaseObserver& observer,
          std::optional<MarkLines> marks);

  // Returns what went wrong; empty when the case ended as it should.
  std::string Run();

  std::vector<std::string> LastOutput() { return tail_.Lines(); }
  // What was sampled from outside, of a program that the ledger does not enter.
  const std::vector<Sample>& outside_samples() const { return outside_samples_; }

 private:
  using Clock = std::chrono::steady_clock;

  void Pump();
  int Wait() const;  // milliseconds until something must be looked at
  bool ReadAgent();
  bool ReadOutput();
  bool ReadMarks();
  void MarkByTime();
  void EndIterations(uint32_t count);
  void SampleFromOutside();
  void Send();
  void Drain();
  void EndProgram();
  bool Decided() const;
  std::string Overdue();
  std::string ExitProblem(const ExitStatus& status, const Count& kills_before) const;
  uint32_t iterations() const;

  const CaseSpec& spec_;
  ChildProcess& child_;
  Conductor& conductor_;
  CaseObserver& observer_;
  std::optional<MarkLines> marks_;
  ProcessProbe outside_probe_;
  std::vector<Sample> outside_samples_;
  Decoder decoder_;
  OutputTail tail_;
  std::string outgoing_;
  std::string problem_;
  bool mark_on_its_way_ = false;
  bool agent_open_ = true;
  bool output_open_;
  bool marks_open_;
  int signal_sent_ = 0;  // the last one that we sent or handed on
  Clock::time_point started_, last_message_, next_mark_;
  std::optional<Clock::time_point> finished_, ending_;
};

}  // namespace plimsoll

#endif  // HARNESS_RUNNER_CASE_RUN_H_
