#include "scenarios/engines/process/process_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace plimsoll {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

std::function<void()> Prepared(Engine& engine, const std::string& name, const json& argument) {
  auto action = engine.Prepare({name, argument, "w"});
  EXPECT_TRUE(action) << action.error().message;
  return *action;
}

EngineConfig Config() {
  EngineConfig config;
  config.path = "c";
  return config;
}

class ProcessEngineTest : public ::testing::Test {
 protected:
  std::unique_ptr<Engine> engine_ = MakeProcessEngine(Config()).value();
  const std::string file_ = ::testing::TempDir() + "/process_engine_test";
};

TEST_F(ProcessEngineTest, RunsAProgramToItsEnd) {
  Prepared(*engine_, "run", {"/bin/sh", "-c", "echo $0 $1 > \"$2\"", "a", "b c", file_})();
  std::ifstream file(file_);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "a b c\n");
}

TEST_F(ProcessEngineTest, StatusAndSignalAreFailures) {
  EXPECT_THAT(Prepared(*engine_, "run", {"/bin/false"}),
              ThrowsMessage<std::runtime_error>(HasSubstr("exit status 1, expected 0")));
  EXPECT_THAT(Prepared(*engine_, "run", {"/bin/sh", "-c", "kill -9 $$"}),
              ThrowsMessage<std::runtime_error>(HasSubstr("signal 9")));
  EXPECT_THAT(Prepared(*engine_, "run", {"/nonexistent"}),
              ThrowsMessage<std::runtime_error>(HasSubstr("exit status 127")));
  Prepared(*engine_, "run", {{"command", {"/bin/sh", "-c", "exit 3"}}, {"exit", 3}})();
}

// Descriptors, zombies and the like would be the engine's own leaks.
TEST_F(ProcessEngineTest, LeavesNothingBehind) {
  const auto descriptors = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
  };
  const auto before = descriptors();
  const auto run = Prepared(*engine_, "run", {"/bin/true"});
  for (int i = 0; i < 10; ++i) run();
  EXPECT_EQ(descriptors(), before);
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "no child is left";
}

TEST_F(ProcessEngineTest, TheProgramTakesNoPartInTheHarness) {
  setenv("PLIMSOLL_MARK_FD", "7", 1);
  Prepared(*engine_, "run", {"/bin/sh", "-c", "test -z \"$PLIMSOLL_MARK_FD\""})();
  EXPECT_STREQ(std::getenv("PLIMSOLL_MARK_FD"), "7");
  unsetenv("PLIMSOLL_MARK_FD");
}

TEST_F(ProcessEngineTest, ExecReplacesTheProcess) {
  const auto become = Prepared(*engine_, "exec", {"/bin/sh", "-c", "exit 5"});
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    become();
    _exit(1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 5);
  EXPECT_THAT(Prepared(*engine_, "exec", {"/nonexistent"}),
              ThrowsMessage<std::system_error>(HasSubstr("/nonexistent")));
}

TEST_F(ProcessEngineTest, BadCasesAreRefused) {
  EXPECT_FALSE(engine_->Prepare({"run", nullptr, "w"}));
  EXPECT_FALSE(engine_->Prepare({"run", json::array(), "w"}));
  EXPECT_FALSE(engine_->Prepare({"runn", {"/bin/true"}, "w"}));
  EngineConfig config = Config();
  config.iteration = {{"exec", {"a"}, "w"}, {"run", {"b"}, "w"}};
  EXPECT_THAT(MakeProcessEngine(config).error().message, HasSubstr("only step"));
  config = Config();
  config.allocator = "planner_arena";
  EXPECT_FALSE(MakeProcessEngine(config));
}

}  // namespace
}  // namespace plimsoll
