// The planner arena beside the mallocs that are installed (LD_PRELOAD), on replayed steps
// and on a training step of libtorch, in one table with ratios and lines:
//
//   ./bazelw run //stress_tests/arena:arena_peers -- --json results/runs/NAME.json
//       --trace alexnet=FILE
//
// Exit status: 0 all lines hold; 1 one is missed; 2 the request is wrong; 4 a run failed,
// and the others stand in the table.

#include <stdlib.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "base/caller_folder.h"
#include "base/file.h"
#include "harness/runner/environment.h"
#include "stress_tests/arena/arena_bars.h"
#include "stress_tests/peer_run.h"
#include "stress_tests/peer_table.h"

namespace plimsoll {
namespace {

constexpr const char* kReplay = "stress_tests/arena/arena_replay_benchmark";
constexpr const char* kTorch = "stress_tests/arena/torch_step_benchmark";
constexpr const char* kTraces = "stress_tests/arena/traces/";
constexpr int kMissed = 1;
constexpr int kBadRequest = 2;
constexpr int kFailed = 4;

struct Contender {
  std::string name;
  std::string library;  // to preload; empty: the C library's malloc
  std::vector<std::pair<std::string, std::string>> variables;
  std::string as = "malloc";  // its name in the benchmark
};

// glibc with what it takes to keep all memory: blocks below 1 GiB come from its heap, and
// nothing is trimmed. jemalloc as DeepRec sets it.
std::vector<Contender> Contenders() {
  return {{"arena", "", {}, "arena"},
          {"arena_small_pages", "", {}, "arena_small_pages"},
          {"deeprec", "", {}, "deeprec"},
          {"bump_reset", "", {}, "bump_reset"},
          {"one_shot", "", {}, "one_shot"},
          {"glibc", "", {}},
          {"glibc_tuned",
           "",
           {{"GLIBC_TUNABLES",
             "glibc.malloc.mmap_threshold=1073741824:glibc.malloc.trim_threshold=1099511627776"}}},
          {"jemalloc", "libjemalloc.so.2", {}},
          {"jemalloc_deeprec",
           "libjemalloc.so.2",
           {{"MALLOC_CONF",
             "background_thread:true,metadata_thp:auto,dirty_decay_ms:20000,"
             "muzzy_decay_ms:20000"}}},
          {"tcmalloc", "libtcmalloc_minimal.so.4", {}},
          {"mimalloc", "libmimalloc.so.2", {}}};
}

struct Request {
  std::string json;
  int repetitions = 3;
  bool torch = true;
  std::string only;                 // regular expression; empty: all
  std::vector<std::string> traces;  // NAME=FILE
};

struct Trace {
  std::string name;
  std::string file;  // empty: built in
};

// One process: what it shall measure of a contender.
struct Job {
  const char* program;
  std::string filter;
};

// Loops that are compared with each other, not with other contenders: each so many times, as
// a busy moment would meet one of them.
constexpr int kThreadsTimes = 3;

// RSS is measured in processes of their own.
std::vector<Job> Jobs(const ArenaMeasured& measured, const std::string& only) {
  std::vector<Job> jobs = {{kReplay, "^Calls:.*"}};
  for (const std::string& trace : measured.varying_traces) {
    for (int i = 0; i < kThreadsTimes; ++i) jobs.push_back({kReplay, "^Threads.:" + trace});
    for (const char* loop : {"^FiveShapes:", "^AnyShape:", "^AnyShapeAnyThread:"}) {
      jobs.push_back({kReplay, loop + trace});
    }
  }
  for (const std::string& trace : measured.traces) jobs.push_back({kReplay, "^Touched:" + trace});
  for (const std::string& model : measured.models) jobs.push_back({kTorch, "^TorchStep:" + model});
  const std::regex wanted(only);
  std::erase_if(jobs, [&](const Job& job) { return !std::regex_search(job.filter, wanted); });
  return jobs;
}

Status Measure(const Job& job, const Contender& contender, const std::vector<Trace>& traces,
               const std::string& scratch, PeerFigures& figures) {
  PeerRun run;
  run.malloc_name = contender.name;
  run.variables = contender.variables;
  run.command = {job.program, "--benchmark_filter=" + job.filter + "/" + contender.as + "(/|$)",
                 "--benchmark_min_time=0.1"};
  if (job.program == kReplay) {
    for (const Trace& trace : traces) {
      if (!trace.file.empty()) run.command.push_back(trace.name + "=" + trace.file);
    }
  }
  if (!contender.library.empty()) run.preload = FindLibrary(contender.library).value();
  const Expected<nlohmann::json> result = RunPeer(run, scratch);
  if (!result) return tl::unexpected(result.error());
  return AddPeerRun(figures, *result, contender.name, contender.library, run.command[1]);
}

// Other designs replay steps that do not vary.
bool TakesPart(const Contender& contender, const Job& job) {
  if (contender.as == "malloc" || contender.as.starts_with("arena")) return true;
  return job.filter.starts_with("^Calls") || job.filter.starts_with("^Touched");
}

// Contenders take turns, so that a busy minute meets all of them. Returns what failed, a line
// each: the others' figures stand.
std::vector<std::string> MeasureAll(const Request& request, const std::vector<Trace>& traces,
                                    const ArenaMeasured& measured, const std::string& scratch,
                                    PeerFigures& figures) {
  std::vector<std::string> failures;
  std::vector<Contender> contenders;
  for (Contender& contender : Contenders()) {
    if (!contender.library.empty() && !FindLibrary(contender.library)) {
      std::printf("-- %s: %s is not installed: left out\n", contender.name.c_str(),
                  contender.library.c_str());
      continue;
    }
    contenders.push_back(std::move(contender));
  }
  for (int repetition = 1; repetition <= request.repetitions; ++repetition) {
    for (const Job& job : Jobs(measured, request.only)) {
      for (const Contender& contender : contenders) {
        if (!TakesPart(contender, job)) continue;
        std::printf("\n-- %s, %d of %d\n", contender.name.c_str(), repetition, request.repetitions);
        std::fflush(stdout);
        if (Status done = Measure(job, contender, traces, scratch, figures); !done) {
          failures.push_back(contender.name + ": " + done.error().message);
          std::fprintf(stderr, "arena_peers: %s\n", failures.back().c_str());
        }
      }
    }
  }
  return failures;
}

int Run(const Request& request) {
  const auto refuse = [](const Error& error, int status) {
    std::fprintf(stderr, "arena_peers: %s\n", error.message.c_str());
    return status;
  };
  const std::filesystem::path folder = CallerFolder();
  std::vector<Trace> traces = {{"synthetic", ""}};
  for (const char* name : {"resnet50_8", "resnet50_32", "transformer_8"}) {
    traces.push_back({name, std::string(kTraces) + name + ".csv"});
  }
  for (const std::string& trace : request.traces) {
    const size_t sign = trace.find('=');
    if (sign == std::string::npos || sign == 0) {
      return refuse(BadValue("request", "--trace", trace, "expected NAME=FILE").value(),
                    kBadRequest);
    }
    traces.push_back({trace.substr(0, sign), folder / trace.substr(sign + 1)});
  }
  ArenaMeasured measured;
  for (const Trace& trace : traces) measured.traces.push_back(trace.name);
  measured.varying_traces = {"synthetic", "resnet50_8"};
  if (request.torch) measured.models = {"resnet50", "transformer"};

  std::string scratch = std::filesystem::temp_directory_path() / "arena-peers-XXXXXX";
  if (::mkdtemp(scratch.data()) == nullptr) {
    return refuse(SystemError(scratch, "temporary folder", errno).value(), kFailed);
  }
  PeerFigures figures;
  const std::vector<std::string> failures =
      MeasureAll(request, traces, measured, scratch + "/run.json", figures);
  std::filesystem::remove_all(scratch);
  std::vector<PeerLine> lines = HoldArenaLines(figures, measured);
  if (!request.only.empty()) std::erase_if(lines, [](const PeerLine& line) { return !line.value; });
  std::printf("\n%s", RenderPeers(figures, lines, "arena").c_str());
  if (!request.json.empty()) {
    nlohmann::json document = PeersJson(figures, lines, "arena");
    document["context"] = PeerContext(folder);
    document["failures"] = failures;
    const std::string path = folder / request.json;
    if (Status written = WriteFile(path, document.dump(1) + "\n"); !written) {
      return refuse(written.error(), kBadRequest);
    }
  }
  for (const std::string& failure : failures) {
    std::fprintf(stderr, "arena_peers: %s\n", failure.c_str());
  }
  if (!failures.empty()) return kFailed;
  for (const PeerLine& line : lines) {
    if (!line.holds) return kMissed;
  }
  return 0;
}

}  // namespace
}  // namespace plimsoll

int main(int argc, char** argv) {
  CLI::App app("The planner arena beside other mallocs.", "arena_peers");
  plimsoll::Request request;
  app.add_option("--json", request.json, "write the figures to this file, too");
  app.add_option("--repetitions", request.repetitions, "of each measurement; the fastest counts")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--trace", request.traces, "NAME=FILE of lifetimes to replay as well");
  app.add_option("--only", request.only, "loops that match this expression, such as Threads")
      ->check([](const std::string& text) -> std::string {
        try {
          const std::regex expression(text);
        } catch (const std::regex_error& error) {
          return "expected a regular expression: " + std::string(error.what());
        }
        return {};
      });
  app.add_flag("!--no-torch", request.torch, "leave out the training step of libtorch");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : plimsoll::kBadRequest;
  }
  return plimsoll::Run(request);
}
