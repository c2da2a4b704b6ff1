#ifndef SCENARIOS_ENGINES_WEIGHTS_H_
#define SCENARIOS_ENGINES_WEIGHTS_H_

// How a case has its weights loaded: `weights` of the script, checked, with the files that
// the launcher has prepared. Plain data.

#include <optional>
#include <string>
#include <vector>

#include "allocators/mmap_loader/loader.h"
#include "allocators/mmap_loader/options.h"
#include "base/error.h"
#include "scenarios/engines/config.h"
#include "scenarios/engines/engine_main.h"

namespace plimsoll {

struct WeightsChoice {
  weights::LoadOptions options;
  std::vector<std::string> files;  // one for each model
};

// Absent when the case has no `weights`: the runtime loads them in its own way. Fields:
// loader (auto, mmap, private, read or direct), format (onnx, safetensors or blob),
// prefetch, and files, one for each model.
Expected<std::optional<WeightsChoice>> ReadWeightsChoice(const EngineConfig& config);

// How the weights came into the runtime's hands, for the report.
struct WeightsUse {
  uint64_t in_place_tensors = 0, in_place_bytes = 0;
  uint64_t copied_tensors = 0, copied_bytes = 0;
};

// At most two findings, "weights_in_place" and "weights_copied"; `why_copied` is a clause.
std::vector<EngineFinding> FindingsOf(const weights::LoadReport& report, const WeightsUse& use,
                                      const std::string& why_copied);

}  // namespace plimsoll

#endif  // SCENARIOS_ENGINES_WEIGHTS_H_
