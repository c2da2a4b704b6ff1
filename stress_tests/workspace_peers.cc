// workspace_benchmark under the C library's malloc and under each other one that is
// installed (LD_PRELOAD), in one table with ratios and lines:
//
//   ./bazelw run //stress_tests:workspace_peers -- --json results/runs/NAME.json
//
// Exit status: 0 all lines hold; 1 one is missed; 2 the request is wrong; 4 a run failed.

#include <getopt.h>
#include <stdlib.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/caller_folder.h"
#include "base/file.h"
#include "harness/runner/environment.h"
#include "stress_tests/peer_run.h"
#include "stress_tests/peer_table.h"

namespace plimsoll {
namespace {

constexpr const char* kBenchmark = "allocators/workspace/workspace_benchmark";
constexpr int kMissed = 1;
constexpr int kBadRequest = 2;
constexpr int kFailed = 4;

struct Peer {
  const char* name;
  const char* library;  // empty: the C library's malloc, and all that needs no malloc
};
constexpr std::array<Peer, 4> kPeers = {{{"glibc", ""},
                                         {"tcmalloc", "libtcmalloc_minimal.so.4"},
                                         {"jemalloc", "libjemalloc.so.2"},
                                         {"mimalloc", "libmimalloc.so.2"}}};

struct Request {
  std::string json;  // file for the figures; empty: none
  int repetitions = 3;
};

Expected<Request> ParseRequest(int argc, char** argv) {
  constexpr option kOptions[] = {{"json", required_argument, nullptr, 'j'},
                                 {"repetitions", required_argument, nullptr, 'r'},
                                 {}};
  Request request;
  opterr = 0;
  for (int found; (found = getopt_long(argc, argv, "", kOptions, nullptr)) != -1;) {
    if (found == 'j') {
      request.json = optarg;
    } else if (found == 'r') {
      request.repetitions = ::atoi(optarg);
      if (request.repetitions < 1) {
        return BadValue("workspace_peers", "--repetitions", optarg, "expected a number from 1");
      }
    } else {
      optind = argc + 1;
    }
  }
  if (optind != argc) return Fail("usage: workspace_peers [--json FILE] [--repetitions N]");
  return request;
}

// Each repetition in a process of its own.
Status Measure(const Peer& peer, const std::string& folder, int repetitions, PeerFigures& figures) {
  std::string preload;
  if (*peer.library != '\0') {
    const std::optional<std::string> found = FindLibrary(peer.library);
    if (!found) {
      std::printf("\n-- %s: %s is not installed: left out\n", peer.name, peer.library);
      return {};
    }
    preload = *found;
  }
  for (int repetition = 1; repetition <= repetitions; ++repetition) {
    std::printf("\n-- malloc of %s, %d of %d\n", peer.name, repetition, repetitions);
    std::fflush(stdout);
    const std::string out = folder + "/" + peer.name + ".json";
    const PeerRun peer_run = {
        peer.name,
        {kBenchmark, std::string("--benchmark_filter=") + (preload.empty() ? "." : "/malloc$")},
        preload,
        {}};
    const Expected<nlohmann::json> run = RunPeer(peer_run, out);
    if (!run) return tl::unexpected(run.error());
    if (Status added = AddPeerRun(figures, *run, peer.name, peer.library, out); !added) {
      return added;
    }
  }
  return {};
}

int Run(int argc, char** argv) {
  const auto refuse = [](const Error& error, int status) {
    std::fprintf(stderr, "%s\n", error.message.c_str());
    return status;
  };
  const Expected<Request> request = ParseRequest(argc, argv);
  if (!request) return refuse(request.error(), kBadRequest);
  std::string folder = std::filesystem::temp_directory_path() / "workspace-peers-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) {
    return refuse(SystemError(folder, "temporary folder", errno).value(), kFailed);
  }
  PeerFigures figures;
  Status measured;
  for (const Peer& peer : kPeers) {
    measured = Measure(peer, folder, request->repetitions, figures);
    if (!measured) break;
  }
  std::filesystem::remove_all(folder);
  if (!measured) return refuse(measured.error(), kFailed);
  const std::vector<PeerLine> lines = HoldPeerLines(figures);
  std::printf("\n%s", RenderPeers(figures, lines).c_str());
  if (!request->json.empty()) {
    const std::filesystem::path folder_of_caller = CallerFolder();
    const std::string path = folder_of_caller / request->json;
    nlohmann::json document = PeersJson(figures, lines);
    document["context"] = PeerContext(folder_of_caller);
    if (Status written = WriteFile(path, document.dump(1) + "\n"); !written) {
      return refuse(written.error(), kBadRequest);
    }
  }
  for (const PeerLine& line : lines) {
    if (!line.holds) return kMissed;
  }
  return 0;
}

}  // namespace
}  // namespace plimsoll

int main(int argc, char** argv) { return plimsoll::Run(argc, argv); }
