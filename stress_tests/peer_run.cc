#include "stress_tests/peer_run.h"

#include <chrono>
#include <optional>
#include <thread>

#include "base/file.h"
#include "harness/gate/fingerprint.h"
#include "harness/report/json.h"
#include "harness/runner/child_process.h"

namespace plimsoll {

Expected<nlohmann::json> RunPeer(const PeerRun& run, const std::string& scratch) {
  ProcessOptions options;
  options.command = run.command;
  options.command.push_back("--benchmark_out=" + scratch);
  options.command.push_back("--benchmark_out_format=json");
  options.variables = run.variables;
  if (!run.preload.empty()) options.preload = {run.preload};
  options.streams = Streams::kInherited;
  Expected<ChildProcess> child = ChildProcess::Start(options);
  if (!child) return tl::unexpected(child.error());
  std::optional<ExitStatus> status;
  while (!(status = child->Poll())) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  if (status->code != 0) {
    return Fail(run.command[0] + " under " + run.malloc_name + ": " + Describe(*status));
  }
  const Expected<std::string> text = ReadFile(scratch);
  if (!text) return tl::unexpected(text.error());
  nlohmann::json result = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  // Google Benchmark writes what is no number as NaN, which JSON does not have.
  if (result.is_discarded()) {
    return Fail(run.command[0] + " under " + run.malloc_name + ": what it wrote is not JSON");
  }
  return result;
}

nlohmann::json PeerContext(const std::string& folder) {
  return nlohmann::json::parse(RenderJson(ThisContext(folder, /*seed=*/1), {})).at("context");
}

}  // namespace plimsoll
