#ifndef SCENARIOS_ENGINES_ENGINE_MAIN_H_
#define SCENARIOS_ENGINES_ENGINE_MAIN_H_

// The command line and the loop that every engine's child binary shares. Call
// EngineMain once, from main.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "scenarios/engines/config.h"

namespace plimsoll {

// Something about the case's memory that only the engine knows, in the words of the
// report's diagnosis.
struct EngineFinding {
  std::string kind;  // "weights_in_place"
  double bytes = 0;
  std::string evidence;  // one sentence with figures
};

// One runtime, set up for one case. Used from one thread.
class Engine {
 public:
  virtual ~Engine() = default;

  // What `step` does, its argument checked now, so that a bad case ends before
  // anything runs. An action throws what the runtime throws (std::exception). It must
  // not outlive the engine.
  virtual Expected<std::function<void()>> Prepare(const Step& step) = 0;

  // Around each iteration's steps.
  virtual void BeginIteration() {}
  virtual void EndIteration() {}

  // After the last step of the tear-down.
  virtual void Finish() {}

  // Asked for after Finish, and written to EngineConfig::findings.
  virtual std::vector<EngineFinding> Findings() const { return {}; }
};

using EngineFactory = std::function<Expected<std::unique_ptr<Engine>>(const EngineConfig&)>;

// engine_NAME CONFIG.json [--iterations N]: set-up, iterations, tear-down. Inside a
// harness run the harness says when there were enough iterations; outside, N (1 when
// not given). Returns the exit status: 0; 1 when the runtime failed; 2 when the command
// line or the case is wrong, after one line on standard error.
int EngineMain(int argc, char** argv, std::string_view engine_name, const EngineFactory& factory);

}  // namespace plimsoll

#endif  // SCENARIOS_ENGINES_ENGINE_MAIN_H_
