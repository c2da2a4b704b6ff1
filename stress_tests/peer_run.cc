#include "stress_tests/peer_run.h"

#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <numeric>
#include <optional>
#include <random>
#include <thread>

#include "base/file.h"
#include "harness/gate/fingerprint.h"
#include "harness/report/json.h"
#include "harness/runner/child_process.h"
#include "stress_tests/turn.h"

namespace plimsoll {
namespace {

Expected<ChildProcess> Start(const PeerRun& run, const std::string& scratch, bool in_turns) {
  ProcessOptions options;
  options.command = run.command;
  options.command.push_back("--benchmark_out=" + scratch);
  options.command.push_back("--benchmark_out_format=json");
  options.variables = run.variables;
  if (in_turns) options.variables.emplace_back(kTurnsVariable, "1");
  if (!run.preload.empty()) options.preload = {run.preload};
  options.streams = Streams::kInherited;
  return ChildProcess::Start(options);
}

Expected<nlohmann::json> ResultOf(const PeerRun& run, const ExitStatus& status,
                                  const std::string& scratch) {
  const std::string who = run.command[0] + " under " + run.malloc_name + ": ";
  if (status.code != 0) return Fail(who + Describe(status));
  const Expected<std::string> text = ReadFile(scratch);
  if (!text) return tl::unexpected(text.error());
  nlohmann::json result = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  // Google Benchmark writes what is no number as NaN, which JSON does not have.
  if (result.is_discarded()) return Fail(who + "what it wrote is not JSON");
  return result;
}

ExitStatus WaitForEnd(ChildProcess& child) {
  std::optional<ExitStatus> status;
  while (!(status = child.Poll())) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  return *status;
}

// Until the child has ended or stopped itself; its status if it has ended.
std::optional<ExitStatus> WaitForStop(ChildProcess& child) {
  siginfo_t info = {};
  const auto id = static_cast<id_t>(child.pid());
  // What ended is left for Poll to reap.
  while (waitid(P_PID, id, &info, WSTOPPED | WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
  if (info.si_code != CLD_STOPPED) return WaitForEnd(child);
  waitid(P_PID, id, &info, WSTOPPED);
  return std::nullopt;
}

}  // namespace

Expected<nlohmann::json> RunPeer(const PeerRun& run, const std::string& scratch) {
  Expected<ChildProcess> child = Start(run, scratch, /*in_turns=*/false);
  if (!child) return tl::unexpected(child.error());
  return ResultOf(run, WaitForEnd(*child), scratch);
}

std::vector<Expected<nlohmann::json>> RunPeersInTurns(const std::vector<PeerRun>& runs,
                                                      const std::string& scratch) {
  struct Playing {
    std::optional<ChildProcess> child;  // absent: not started, or ended
    std::string file;
  };
  std::vector<Expected<nlohmann::json>> results(runs.size());
  std::vector<Playing> players(runs.size());
  size_t playing = 0;
  const auto play = [&](size_t i) {
    const std::optional<ExitStatus> ended = WaitForStop(*players[i].child);
    if (!ended) return;
    results[i] = ResultOf(runs[i], *ended, players[i].file);
    players[i].child.reset();
    --playing;
  };
  for (size_t i = 0; i < runs.size(); ++i) {
    players[i].file = scratch + std::to_string(i) + ".json";
    Expected<ChildProcess> child = Start(runs[i], players[i].file, /*in_turns=*/true);
    if (!child) {
      results[i] = tl::unexpected(child.error());
      continue;
    }
    players[i].child.emplace(*std::move(child));
    ++playing;
    play(i);
  }
  std::vector<size_t> order(runs.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::mt19937 random(/*seed=*/1);
  while (playing > 0) {
    std::shuffle(order.begin(), order.end(), random);
    for (const size_t i : order) {
      if (!players[i].child) continue;
      players[i].child->Signal(SIGCONT);
      play(i);
    }
  }
  return results;
}

nlohmann::json PeerContext(const std::string& folder) {
  return nlohmann::json::parse(RenderJson(ThisContext(folder, /*seed=*/1), {})).at("context");
}

}  // namespace plimsoll
