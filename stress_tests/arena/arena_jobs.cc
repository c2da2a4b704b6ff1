#include "stress_tests/arena/arena_jobs.h"

#include <regex>

namespace plimsoll {
namespace {

constexpr int kTimes = 3;

std::vector<ArenaJob> AllJobs(const ArenaMeasured& measured) {
  std::vector<ArenaJob> jobs;
  ArenaJob calls = {.times = kTimes, .fixed = true};
  for (const std::string& trace : measured.traces) calls.loops.push_back("Calls:" + trace);
  jobs.push_back(std::move(calls));
  for (const std::string& trace : measured.varying_traces) {
    ArenaJob threads = {.times = kTimes};
    for (const char* loop : {"Threads1:", "Threads2:", "Threads4:", "Threads8:"}) {
      threads.loops.push_back(loop + trace);
    }
    jobs.push_back(std::move(threads));
    // RSS is measured in processes of their own.
    for (const char* loop : {"FiveShapes:", "AnyShape:", "AnyShapeAnyThread:"}) {
      jobs.push_back({.loops = {loop + trace}});
    }
  }
  for (const std::string& trace : measured.traces) {
    jobs.push_back({.loops = {"Touched:" + trace}, .fixed = true});
  }
  for (const std::string& model : measured.models) {
    jobs.push_back(
        {.program = ArenaJob::Program::kTorch, .loops = {"TorchStep:" + model}, .in_turns = true});
  }
  return jobs;
}

}  // namespace

std::string ArenaJob::Filter(const std::string& contender) const {
  std::string any;
  for (const std::string& loop : loops) any += (any.empty() ? "" : "|") + loop;
  return "^(" + any + ")/" + contender + "(/|$)";
}

Expected<std::vector<ArenaJob>> ArenaJobs(const ArenaMeasured& measured, const std::string& only) {
  std::vector<ArenaJob> jobs = AllJobs(measured);
  const std::regex wanted(only);
  std::string known;
  for (ArenaJob& job : jobs) {
    for (const std::string& loop : job.loops) known += (known.empty() ? "" : ", ") + loop;
    std::erase_if(job.loops,
                  [&](const std::string& loop) { return !std::regex_search(loop, wanted); });
  }
  std::erase_if(jobs, [](const ArenaJob& job) { return job.loops.empty(); });
  if (jobs.empty()) {
    return BadValue("", "--only", only, "matches none of the loops: " + known);
  }
  return jobs;
}

}  // namespace plimsoll
