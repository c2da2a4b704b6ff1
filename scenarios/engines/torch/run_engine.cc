#include "scenarios/engines/torch/run_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <fstream>

namespace plimsoll {

using nlohmann::json;
using ::testing::StartsWith;

Outcome RunEngine(const json& config, int iterations) {
  const std::string path = ::testing::TempDir() + "/engine_torch_test.json";
  std::ofstream(path) << config;
  const std::string command = "scenarios/engines/torch/engine_torch " + path + " --iterations " +
                              std::to_string(iterations) + " 2>&1";
  FILE* pipe = popen(command.c_str(), "r");
  Outcome outcome{-1, ""};
  if (pipe == nullptr) return outcome;
  std::array<char, 4096> buffer;
  while (const size_t count = fread(buffer.data(), 1, buffer.size(), pipe)) {
    outcome.output.append(buffer.data(), count);
  }
  const int status = pclose(pipe);
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

json Case(const json& knobs, const std::string& model) {
  json config = {{"engine", "torch"},
                 {"model", model},
                 {"setup", {"build"}},
                 {"iteration", {"train"}},
                 {"knobs", {{"width", 8}, {"batch", 2}, {"size", 32}, {"print_loss", true}}}};
  if (!knobs.is_null()) config["knobs"].update(knobs);
  return config;
}

std::string Loss(const json& config, int iterations) {
  const Outcome outcome = RunEngine(config, iterations);
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, StartsWith("loss "));
  return outcome.output.substr(0, outcome.output.find('\n'));
}

}  // namespace plimsoll
