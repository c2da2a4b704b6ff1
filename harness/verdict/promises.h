#ifndef HARNESS_VERDICT_PROMISES_H_
#define HARNESS_VERDICT_PROMISES_H_

// Which sites are excused by a declared capacity (Rule::bounds), and which capacities are
// exceeded. Pure functions; thread-safe.

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "harness/sample.h"
#include "harness/verdict/rule.h"

namespace plimsoll {

struct Promises {
  std::set<std::pair<ResourceKind, uint32_t>> kept;  // sites within their capacity
  std::vector<std::string> broken;  // "heap bounded by 64 blocks holds 80", one a bound
};

Promises CheckBounds(const Rule& rule, const Snapshot& snapshot);

}  // namespace plimsoll

#endif  // HARNESS_VERDICT_PROMISES_H_
