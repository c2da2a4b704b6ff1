#include "harness/verdict/rule.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "harness/verdict/statistics.h"

namespace plimsoll {
namespace {

constexpr int kFloorPointsPerWindow = 8;

// What the first look must leave: epochs in each half that put a leak in every iteration
// beyond chance (2^-24) however small its share of the level; at the snapshot half-way
// eight epochs older than the gap, and a quarter of those judged (the survivor rule's
// confirmation).
uint32_t LeastFirstLook(uint32_t gap) {
  constexpr uint32_t kLeastHalf = 24;
  constexpr uint32_t kConfirmed = 8;
  return std::max({gap + 2 * kLeastHalf, 2 * (gap + kConfirmed), 3 * gap});
}

std::string Number(double value) {
  std::string text = std::to_string(value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

// Each look may exclude a leak wrongly; together they do with at most 1 - confidence.
double FalseExclusionPerLook(const Rule& rule, double confidence) {
  return (1 - confidence) / static_cast<double>(DecisionLooks(rule).size());
}

}  // namespace

Status Check(const Rule& rule) {
  const auto bad = [](const char* field, double value, const std::string& allowed) {
    return BadValue("rule", field, Number(value), allowed);
  };
  if (!(rule.level > 0 && rule.level <= 0.1)) {
    return bad("level", rule.level, "expected above 0 and at most 0.1");
  }
  if (!(rule.confidence >= 0.5 && rule.confidence < 1)) {
    return bad("confidence", rule.confidence, "expected at least 0.5 and below 1");
  }
  if (rule.gap < 1) return bad("gap", rule.gap, "expected at least 1 iteration");
  if (rule.gap > (1u << 20)) return bad("gap", rule.gap, "expected at most 2^20 iterations");
  const uint32_t needed = LeastFirstLook(rule.gap);
  if (rule.first_look < needed) {
    return bad("first_look", rule.first_look,
               "expected at least " + std::to_string(needed) + " iterations, or with gap " +
                   std::to_string(rule.gap) + " no leak could be told from chance");
  }
  if (rule.max_iterations < rule.first_look) {
    return bad("max_iterations", rule.max_iterations,
               "expected at least first_look, " + std::to_string(rule.first_look) + " iterations");
  }
  if (rule.max_iterations > (1u << 30) || rule.warmup > (1u << 20)) {
    return bad("max_iterations", rule.max_iterations,
               "expected at most 2^30, and warmup at most 2^20");
  }
  if (rule.wanted_one_in_iterations) {
    const double wanted = *rule.wanted_one_in_iterations;
    if (!(wanted >= 1 && wanted < 1e8)) {
      return bad("wanted_one_in_iterations", wanted, "expected 1 to 1e8");
    }
    const auto reaches = [&](const Rule& candidate) {
      return ExcludedOneIn(candidate, candidate.max_iterations - candidate.gap,
                           candidate.confidence) >= wanted;
    };
    if (!reaches(rule)) {
      // More iterations have more looks, and each takes its share of the confidence.
      Rule enough = rule;
      while (!reaches(enough)) {
        const double epochs =
            std::log(FalseExclusionPerLook(enough, enough.confidence)) / std::log1p(-1 / wanted);
        const double budget = std::ceil(epochs) + enough.gap;
        enough.max_iterations =
            std::max(enough.max_iterations + 1, static_cast<uint32_t>(std::min(budget, 4e9)));
      }
      return bad("wanted_one_in_iterations", wanted,
                 "needs max_iterations of at least " + std::to_string(enough.max_iterations) +
                     ", the budget is " + std::to_string(rule.max_iterations));
    }
  }
  for (const SiteBound& bound : rule.bounds) {
    if (!bound.blocks && !bound.bytes) {
      return BadValue("rule", "bounds", ResourceKindName(bound.kind),
                      "expected a number of blocks, of bytes or both");
    }
  }
  return {};
}

double ExcludedOneIn(const Rule& rule, uint32_t quiet, double confidence) {
  return ExcludedOneIn(quiet, 1 - FalseExclusionPerLook(rule, confidence));
}

std::vector<Look> DecisionLooks(const Rule& rule) {
  std::vector<Look> looks;
  double total = 0;
  for (uint64_t n = rule.first_look; n < rule.max_iterations; n *= 2) {
    looks.push_back({.iteration = static_cast<uint32_t>(n)});
  }
  looks.push_back({.iteration = rule.max_iterations});
  for (const Look& look : looks) total += look.iteration;
  for (Look& look : looks) {
    look.level = rule.level * look.iteration / total;
    look.iteration += rule.warmup;
  }
  return looks;
}

std::vector<uint32_t> Looks(const Rule& rule) {
  std::vector<uint32_t> looks = {rule.warmup + rule.first_look / 4,
                                 rule.warmup + rule.first_look / 2};
  for (const Look& look : DecisionLooks(rule)) looks.push_back(look.iteration);
  return looks;
}

std::vector<uint32_t> FloorPoints(const Rule& rule) {
  constexpr double kGoldenRatio = 0.6180339887498949;
  std::vector<uint32_t> points;
  uint32_t start = rule.warmup;
  for (const uint32_t end : Looks(rule)) {
    const uint32_t width = end - start;
    double position = 0;
    for (int i = 0; i < kFloorPointsPerWindow; ++i) {
      position = std::fmod(position + kGoldenRatio, 1.0);
      points.push_back(start + 1 + static_cast<uint32_t>(position * width));
    }
    points.push_back(end);
    start = end;
  }
  std::sort(points.begin(), points.end());
  points.erase(std::unique(points.begin(), points.end()), points.end());
  return points;
}

}  // namespace plimsoll
