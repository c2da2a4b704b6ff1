// The bars of the offline planner: what it makes of generated problems and of the traces
// that are named, as a table with bounds and gaps, and whether each bar holds.
//
//   ./bazelw run //stress_tests/planner:planner_table -- --json results/runs/NAME.json
//       --capacity '1 MiB' FILE.csv...
//
// On one thread; time is the CPU time of planning. Exit status: 0 all hold; 1 one does not;
// 2 the request is wrong; 4 a plan is not valid.

#include <time.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "allocators/planner_arena/planner/greedy.h"
#include "allocators/planner_arena/planner/instances.h"
#include "allocators/planner_arena/planner/lifetimes_file.h"
#include "allocators/planner_arena/planner/planner.h"
#include "allocators/planner_arena/planner/validator.h"
#include "base/caller_folder.h"
#include "base/file.h"
#include "base/units.h"
#include "stress_tests/bars.h"

namespace plimsoll {
namespace {

// Seconds: what a planner of tiles may take.
constexpr double kTilesSeconds = 10;
// Seconds: what a planner of a million buffers may take.
constexpr double kMillionSeconds = 5;
// Measured so often, the fastest counts, if it takes less than a second.
constexpr int kRounds = 5;
// Of more buffers, greedy by size takes minutes: not compared.
constexpr size_t kMostToCompare = 70'000;

struct Problem {
  std::string name;
  std::vector<Buffer> buffers;
  PlanOptions options = {};
  // What the plan is held to; absent: not.
  std::optional<double> most_gap_percent = std::nullopt;
  std::optional<double> most_seconds = std::nullopt;
  std::optional<int64_t> capacity = std::nullopt;
};

double CpuSeconds() {
  timespec now = {};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

void PrintHeader() {
  std::printf("%-37s %9s %15s %15s %15s %8s %10s  %s\n", "instance", "buffers", "lower bound",
              "height", "greedy by size", "gap %", "CPU ms", "method");
}

// Plans, validates, prints a row, and adds the bars.
void Measure(const Problem& problem, std::vector<Bar>& bars) {
  const std::vector<Buffer>& buffers = problem.buffers;
  PlanResult result;
  double seconds = 0;
  for (int round = 0; round < kRounds; ++round) {
    const double begin = CpuSeconds();
    result = MakePlan(buffers, problem.options).value();
    const double took = CpuSeconds() - begin;
    seconds = round == 0 ? took : std::min(seconds, took);
    if (seconds > 1) break;
  }
  if (const Status valid = ValidateOffsets(buffers, result.plan.offsets, result.plan.height);
      !valid) {
    std::fprintf(stderr, "planner_table: %s: %s\n", problem.name.c_str(),
                 valid.error().message.c_str());
    std::exit(4);
  }
  // Bytes; 0: not compared.
  const int64_t by_size = buffers.size() <= kMostToCompare ? GreedyBySize(buffers).height : 0;
  const double gap = 100 * result.Gap();
  char row[256];
  std::snprintf(row, sizeof(row), "%-37s %9zu %15lld %15lld %15s %8.3f %10.2f  %s",
                problem.name.c_str(), buffers.size(),
                static_cast<long long>(result.plan.lower_bound),
                static_cast<long long>(result.plan.height),
                by_size > 0 ? std::to_string(by_size).c_str() : "-", gap, seconds * 1e3,
                result.method.c_str());
  std::printf("%s\n", row);
  std::fflush(stdout);
  const std::string detail = std::to_string(buffers.size()) + " buffers, lower bound " +
                             std::to_string(result.plan.lower_bound) + ", height " +
                             std::to_string(result.plan.height) + ", by " + result.method;
  if (by_size > 0) {
    bars.push_back(AtMost(problem.name + ": height over greedy-by-size best fit's",
                          static_cast<double>(result.plan.height) / static_cast<double>(by_size),
                          "x", 1, detail));
  }
  if (problem.capacity) {
    bars.push_back(AtMost(problem.name + ": height", static_cast<double>(result.plan.height),
                          "bytes", static_cast<double>(*problem.capacity), detail));
  }
  if (problem.most_gap_percent) {
    bars.push_back(AtMost(problem.name + ": over the lower bound", gap, "%",
                          *problem.most_gap_percent, detail));
  }
  if (problem.most_seconds) {
    bars.push_back(AtMost(problem.name + ": CPU time", seconds * 1e3, "ms",
                          *problem.most_seconds * 1e3, detail));
  }
}

std::vector<Problem> Generated() {
  std::vector<Problem> problems;
  const auto add_tiles = [&](const std::string& name, std::vector<Buffer> tiles, double most_gap,
                             double most_seconds) {
    problems.push_back({.name = name,
                        .buffers = std::move(tiles),
                        .options = {.time_limit = kTilesSeconds},
                        .most_gap_percent = most_gap,
                        .most_seconds = most_seconds});
  };
  const auto seed_of = [](uint64_t seed) { return ", seed " + std::to_string(seed); };
  // A little is allowed for what is under way when the time is up.
  const double about_limit = kTilesSeconds * 1.1;
  for (const auto& [kind, cuts] :
       {std::pair("tiles", Cuts::kGuillotine), std::pair("pinwheels", Cuts::kPinwheels)}) {
    for (const uint64_t seed : {1, 2, 3}) {
      add_tiles(kind + (" 200" + seed_of(seed)), PerfectTiles(200, cuts, seed), 0, 1);
    }
    for (const uint64_t seed : {1, 2, 3}) {
      add_tiles(kind + (" 1000" + seed_of(seed)), PerfectTiles(1000, cuts, seed), 5, about_limit);
    }
    add_tiles(kind + std::string(" 100000"), PerfectTiles(100'000, cuts, 1), 20, about_limit);
  }
  for (const int64_t ticks : {50, 200, 1000}) {
    const std::string name = "coarse tiles, " + std::to_string(ticks) + " ticks, ";
    for (const int64_t rows : {200, 1024}) {
      const std::string by = std::to_string(rows) + " rows, ";
      add_tiles(name + by + "200", CoarseTiles(200, ticks, rows, 1), 0, 1);
      add_tiles(name + by + "1000", CoarseTiles(1000, ticks, rows, 1), 5, about_limit);
    }
  }
  const auto add = [&](const std::string& name, std::vector<Buffer> buffers, double most_seconds,
                       std::optional<double> most_gap) {
    problems.push_back({.name = name,
                        .buffers = std::move(buffers),
                        .most_gap_percent = most_gap,
                        .most_seconds = most_seconds});
  };
  add("steps 1000", TraceLike(1000, 1), 1, 0);
  add("steps 20000", TraceLike(20'000, 1), 1, 0.5);
  add("steps 62000", TraceLike(62'000, 1), 1, std::nullopt);
  add("random 62000", RandomBuffers(62'000, 1), 1, std::nullopt);
  // Without a limit, greedy by size alone takes longer.
  for (const bool random : {false, true}) {
    add(random ? "random 10^6" : "steps 10^6",
        random ? RandomBuffers(1'000'000, 1) : TraceLike(1'000'000, 1), kMillionSeconds,
        std::nullopt);
    problems.back().options.time_limit = kMillionSeconds * 0.9;
  }
  return problems;
}

Expected<Problem> FromFile(const std::string& path, std::optional<int64_t> capacity) {
  const Expected<std::string> text = ReadFile(path);
  if (!text) return tl::unexpected(text.error());
  const Expected<LifetimesFile> file = ParseLifetimes(path, *text, false);
  if (!file) return tl::unexpected(file.error());
  // The bar is 100 ms; what is hoped for is 10.
  return Problem{.name = std::filesystem::path(path).filename(),
                 .buffers = file->buffers,
                 .most_seconds = 0.010,
                 .capacity = capacity};
}

struct Request {
  std::string json;
  std::string capacity;
  std::vector<std::string> files;
  bool generated = true;
  std::string only;
};

int Refuse(const Error& error) {
  std::fprintf(stderr, "planner_table: %s\n", error.message.c_str());
  return 2;
}

int Run(const Request& request) {
  std::optional<int64_t> capacity;
  if (!request.capacity.empty()) {
    const Expected<uint64_t> bytes = ParseBytes(request.capacity);
    if (!bytes) return Refuse({"--capacity: " + bytes.error().message});
    capacity = static_cast<int64_t>(std::min<uint64_t>(*bytes, INT64_MAX));
  }
  std::vector<Problem> problems;
  for (const std::string& path : request.files) {
    Expected<Problem> problem = FromFile(path, capacity);
    if (!problem) return Refuse(problem.error());
    problems.push_back(*std::move(problem));
  }
  if (request.generated) {
    for (Problem& problem : Generated()) problems.push_back(std::move(problem));
  }
  std::erase_if(problems, [&](const Problem& problem) {
    return problem.name.find(request.only) == std::string::npos;
  });
  if (problems.empty()) {
    return Refuse(BadValue("", "--only", request.only, "is in no instance's name").value());
  }
  std::vector<Bar> bars;
  PrintHeader();
  for (const Problem& problem : problems) Measure(problem, bars);
  std::printf("\n%s", RenderBars(bars).c_str());
  if (!request.json.empty()) {
    const Status written = WriteFile(request.json, BarsToJson(ThisContext(".", 0), bars));
    if (!written) return Refuse(written.error());
  }
  const bool all_hold = std::all_of(bars.begin(), bars.end(), [](const Bar& b) { return b.holds; });
  return all_hold ? 0 : 1;
}

}  // namespace
}  // namespace plimsoll

int main(int argc, char** argv) {
  if (const plimsoll::Status entered = plimsoll::EnterCallerFolder(); !entered) {
    return plimsoll::Refuse(entered.error());
  }
  CLI::App app("The bars of the offline planner.", "planner_table");
  plimsoll::Request request;
  app.add_option("FILE", request.files, "traces, each to be planned in 10 ms");
  app.add_option("--capacity", request.capacity, "what each FILE must fit in, such as '1 MiB'");
  app.add_option("--json", request.json, "write the bars to this file, too");
  app.add_flag("!--no-generated", request.generated, "FILEs alone");
  app.add_option("--only", request.only, "instances with this in their names");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return plimsoll::Run(request);
}
