#ifndef STRESS_TESTS_BARS_H_
#define STRESS_TESTS_BARS_H_

// Measured values beside what they must not pass, as a table and as JSON. Plain data.

#include <optional>
#include <string>
#include <vector>

#include "harness/gate/fingerprint.h"

namespace plimsoll {

struct Bar {
  std::string name;   // "second load: time"
  double value = 0;   // in `unit`
  std::string unit;   // "ms", "bytes", "x"
  std::string limit;  // "<= 10"; empty: a figure to compare with
  bool holds = true;
  std::string detail;  // how it was measured, with the figures it comes from
};

Bar AtMost(std::string name, double value, std::string unit, double limit, std::string detail);
Bar AtLeast(std::string name, double value, std::string unit, double limit, std::string detail);
Bar Figure(std::string name, double value, std::string unit, std::string detail);

// One row a bar.
std::string RenderBars(const std::vector<Bar>& bars);
// One line a bar: how it was measured.
std::string RenderDetails(const std::vector<Bar>& bars);
// {"schema_version": 1, "kind": "bars", "context": …, "bars": […]}: results/README.md.
std::string BarsToJson(const Context& context, const std::vector<Bar>& bars);

// REQUIRES: not empty. The lower one of two in the middle.
double MedianOf(std::vector<double> values);

}  // namespace plimsoll

#endif  // STRESS_TESTS_BARS_H_
