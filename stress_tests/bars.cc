#include "stress_tests/bars.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

namespace plimsoll {
namespace {

// Bytes and counts in full.
std::string Number(double value) {
  char text[32];
  const bool whole = value == std::nearbyint(value) && std::abs(value) < 1e15;
  std::snprintf(text, sizeof(text), whole ? "%.0f" : "%.4g", value);
  return text;
}

Bar Held(std::string name, double value, std::string unit, const char* sign, double limit,
         bool holds, std::string detail) {
  return {std::move(name), value, std::move(unit), sign + Number(limit), holds, std::move(detail)};
}

}  // namespace

Bar AtMost(std::string name, double value, std::string unit, double limit, std::string detail) {
  return Held(std::move(name), value, std::move(unit), "<= ", limit, value <= limit,
              std::move(detail));
}

Bar AtLeast(std::string name, double value, std::string unit, double limit, std::string detail) {
  return Held(std::move(name), value, std::move(unit), ">= ", limit, value >= limit,
              std::move(detail));
}

Bar Figure(std::string name, double value, std::string unit, std::string detail) {
  return {std::move(name), value, std::move(unit), "", true, std::move(detail)};
}

std::string RenderBars(const std::vector<Bar>& bars) {
  size_t width = 0;
  for (const Bar& bar : bars) width = std::max(width, bar.name.size());
  std::string out;
  char line[512];
  for (const Bar& bar : bars) {
    std::snprintf(line, sizeof(line), "%-*s %10s %-6s %-12s %s\n", static_cast<int>(width),
                  bar.name.c_str(), Number(bar.value).c_str(), bar.unit.c_str(), bar.limit.c_str(),
                  bar.limit.empty() ? "" : (bar.holds ? "holds" : "DOES NOT HOLD"));
    out += line;
  }
  return out;
}

std::string RenderDetails(const std::vector<Bar>& bars) {
  std::string out;
  for (const Bar& bar : bars) out += bar.name + ": " + bar.detail + "\n";
  return out;
}

std::string BarsToJson(const Context& context, const std::vector<Bar>& bars) {
  using Json = nlohmann::ordered_json;
  const Fingerprint& print = context.fingerprint;
  Json out = {{"schema_version", 1},
              {"kind", "bars"},
              {"context",
               {{"date", context.date},
                {"host", context.host},
                {"commit", context.commit},
                {"fingerprint",
                 {{"os", print.os},
                  {"kernel", print.kernel},
                  {"arch", print.arch},
                  {"libc", print.libc},
                  {"cores", print.cores},
                  {"page_size_bytes", print.page_size_bytes},
                  {"thp", print.thp},
                  {"compiler", print.compiler},
                  {"build", print.build}}}}},
              {"bars", Json::array()}};
  for (const Bar& bar : bars) {
    Json row = {{"name", bar.name}, {"value", bar.value}, {"unit", bar.unit}};
    row["limit"] = bar.limit.empty() ? Json(nullptr) : Json(bar.limit);
    row["holds"] = bar.limit.empty() ? Json(nullptr) : Json(bar.holds);
    row["detail"] = bar.detail;
    out["bars"].push_back(std::move(row));
  }
  return out.dump(1) + "\n";
}

double MedianOf(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<ptrdiff_t>((values.size() - 1) / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace plimsoll
