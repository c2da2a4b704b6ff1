#include "scenarios/engines/opencv/loaded_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "allocators/mmap_loader/write/blob_writer.h"
#include "allocators/mmap_loader/write/safetensors_writer.h"
#include "scenarios/zoo/zoo.h"

namespace plimsoll {
namespace {

using ::testing::HasSubstr;
using weights::Mode;

onnx::ModelProto Parse(const std::string& bytes) {
  onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromString(bytes));
  // The order of initializers means nothing.
  auto& all = *model.mutable_graph()->mutable_initializer();
  std::sort(all.begin(), all.end(),
            [](const auto& a, const auto& b) { return a.name() < b.name(); });
  return model;
}

std::string FileBytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class LoadedModelTest : public ::testing::Test {
 protected:
  void SetUp() override {
    setenv("PLIMSOLL_CACHE", ::testing::TempDir().c_str(), 1);
    model_ = ModelPath("zoo:tiny_transformer").value();
  }

  std::string Convert(const std::string& name) {
    const auto open = weights::Loader::OfProcess().Open(model_);
    const auto tensors = weights::TensorsOf(*open);
    const std::string path = ::testing::TempDir() + "/" + name;
    weights::Os& os = weights::Os::Real();
    if (name.ends_with(".safetensors")) return *WriteSafetensors(os, path, tensors, {});
    EXPECT_TRUE(WriteBlob(os, path, tensors, {}));
    return path;
  }

  static std::string Imported(const LoadedModel& model) {
    std::string bytes;
    const Status done = model.Import([&](std::span<const std::byte> span) {
      bytes.assign(reinterpret_cast<const char*>(span.data()), span.size());
    });
    EXPECT_TRUE(done) << done.error().message;
    return bytes;
  }

  std::string model_;
};

TEST_F(LoadedModelTest, EveryFormatAndLoaderGivesTheSameModel) {
  const std::string expected = Parse(FileBytes(model_)).SerializeAsString();
  for (const std::string& file : {model_, Convert("t.safetensors"), Convert("t.blob.json")}) {
    for (const Mode mode : {Mode::kAuto, Mode::kMmap, Mode::kRead, Mode::kDirect}) {
      const auto loaded = LoadedModel::Open(model_, file, {.mode = mode});
      ASSERT_TRUE(loaded) << loaded.error().message;
      EXPECT_GT(loaded->tensors(), 10u);
      EXPECT_EQ(Parse(Imported(*loaded)).SerializeAsString(), expected)
          << file << " " << weights::ModeName(mode);
    }
  }
  EXPECT_EQ(weights::Loader::OfProcess().Stats().files, 0u) << "an import lets go of the file";
}

TEST_F(LoadedModelTest, WeightsOfAnotherModelAreRefused) {
  const std::string other = Convert("other.safetensors");
  const auto refused = LoadedModel::Open(ModelPath("zoo:tiny_cnn").value(), other, {});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("other.safetensors: tensor"));
}

TEST_F(LoadedModelTest, WeightsThatGoAwayAreAnError) {
  const std::string file = Convert("gone.safetensors");
  const auto loaded = LoadedModel::Open(model_, file, {});
  ASSERT_TRUE(loaded);
  std::remove(file.c_str());
  bool parsed = false;
  const Status done = loaded->Import([&](std::span<const std::byte>) { parsed = true; });
  ASSERT_FALSE(done);
  EXPECT_FALSE(parsed);
  EXPECT_THAT(done.error().message, HasSubstr("gone.safetensors: open: No such file"));
}

}  // namespace
}  // namespace plimsoll
