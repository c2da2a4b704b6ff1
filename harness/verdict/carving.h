#ifndef HARNESS_VERDICT_CARVING_H_
#define HARNESS_VERDICT_CARVING_H_

// Growth in few blocks: an arena that is never released takes ever larger blocks, each when
// the one before is used up. Pure functions; thread-safe.

#include <cstdint>
#include <optional>
#include <vector>

#include "harness/sample.h"

namespace plimsoll {

// The bytes used per iteration, when the survivors of the epochs in (start, end] are such an
// arena's: at least six blocks, one in an epoch, each larger by a fifth than the one before;
// every one lasted as long as its size says at one constant rate, within a sixth or two
// iterations, and the last has not lasted longer yet. Sizes that have nothing to do with the
// time until the next block fit so once in thousands of times.
std::optional<double> CarvingRate(const std::vector<EpochSurvivors>& epochs, uint32_t start,
                                  uint32_t end);

}  // namespace plimsoll

#endif  // HARNESS_VERDICT_CARVING_H_
