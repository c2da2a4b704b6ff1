#include "allocators/mmap_loader/formats/parse.h"

#include <gtest/gtest.h>

#include "allocators/mmap_loader/formats/samples.h"
#include "allocators/mmap_loader/test_files.h"

namespace plimsoll::weights {
namespace {

TEST(DetectFormat, ByNameThenByFirstBytes) {
  const auto detect = [](const char* path, std::string_view bytes) {
    return DetectFormat(MemorySource(path, AsBytes(bytes)));
  };
  EXPECT_EQ(detect("a.safetensors", "x"), Format::kSafetensors);
  EXPECT_EQ(detect("a.safetensors.index.json", "x"), Format::kSafetensors);
  EXPECT_EQ(detect("a.onnx", "x"), Format::kOnnx);
  EXPECT_EQ(detect("a.xml", "x"), Format::kOpenvinoIr);
  EXPECT_EQ(detect("a.gguf", "x"), Format::kGguf);
  EXPECT_EQ(detect("a.blob.json", "x"), Format::kBlob);
  EXPECT_EQ(detect("a", SafetensorsBytes("{}", "")), Format::kSafetensors);
  EXPECT_EQ(detect("a", SampleGguf().Bytes()), Format::kGguf);
  EXPECT_EQ(detect("a", SampleIr()), Format::kOpenvinoIr);
  EXPECT_EQ(detect("a", SampleBlob()), Format::kBlob);
  ExpectError(detect("a", "what"), {"a: format: 'what'", ".safetensors", ".gguf"});
}

TEST(ParseWeights, EveryFormatByName) {
  MemorySiblings siblings = SampleSiblings();
  const auto parse = [&](const char* path, const std::string& bytes, std::optional<Format> format) {
    const auto directory = ParseWeights(MemorySource(path, AsBytes(bytes)), siblings, format);
    return directory ? FormatName(directory->format()) : directory.error().message;
  };
  EXPECT_EQ(parse("a.safetensors", SafetensorsBytes("{}", ""), {}), "safetensors");
  EXPECT_EQ(parse("model.onnx", SampleOnnx(), {}), "onnx");
  EXPECT_EQ(parse("model.xml", SampleIr(), {}), "openvino");
  EXPECT_EQ(parse("model.gguf", SampleGguf().Bytes(), {}), "gguf");
  EXPECT_EQ(parse("m.blob.json", SampleBlob(), {}), "blob");
  EXPECT_EQ(parse("nameless", SampleOnnx(), Format::kOnnx), "onnx");
  EXPECT_EQ(parse("m.safetensors.index.json", "{\"weight_map\":{}}", {}), "safetensors");
}

TEST(FormatNamed, LeadsBack) {
  for (const Format format :
       {Format::kSafetensors, Format::kOnnx, Format::kOpenvinoIr, Format::kGguf, Format::kBlob}) {
    EXPECT_EQ(FormatNamed(FormatName(format)), format);
  }
  EXPECT_EQ(FormatNamed("zip"), std::nullopt);
}

}  // namespace
}  // namespace plimsoll::weights
