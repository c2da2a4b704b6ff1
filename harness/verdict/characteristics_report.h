#ifndef HARNESS_VERDICT_CHARACTERISTICS_REPORT_H_
#define HARNESS_VERDICT_CHARACTERISTICS_REPORT_H_

// Operating characteristics as CSV, as a plot and as text. Pure functions; thread-safe.

#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "harness/verdict/characteristics.h"

namespace plimsoll {

// A line for each row, with its rate and Wilson's interval.
std::string CharacteristicsCsv(std::span<const RateRow> rows);

// What CharacteristicsCsv wrote. The error names `path` and the line.
Expected<std::vector<RateRow>> ReadCharacteristics(const std::string& path, const std::string& csv);

// Two tables of coloured cells, a column for each rule: the patterns without noise, and the
// noises under the pattern that keeps nothing. Green is right, red is wrong.
std::string CharacteristicsSvg(std::span<const RateRow> rows);

// A line for each pattern of our rules, and the bars.
std::string CharacteristicsText(std::span<const RateRow> rows);

}  // namespace plimsoll

#endif  // HARNESS_VERDICT_CHARACTERISTICS_REPORT_H_
