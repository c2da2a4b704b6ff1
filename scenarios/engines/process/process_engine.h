#ifndef SCENARIOS_ENGINES_PROCESS_PROCESS_ENGINE_H_
#define SCENARIOS_ENGINES_PROCESS_PROCESS_ENGINE_H_

// Runs any program as a case. Used from one thread.

#include <memory>

#include "base/error.h"
#include "scenarios/engines/config.h"
#include "scenarios/engines/engine_main.h"

namespace plimsoll {

// Steps, with a program and its arguments as a list (no shell):
//   exec: [PROGRAM, ARGUMENT…]   this process becomes the program, which marks its own
//                                iterations (harness/client.h, or PLIMSOLL_MARK_FD); the
//                                only step of the iteration
//   run: [PROGRAM, ARGUMENT…]    starts the program and waits for it to end; or {command:
//                                [...], exit: STATUS (0), quiet: true (its output is
//                                dropped)}. What it held is gone with it: judged is what
//                                starting it leaves behind here
Expected<std::unique_ptr<Engine>> MakeProcessEngine(const EngineConfig& config);

}  // namespace plimsoll

#endif  // SCENARIOS_ENGINES_PROCESS_PROCESS_ENGINE_H_
