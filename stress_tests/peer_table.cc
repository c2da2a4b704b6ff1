#include "stress_tests/peer_table.h"

#include <cstdio>

namespace plimsoll {
namespace {

using nlohmann::json;

const PeerFigure* Find(const PeerFigures& figures, const std::string& loop,
                       const std::string& contender) {
  const auto contenders = figures.find(loop);
  if (contenders == figures.end()) return nullptr;
  const auto found = contenders->second.find(contender);
  return found == contenders->second.end() ? nullptr : &found->second;
}

std::optional<double> Nanoseconds(const PeerFigures& figures, const std::string& loop,
                                  const std::string& contender) {
  const PeerFigure* figure = Find(figures, loop, contender);
  if (figure == nullptr) return std::nullopt;
  return figure->nanoseconds;
}

std::optional<double> TimesWorkspace(const PeerFigures& figures, const std::string& loop,
                                     const std::string& contender) {
  const auto own = Nanoseconds(figures, loop, "workspace");
  const auto other = Nanoseconds(figures, loop, contender);
  if (!own || !other || *own <= 0) return std::nullopt;
  return *other / *own;
}

std::optional<double> Faults(const PeerFigures& figures, const std::string& loop,
                             const std::string& contender) {
  const PeerFigure* figure = Find(figures, loop, contender);
  return figure == nullptr ? std::nullopt : figure->faults_per_cycle;
}

PeerLine AtMost(std::string text, std::optional<double> value, double limit) {
  return {std::move(text), value, limit, value.has_value() && *value <= limit};
}

PeerLine AtLeast(std::string text, std::optional<double> value, double limit) {
  return {std::move(text), value, limit, value.has_value() && *value >= limit};
}

json OrNull(const std::optional<double>& value) { return value ? json(*value) : json(nullptr); }

std::string Text(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof(text), format, value);
  return text;
}

Status AddOne(PeerFigures& figures, const json& benchmark, std::string_view malloc_name,
              std::string_view where) {
  const std::string name = benchmark.at("name");
  if (benchmark.value("error_occurred", false)) {
    return Fail(std::string(where) + ": " + name + ": " + benchmark.value("error_message", ""));
  }
  const size_t slash = name.find('/');
  const size_t end = name.find('/', slash + 1);
  if (slash == std::string::npos) {
    return BadValue(where, "name", name, "expected LOOP/CONTENDER");
  }
  std::string contender = name.substr(slash + 1, end == std::string::npos ? end : end - slash - 1);
  if (contender == "malloc") contender = malloc_name;
  const double nanoseconds = 1e9 / benchmark.at("items_per_second").get<double>();
  PeerFigure& figure = figures[name.substr(0, slash)][contender];
  if (figure.nanoseconds != 0 && figure.nanoseconds <= nanoseconds) return {};
  figure.nanoseconds = nanoseconds;
  if (benchmark.contains("faults")) figure.faults_per_cycle = benchmark.at("faults").get<double>();
  return {};
}

}  // namespace

Status AddPeerRun(PeerFigures& figures, const json& run, std::string_view malloc_name,
                  std::string_view library, std::string_view where) {
  try {
    const std::string came_from = run.at("context").at("malloc");
    if (!library.empty() && came_from.find(library) == std::string::npos) {
      return BadValue(where, "context.malloc", came_from,
                      "expected " + std::string(library) + ": it was not preloaded");
    }
    for (const json& benchmark : run.at("benchmarks")) {
      if (benchmark.value("run_type", "") != "iteration") continue;
      if (Status added = AddOne(figures, benchmark, malloc_name, where); !added) return added;
    }
  } catch (const json::exception& error) {
    return Fail(std::string(where) + ": not a result of workspace_benchmark: " + error.what());
  }
  return {};
}

std::vector<PeerLine> HoldPeerLines(const PeerFigures& figures) {
  return {
      AtMost("an allocation in a scope, ns, at most", Nanoseconds(figures, "Alloc", "workspace"),
             5),
      AtMost("enter and leave, ns, at most", Nanoseconds(figures, "Scope", "workspace"), 40),
      AtLeast("a cycle of 500 arrays, times faster than jemalloc, at least",
              TimesWorkspace(figures, "Cycle", "jemalloc"), 5),
      AtMost("page faults of a cycle that touches every page, at most",
             Faults(figures, "CycleTouched", "workspace"), 0),
  };
}

std::string RenderPeers(const PeerFigures& figures, const std::vector<PeerLine>& lines) {
  std::string text;
  for (const auto& [loop, contenders] : figures) {
    text += loop + (loop == "Scope" ? ": one enter and leave\n" : ": one allocation\n");
    for (const auto& [contender, figure] : contenders) {
      char row[160];
      std::snprintf(row, sizeof(row), "  %-14s %10.2f ns", contender.c_str(), figure.nanoseconds);
      text += row;
      const auto times = TimesWorkspace(figures, loop, contender);
      text += times ? Text("  %9.2f x", *times) : std::string(13, ' ');
      if (figure.faults_per_cycle) {
        text += Text("  %10.2f faults a cycle", *figure.faults_per_cycle);
      }
      text += "\n";
    }
  }
  text += "Lines:\n";
  for (const PeerLine& line : lines) {
    text += std::string(line.holds ? "  holds   " : "  MISSED  ") + line.text + " " +
            Text("%g", line.limit) + ": " +
            (line.value ? Text("%.2f", *line.value) : std::string("not measured")) + "\n";
  }
  return text;
}

json PeersJson(const PeerFigures& figures, const std::vector<PeerLine>& lines) {
  json loops = json::object();
  for (const auto& [loop, contenders] : figures) {
    for (const auto& [contender, figure] : contenders) {
      loops[loop][contender] = {
          {"nanoseconds", figure.nanoseconds},
          {"times_workspace", OrNull(TimesWorkspace(figures, loop, contender))},
          {"faults_per_cycle", OrNull(figure.faults_per_cycle)}};
    }
  }
  json held = json::array();
  for (const PeerLine& line : lines) {
    held.push_back({{"text", line.text},
                    {"value", OrNull(line.value)},
                    {"limit", line.limit},
                    {"holds", line.holds}});
  }
  return {{"loops", loops}, {"lines", held}};
}

}  // namespace plimsoll
