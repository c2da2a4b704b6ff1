#include "scenarios/zoo/zoo.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "scenarios/zoo/models.h"

namespace plimsoll {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Each test has a cache folder of its own.
class ZooTest : public ::testing::Test {
 protected:
  ZooTest() : folder_(std::filesystem::path(::testing::TempDir()) / "zoo_test") {
    std::filesystem::remove_all(folder_);
    setenv("PLIMSOLL_CACHE", folder_.c_str(), 1);
  }
  ~ZooTest() override {
    unsetenv("PLIMSOLL_CACHE");
    std::filesystem::remove_all(folder_);
  }

  const std::filesystem::path folder_;
};

TEST_F(ZooTest, EveryModelHasItsSizeAndNameInOrder) {
  std::string_view previous;
  for (const ZooModel& model : ZooModels()) {
    SCOPED_TRACE(model.name);
    EXPECT_LT(previous, model.name);
    previous = model.name;
    EXPECT_EQ(model.build().ByteSizeLong(), model.file_bytes);
  }
}

TEST_F(ZooTest, ResNet50HasFullSizeWeights) {
  for (const ZooModel& model : ZooModels()) {
    if (model.name != "resnet50") continue;
    int64_t trainable = 0;
    const auto proto = model.build();
    for (const auto& tensor : proto.graph().initializer()) {
      int64_t elements = 1;
      for (const int64_t dim : tensor.dims()) elements *= dim;
      trainable += elements;
    }
    // Published parameters, and the running means and variances of 53 normalisations.
    EXPECT_EQ(trainable, 25'557'032 + 53'120);
    return;
  }
  FAIL() << "no resnet50";
}

TEST_F(ZooTest, WeightsAreTheSameOnEveryMachine) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const ZooModel& model : ZooModels()) {
    if (model.name != "tiny_cnn") continue;
    for (const char c : model.build().SerializeAsString()) {
      hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    }
  }
  // Changed on purpose? Raise kZooVersion too.
  EXPECT_EQ(hash, 17529287771803525576u);
}

TEST_F(ZooTest, WritesOnceAndThenReuses) {
  const auto path = ModelPath("zoo:tiny_cnn");
  ASSERT_TRUE(path) << path.error().message;
  const std::string contents = ReadFile(*path);
  const auto written = std::filesystem::last_write_time(*path);
  EXPECT_EQ(ModelPath("zoo:tiny_cnn").value(), *path);
  EXPECT_EQ(std::filesystem::last_write_time(*path), written);
  EXPECT_EQ(ReadFile(*path), contents);
}

TEST_F(ZooTest, RewritesAFileOfAnotherSize) {
  const auto path = ModelPath("zoo:tiny_mlp");
  ASSERT_TRUE(path);
  const std::string contents = ReadFile(*path);
  std::filesystem::resize_file(*path, contents.size() / 2);
  ASSERT_TRUE(ModelPath("zoo:tiny_mlp"));
  EXPECT_EQ(ReadFile(*path), contents);
}

TEST_F(ZooTest, RacingProcessesAllGetAWholeFile) {
  std::vector<pid_t> children;
  for (int i = 0; i < 8; ++i) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      const auto path = ModelPath("zoo:tiny_transformer");
      _exit(path && ReadFile(*path).size() == 12625 ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  // No temporary file stays behind.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(ZooTest, UnknownNameListsTheNames) {
  const auto path = ModelPath("zoo:resnet5");
  ASSERT_FALSE(path);
  EXPECT_THAT(path.error().message, AllOf(HasSubstr("'zoo:resnet5'"), HasSubstr("zoo:resnet50")));
}

TEST_F(ZooTest, FilesMustExist) {
  EXPECT_THAT(ModelPath("/nonexistent/m.onnx").error().message,
              AllOf(HasSubstr("/nonexistent/m.onnx"), HasSubstr("No such file")));
  EXPECT_THAT(ModelPath(::testing::TempDir()).error().message, HasSubstr("expected an .onnx file"));
}

TEST_F(ZooTest, AnUnusableCacheFolderIsReportedNotReplaced) {
  setenv("PLIMSOLL_CACHE", "/dev/null/cache", 1);
  const auto path = ModelPath("zoo:tiny_cnn");
  ASSERT_FALSE(path);
  EXPECT_THAT(path.error().message, HasSubstr("/dev/null/cache"));
}

TEST_F(ZooTest, AFullDiskIsReportedAndLeavesNothing) {
  std::filesystem::create_directories(folder_);
  // The size limit stands for the full disk: write fails after some bytes.
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit = {4096, 4096};
    setrlimit(RLIMIT_FSIZE, &limit);
    const auto path = ModelPath("zoo:tiny_cnn");
    _exit(!path && path.error().message.find("tiny_cnn") != std::string::npos ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

}  // namespace
}  // namespace plimsoll
