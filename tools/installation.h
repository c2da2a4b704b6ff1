#ifndef TOOLS_INSTALLATION_H_
#define TOOLS_INSTALLATION_H_

// Where the files that belong to the plimsoll command stand: engines and the shared
// object to preload, found through Bazel's runfiles beside the binary. Thread-safe.

#include <string>
#include <string_view>

#include "base/error.h"

namespace plimsoll {

// Absolute path of a file of this workspace, such as "harness/runner/libplimsoll.so".
// The error names every place that was tried.
Expected<std::string> InstalledFile(std::string_view workspace_path);

// The binary of an engine: "opencv" -> .../scenarios/engines/opencv/engine_opencv.
Expected<std::string> EngineBinary(std::string_view engine);

// The shared object to preload; empty in builds whose engines carry the agent
// themselves (sanitizers).
Expected<std::string> LedgerLibrary();

}  // namespace plimsoll

#endif  // TOOLS_INSTALLATION_H_
