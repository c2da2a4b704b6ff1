#include "scenarios/zoo/model_info.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "scenarios/zoo/graph_builder.h"

namespace plimsoll {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Write(const std::string& contents) {
  const std::string path = ::testing::TempDir() + "/model_info_test.onnx";
  std::ofstream(path, std::ios::binary) << contents;
  return path;
}

onnx::ModelProto SmallModel() {
  GraphBuilder g("small");
  const Value x = g.Input("x", {1, 3, 4});
  return g.Finish(g.Node("Relu", {g.Node("Add", {x, g.Weight({4}, 1.0f)})}), {1, 3, 4});
}

TEST(ModelInfoTest, ReadsNamesAndShapes) {
  const auto inputs = ReadModelInputs(Write(SmallModel().SerializeAsString()));
  ASSERT_TRUE(inputs) << inputs.error().message;
  ASSERT_EQ(inputs->size(), 1u);
  EXPECT_EQ((*inputs)[0].name, "x");
  EXPECT_THAT((*inputs)[0].dims, ElementsAre(1, 3, 4));
}

// IR versions before 4 list the weights among the inputs too.
TEST(ModelInfoTest, LeavesInitializersOut) {
  onnx::ModelProto model = SmallModel();
  auto* listed = model.mutable_graph()->add_input();
  listed->set_name(model.graph().initializer(0).name());
  const auto inputs = ReadModelInputs(Write(model.SerializeAsString()));
  ASSERT_TRUE(inputs);
  ASSERT_EQ(inputs->size(), 1u);
  EXPECT_EQ((*inputs)[0].name, "x");
}

TEST(ModelInfoTest, OpenDimensionsAreZero) {
  onnx::ModelProto model = SmallModel();
  model.mutable_graph()
      ->mutable_input(0)
      ->mutable_type()
      ->mutable_tensor_type()
      ->mutable_shape()
      ->mutable_dim(0)
      ->set_dim_param("batch");
  const auto inputs = ReadModelInputs(Write(model.SerializeAsString()));
  ASSERT_TRUE(inputs);
  EXPECT_THAT((*inputs)[0].dims, ElementsAre(0, 3, 4));
}

TEST(ModelInfoTest, RefusesWhatIsNoModel) {
  EXPECT_THAT(ReadModelInputs("/nonexistent").error().message, HasSubstr("No such file"));
  EXPECT_THAT(ReadModelInputs(Write("hello, world")).error().message,
              HasSubstr("not an ONNX model"));
  EXPECT_THAT(ReadModelInputs(Write("")).error().message, HasSubstr("not an ONNX model"));
  onnx::ModelProto model = SmallModel();
  model.mutable_graph()->clear_input();
  EXPECT_THAT(ReadModelInputs(Write(model.SerializeAsString())).error().message,
              HasSubstr("has no input"));
}

TEST(ModelInfoTest, ATruncatedGraphIsRefusedAtEveryLength) {
  onnx::ModelProto model = SmallModel();
  model.clear_opset_import();  // so that the graph is the file's last field
  const std::string whole = model.SerializeAsString();
  ASSERT_TRUE(ReadModelInputs(Write(whole)));
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(ReadModelInputs(Write(whole.substr(0, length)))) << length;
  }
}

}  // namespace
}  // namespace plimsoll
