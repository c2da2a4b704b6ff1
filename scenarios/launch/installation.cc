#include "scenarios/launch/installation.h"

#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <memory>

#include "tools/cpp/runfiles/runfiles.h"

namespace plimsoll {

using bazel::tools::cpp::runfiles::Runfiles;

Expected<std::string> InstalledFile(std::string_view workspace_path) {
  char self[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
  if (length <= 0) return Fail("/proc/self/exe: cannot be read: is /proc mounted?");
  const std::string binary(self, static_cast<size_t>(length));

  std::string error;
  const std::unique_ptr<Runfiles> runfiles(Runfiles::Create(binary, &error));
  std::string tried = error;
  if (runfiles != nullptr) {
    const std::string path = runfiles->Rlocation("plimsoll/" + std::string(workspace_path));
    char resolved[PATH_MAX];
    if (realpath(path.c_str(), resolved) != nullptr) return std::string(resolved);
    tried = path;
  }
  return Fail(std::string(workspace_path) + ": not found beside " + binary + " (tried " + tried +
              "): is it among the data of this binary?");
}

std::span<const EngineInfo> KnownEngines() {
  static constexpr EngineInfo kEngines[] = {
      {"opencv", "OpenCV DNN: import, forward and release of ONNX models"},
      {"process", "any program: each iteration runs a command line"},
      {"reference", "bundled mini runtime, with planted leaks"},
      {"torch", "libtorch: training, evaluation and checkpoint steps"},
  };
  return kEngines;
}

Expected<std::string> EngineBinary(std::string_view engine) {
  const std::string name(engine);
  return InstalledFile("scenarios/engines/" + name + "/engine_" + name);
}

Expected<std::string> LedgerLibrary() {
#if PLIMSOLL_AGENT_IS_LINKED
  return std::string();
#else
  return InstalledFile("harness/runner/libplimsoll.so");
#endif
}

}  // namespace plimsoll
