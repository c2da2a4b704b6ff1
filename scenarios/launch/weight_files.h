#ifndef SCENARIOS_LAUNCH_WEIGHT_FILES_H_
#define SCENARIOS_LAUNCH_WEIGHT_FILES_H_

// The weight files that a case's `weights` asks for, made before its process starts: what
// making them costs in memory must not be counted against the engine. Thread-safe, and
// safe between processes: a file appears whole or not at all.

#include <string>

#include "base/error.h"

namespace plimsoll {

// `config_json` (with models resolved) with weights.files: the models' weights in the
// format asked for. For opencv they are converted from the .onnx files, for torch the
// engine's binary `engine_path` writes them from its seed; both are kept in the zoo's cache
// folder and used again. Without `weights`, nothing changes. `where` begins errors.
Expected<std::string> ResolveWeights(const std::string& config_json, const std::string& engine_path,
                                     const std::string& where);

}  // namespace plimsoll

#endif  // SCENARIOS_LAUNCH_WEIGHT_FILES_H_
