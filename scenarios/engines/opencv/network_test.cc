#include "scenarios/engines/opencv/network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>

#include "scenarios/zoo/graph_builder.h"
#include "scenarios/zoo/zoo.h"

namespace plimsoll {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// Infer verifies that outputs are finite and equal from run to run.
void ImportAndRunTwice(const std::string& path) {
  auto network = Network::Open(path, {}, {});
  ASSERT_TRUE(network) << network.error().message;
  for (int import = 0; import < 2; ++import) {
    cv::dnn::Net net = network->Compile();
    network->Infer(net);
    network->Infer(net);
  }
}

class ZooTest : public ::testing::TestWithParam<const char*> {};

TEST_P(ZooTest, OpenCvImportsAndRunsIt) {
  setenv("PLIMSOLL_CACHE", ::testing::TempDir().c_str(), 1);
  const auto path = ModelPath(std::string("zoo:") + GetParam());
  ASSERT_TRUE(path) << path.error().message;
  ImportAndRunTwice(*path);
}

INSTANTIATE_TEST_SUITE_P(Models, ZooTest,
                         ::testing::Values("mobilenet_v2", "resnet50", "squeezenet", "tiny_cnn",
                                           "tiny_mlp", "tiny_transformer", "transformer"));

// Extra input where it is there: real graphs of the ONNX project.
TEST(NetworkTest, OpenCvRunsTheLightModels) {
  const char* shared = std::getenv("PLIMSOLL_SHARED");
  const std::filesystem::path folder =
      std::filesystem::path(shared == nullptr ? "../shared" : shared) / "data" / "onnx";
  if (!std::filesystem::is_directory(folder)) GTEST_SKIP() << "PLIMSOLL_SHARED is not set";
  int models = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    SCOPED_TRACE(entry.path());
    ImportAndRunTwice(entry.path());
    ++models;
  }
  EXPECT_GE(models, 9);
}

// A model of one constant added to the input.
std::string WriteAdder(const std::string& name, float constant, int64_t batch = 1) {
  GraphBuilder g(name);
  const Value x = g.Input("input", {batch, 3});
  const std::string path = ::testing::TempDir() + "/" + name + ".onnx";
  std::ofstream file(path, std::ios::binary);
  g.Finish(g.Node("Add", {x, g.Weight({1}, 0.0f, constant)}), {batch, 3}).SerializeToOstream(&file);
  return path;
}

TEST(NetworkTest, AnOutputThatIsNotFiniteIsAnError) {
  auto network = Network::Open(WriteAdder("nan", std::numeric_limits<float>::quiet_NaN()), {}, {});
  ASSERT_TRUE(network);
  cv::dnn::Net net = network->Compile();
  EXPECT_THAT([&] { network->Infer(net); },
              ThrowsMessage<std::runtime_error>(HasSubstr("not finite")));
}

TEST(NetworkTest, AnOutputThatChangesIsAnError) {
  auto network = Network::Open(WriteAdder("one", 1.0f), {}, {});
  auto other = Network::Open(WriteAdder("two", 2.0f), {}, {});
  ASSERT_TRUE(network && other);
  cv::dnn::Net net = network->Compile(), other_net = other->Compile();
  network->Infer(net);
  EXPECT_THAT([&] { network->Infer(other_net); },
              ThrowsMessage<std::runtime_error>(HasSubstr("differs")));
}

TEST(NetworkTest, BatchesAreComparedWithTheirOwnKind) {
  auto network = Network::Open(WriteAdder("batch", 1.0f), {}, {});
  ASSERT_TRUE(network);
  cv::dnn::Net net = network->Compile();
  for (const int batch : {1, 2, 1, 4, 2}) {
    network->SetBatch(batch);
    EXPECT_NO_THROW(network->Infer(net)) << batch;
  }
  EXPECT_EQ(network->ModelBatch(), 1);
}

TEST(NetworkTest, OpenDimensionsNeedAShape) {
  const std::string path = WriteAdder("open", 1.0f, /*batch=*/0);
  EXPECT_TRUE(Network::Open(path, {}, {})) << "an open batch size is one image";
  const auto refused = Network::Open(path, {1, 0}, {});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("input_shape"));
}

TEST(NetworkTest, WhatIsNoModelIsRefused) {
  EXPECT_FALSE(Network::Open("/nonexistent", {}, {}));
  EXPECT_FALSE(Network::Open("/proc/self/exe", {}, {}));
}

}  // namespace
}  // namespace plimsoll
