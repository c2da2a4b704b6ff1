#ifndef SCENARIOS_LAUNCH_INSTALLATION_H_
#define SCENARIOS_LAUNCH_INSTALLATION_H_

// Where the files that a case needs stand: engines and the shared
// object to preload, found through Bazel's runfiles beside the binary. Thread-safe.

#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace plimsoll {

// Absolute path of a file of this workspace, such as "harness/runner/libplimsoll.so".
// The error names every place that was tried.
Expected<std::string> InstalledFile(std::string_view workspace_path);

struct EngineInfo {
  const char* name;
  const char* description;  // one line
};

// The engines, sorted by name.
std::span<const EngineInfo> KnownEngines();

// The binary of an engine: "opencv" -> .../scenarios/engines/opencv/engine_opencv.
Expected<std::string> EngineBinary(std::string_view engine);

// The shared object to preload; empty in builds whose engines carry the agent
// themselves (sanitizers).
Expected<std::string> LedgerLibrary();

}  // namespace plimsoll

#endif  // SCENARIOS_LAUNCH_INSTALLATION_H_
