#include "stress_tests/peer_table.h"

#include <algorithm>
#include <cstdio>
#include <set>

namespace plimsoll {
namespace {

using nlohmann::json;

std::optional<double> Nanoseconds(const PeerFigures& figures, const std::string& loop,
                                  const std::string& contender) {
  const PeerFigure* figure = FindPeer(figures, loop, contender);
  if (figure == nullptr) return std::nullopt;
  return figure->nanoseconds;
}

std::optional<double> Faults(const PeerFigures& figures, const std::string& loop,
                             const std::string& contender) {
  const PeerFigure* figure = FindPeer(figures, loop, contender);
  return figure == nullptr ? std::nullopt : figure->faults_per_cycle;
}

json OrNull(const std::optional<double>& value) { return value ? json(*value) : json(nullptr); }

std::string Text(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof(text), format, value);
  return text;
}

// Numbers that Google Benchmark writes of every benchmark.
const std::set<std::string>& NoCounters() {
  static const auto* const names =
      new std::set<std::string>{"family_index",     "per_family_instance_index",
                                "repetitions",      "repetition_index",
                                "threads",          "iterations",
                                "real_time",        "cpu_time",
                                "items_per_second", "faults",
                                "lower_quartile_ns"};
  return *names;
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
  const double nanoseconds = benchmark.contains("lower_quartile_ns")
                                 ? benchmark.at("lower_quartile_ns").get<double>()
                                 : 1e9 / benchmark.at("items_per_second").get<double>();
  PeerFigure& figure = figures[name.substr(0, slash)][contender];
  for (const auto& [key, value] : benchmark.items()) {
    if (!value.is_number() || NoCounters().contains(key)) continue;
    const double count = value.get<double>();
    PeerFigure::Span& span = figure.counters.try_emplace(key, count, count).first->second;
    span = {std::min(span.least, count), std::max(span.greatest, count)};
  }
  if (benchmark.contains("faults")) {
    const double faults = benchmark.at("faults").get<double>();
    figure.faults_per_cycle = std::max(figure.faults_per_cycle.value_or(0), faults);
  }
  if (figure.nanoseconds == 0 || nanoseconds < figure.nanoseconds) figure.nanoseconds = nanoseconds;
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
    return Fail(std::string(where) + ": not a result of the benchmark: " + error.what());
  }
  return {};
}

const PeerFigure* FindPeer(const PeerFigures& figures, const std::string& loop,
                           const std::string& contender) {
  const auto contenders = figures.find(loop);
  if (contenders == figures.end()) return nullptr;
  const auto found = contenders->second.find(contender);
  return found == contenders->second.end() ? nullptr : &found->second;
}

std::optional<double> PeerRatio(const PeerFigures& figures, const std::string& loop,
                                const std::string& contender, const std::string& reference) {
  const auto own = Nanoseconds(figures, loop, reference);
  const auto other = Nanoseconds(figures, loop, contender);
  if (!own || !other || *own <= 0) return std::nullopt;
  return *other / *own;
}

PeerLine AtMost(std::string text, std::optional<double> value, double limit) {
  return {std::move(text), value, limit, value.has_value() && *value <= limit};
}

PeerLine AtLeast(std::string text, std::optional<double> value, double limit) {
  return {std::move(text), value, limit, value.has_value() && *value >= limit};
}

std::vector<PeerLine> HoldPeerLines(const PeerFigures& figures) {
  return {
      AtMost("an allocation in a scope, ns, at most", Nanoseconds(figures, "Alloc", "workspace"),
             5),
      AtMost("enter and leave, ns, at most", Nanoseconds(figures, "Scope", "workspace"), 40),
      AtLeast("a cycle of 500 arrays, times faster than jemalloc, at least",
              PeerRatio(figures, "Cycle", "jemalloc", "workspace"), 5),
      AtMost("page faults of a cycle that touches every page, at most",
             Faults(figures, "CycleTouched", "workspace"), 0),
  };
}

std::string RenderPeers(const PeerFigures& figures, const std::vector<PeerLine>& lines,
                        const std::string& reference) {
  std::string text;
  for (const auto& [loop, contenders] : figures) {
    text += loop + "\n";
    for (const auto& [contender, figure] : contenders) {
      char row[160];
      const double ns = figure.nanoseconds;
      std::snprintf(row, sizeof(row), "  %-16s %10.2f %s", contender.c_str(),
                    ns < 1e5 ? ns : ns / 1e6, ns < 1e5 ? "ns" : "ms");
      text += row;
      const auto times = PeerRatio(figures, loop, contender, reference);
      text += times ? Text("  %9.2f x", *times) : std::string(13, ' ');
      if (figure.faults_per_cycle) {
        text += Text("  %10.2f faults", *figure.faults_per_cycle);
      }
      for (const auto& [counter, span] : figure.counters) {
        text += "  " + counter + Text(" %.10g", span.greatest);
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

json PeersJson(const PeerFigures& figures, const std::vector<PeerLine>& lines,
               const std::string& reference) {
  json loops = json::object();
  for (const auto& [loop, contenders] : figures) {
    for (const auto& [contender, figure] : contenders) {
      json row = {{"nanoseconds", figure.nanoseconds},
                  {"times_" + reference, OrNull(PeerRatio(figures, loop, contender, reference))},
                  {"faults_per_cycle", OrNull(figure.faults_per_cycle)}};
      for (const auto& [counter, span] : figure.counters) {
        row[counter] = {{"least", span.least}, {"greatest", span.greatest}};
      }
      loops[loop][contender] = std::move(row);
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
