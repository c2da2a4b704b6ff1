#ifndef SCENARIOS_SCRIPT_RESOLVE_H_
#define SCENARIOS_SCRIPT_RESOLVE_H_

// Turns what a script calls a model into a file, before the case's process starts: what
// writing a model costs in memory must not be counted against the engine. Thread-safe.

#include <string>

#include "base/error.h"
#include "scenarios/script/script.h"

namespace plimsoll {

// The case's config_json with every ONNX model as the path of a file that exists; a
// "zoo:" model is written to the cache first. Errors begin with the script's file and
// line.
Expected<std::string> ResolveConfig(const ScriptCase& script_case);

}  // namespace plimsoll

#endif  // SCENARIOS_SCRIPT_RESOLVE_H_
