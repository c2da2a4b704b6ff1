#ifndef SCENARIOS_ENGINES_TORCH_RUN_ENGINE_H_
#define SCENARIOS_ENGINES_TORCH_RUN_ENGINE_H_

// For tests: cases of the libtorch engine, run in a process of their own. One at a time.

#include <nlohmann/json.hpp>
#include <string>

namespace plimsoll {

struct Outcome {
  int status;          // -1: did not exit
  std::string output;  // both streams
};
Outcome RunEngine(const nlohmann::json& config, int iterations);

// A small network that trains in milliseconds and prints its last loss.
nlohmann::json Case(const nlohmann::json& knobs, const std::string& model = "resnet_small");

// "loss …", the first line of the output; a failure when the engine fails.
std::string Loss(const nlohmann::json& config, int iterations = 12);

}  // namespace plimsoll

#endif  // SCENARIOS_ENGINES_TORCH_RUN_ENGINE_H_
