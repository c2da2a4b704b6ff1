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
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "base/caller_folder.h"
#include "base/file.h"
#include "harness/runner/environment.h"
#include "stress_tests/arena/arena_bars.h"
#include "stress_tests/arena/arena_jobs.h"
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

PeerRun RunOf(const ArenaJob& job, const Contender& contender, const std::vector<Trace>& traces) {
  const bool torch = job.program == ArenaJob::Program::kTorch;
  PeerRun run;
  run.malloc_name = contender.name;
  run.variables = contender.variables;
  run.command = {torch ? kTorch : kReplay, "--benchmark_filter=" + job.Filter(contender.as),
                 "--benchmark_min_time=0.1"};
  for (const Trace& trace : traces) {
    if (!torch && !trace.file.empty()) run.command.push_back(trace.name + "=" + trace.file);
  }
  if (!contender.library.empty()) run.preload = FindLibrary(contender.library).value();
  return run;
}

// Other designs replay steps that do not vary. Trainings take long: only the arena that is
// held to a line is there.
bool TakesPart(const Contender& contender, const ArenaJob& job) {
  if (job.in_turns) return contender.as == "malloc" || contender.as == "arena";
  return job.fixed || contender.as == "malloc" || contender.as.starts_with("arena");
}

// Measures, and collects what failed, a line each: the others' figures stand.
class Match {
 public:
  Match(std::vector<Trace> traces, std::string scratch)
      : traces_(std::move(traces)), scratch_(std::move(scratch)) {
    for (Contender& contender : Contenders()) {
      if (!contender.library.empty() && !FindLibrary(contender.library)) {
        // Against fewer, the arena looks better than it is.
        Fail(contender, contender.library + " is not installed");
      } else {
        contenders_.push_back(std::move(contender));
      }
    }
  }

  // Contenders take turns, so that a busy minute meets all of them.
  void Play(const ArenaJob& job, const std::string& which) {
    std::vector<Contender> playing;
    for (const Contender& contender : contenders_) {
      if (TakesPart(contender, job)) playing.push_back(contender);
    }
    for (int time = 0; time < job.times; ++time) {
      job.in_turns ? PlayInTurns(job, playing, which) : PlayOneByOne(job, playing, which);
    }
  }

  const PeerFigures& figures() const { return figures_; }
  const std::vector<std::string>& failures() const { return failures_; }

 private:
  void PlayOneByOne(const ArenaJob& job, const std::vector<Contender>& playing,
                    const std::string& which) {
    for (const Contender& contender : playing) {
      std::printf("\n-- %s, %s\n", contender.name.c_str(), which.c_str());
      std::fflush(stdout);
      const PeerRun run = RunOf(job, contender, traces_);
      Add(contender, run, RunPeer(run, scratch_ + "/run.json"));
    }
  }

  void PlayInTurns(const ArenaJob& job, const std::vector<Contender>& playing,
                   const std::string& which) {
    std::printf("\n-- all in turn, %s\n", which.c_str());
    std::fflush(stdout);
    std::vector<PeerRun> runs;
    for (const Contender& contender : playing) runs.push_back(RunOf(job, contender, traces_));
    const auto results = RunPeersInTurns(runs, scratch_ + "/run");
    for (size_t i = 0; i < runs.size(); ++i) Add(playing[i], runs[i], results[i]);
  }

  void Add(const Contender& contender, const PeerRun& run, const Expected<nlohmann::json>& result) {
    if (!result) return Fail(contender, result.error().message);
    const Status added =
        AddPeerRun(figures_, *result, contender.name, contender.library, run.command[1]);
    if (!added) Fail(contender, added.error().message);
  }

  void Fail(const Contender& contender, const std::string& why) {
    failures_.push_back(contender.name + ": " + why);
    std::fprintf(stderr, "arena_peers: %s\n", failures_.back().c_str());
  }

  const std::vector<Trace> traces_;
  const std::string scratch_;
  std::vector<Contender> contenders_;
  PeerFigures figures_;
  std::vector<std::string> failures_;
};

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
    // The name becomes part of a regular expression.
    if (!std::regex_search(trace, std::regex("^[A-Za-z0-9_]+="))) {
      const Error error = BadValue("request", "--trace", trace,
                                   "expected NAME=FILE, the name of letters, digits and _")
                              .value();
      return refuse(error, kBadRequest);
    }
    traces.push_back({trace.substr(0, sign), folder / trace.substr(sign + 1)});
  }
  ArenaMeasured measured;
  for (const Trace& trace : traces) measured.traces.push_back(trace.name);
  measured.varying_traces = {"synthetic", "resnet50_8"};
  if (request.torch) measured.models = {"resnet50", "transformer"};

  const Expected<std::vector<ArenaJob>> jobs = ArenaJobs(measured, request.only);
  if (!jobs) return refuse(jobs.error(), kBadRequest);

  std::string scratch = std::filesystem::temp_directory_path() / "arena-peers-XXXXXX";
  if (::mkdtemp(scratch.data()) == nullptr) {
    return refuse(SystemError(scratch, "temporary folder", errno).value(), kFailed);
  }
  Match match(traces, scratch);
  for (int repetition = 1; repetition <= request.repetitions; ++repetition) {
    const std::string which =
        std::to_string(repetition) + " of " + std::to_string(request.repetitions);
    for (const ArenaJob& job : *jobs) {
      // The lower quartile of steps in turn is as good as it gets.
      if (repetition == 1 || !job.in_turns) match.Play(job, which);
    }
  }
  std::filesystem::remove_all(scratch);
  const PeerFigures& figures = match.figures();
  const std::vector<std::string>& failures = match.failures();
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
  app.add_option("--repetitions", request.repetitions, "of each measurement; the best time counts")
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
