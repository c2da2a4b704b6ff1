#include "tools/weights_command.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "allocators/mmap_loader/test_files.h"
#include "base/file.h"

namespace plimsoll {
namespace {

class WeightsCommandTest : public testing::Test {
 protected:
  // Runs `plimsoll weights ARGUMENTS…`; out_ and err_ are what it printed.
  int Run(std::vector<std::string> arguments) {
    CLI::App app;
    int status = -1;
    AddWeightsCommand(app, status);
    arguments.insert(arguments.begin(), "weights");
    std::reverse(arguments.begin(), arguments.end());
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    app.parse(arguments);
    out_ = testing::internal::GetCapturedStdout();
    err_ = testing::internal::GetCapturedStderr();
    return status;
  }

  weights::TestFolder folder_;
  const std::string model_ = folder_.Write("m.safetensors", weights::ByteTensors(3, 5000));
  std::string out_, err_;
};

TEST_F(WeightsCommandTest, InspectPrintsTensors) {
  ASSERT_EQ(Run({"inspect", model_}), 0) << err_;
  EXPECT_NE(out_.find("m.safetensors: safetensors, 3 tensors, 14.6 KiB\n"), std::string::npos)
      << out_;
  EXPECT_NE(out_.find("  t1  U8       [5000] "), std::string::npos) << out_;
  ASSERT_EQ(Run({"inspect", model_, "--json", "--loader", "read"}), 0) << err_;
  const auto json = nlohmann::json::parse(out_);
  EXPECT_EQ(json["loader"], "read");
  EXPECT_EQ(json["tensors"].size(), 3u);
  EXPECT_EQ(json["tensors"][1]["name"], "t1");
  EXPECT_EQ(json["tensors"][1]["shape"][0], 5000);
  EXPECT_EQ(json["tensors"][1]["xxh3"], nullptr);
}

TEST_F(WeightsCommandTest, ConvertThereAndBackIsTheSame) {
  const std::string blob = folder_.Path("m.blob.json");
  ASSERT_EQ(Run({"convert", model_, blob, "--checksums", "--alignment", "4 KiB"}), 0) << err_;
  EXPECT_NE(out_.find("m.blob.json: 3 tensors, 14.6 KiB\n"), std::string::npos) << out_;
  ASSERT_EQ(Run({"verify", blob}), 0) << out_;
  EXPECT_NE(out_.find("whole: 3 tensors, 14.6 KiB, 3 of them compared"), std::string::npos) << out_;
  const std::string back = folder_.Path("back.safetensors");
  ASSERT_EQ(Run({"convert", blob, back}), 0) << err_;
  const std::string old_bytes = *ReadFile(model_);
  const std::string new_bytes = *ReadFile(back);
  EXPECT_EQ(new_bytes.substr(new_bytes.size() - 15'000),
            old_bytes.substr(old_bytes.size() - 15'000));
  ASSERT_EQ(Run({"convert", blob, folder_.Path("s.safetensors"), "--shard-size", "10000"}), 0);
  EXPECT_NE(out_.find("s.safetensors.index.json: 3 tensors"), std::string::npos) << out_;
  EXPECT_TRUE(std::filesystem::exists(folder_.Path("s-00002-of-00002.safetensors")));
}

TEST_F(WeightsCommandTest, DamageIsStatusOne) {
  const std::string copy = folder_.Path("c.safetensors");
  ASSERT_EQ(Run({"convert", model_, copy, "--checksums"}), 0) << err_;
  std::string bytes = *ReadFile(copy);
  bytes.back() = static_cast<char>(~bytes.back());
  folder_.Write("flipped.safetensors", bytes);
  EXPECT_EQ(Run({"verify", copy, folder_.Path("flipped.safetensors")}), 1);
  EXPECT_NE(out_.find("c.safetensors: whole"), std::string::npos) << out_;
  EXPECT_NE(out_.find("flipped.safetensors: damaged: "), std::string::npos) << out_;
  EXPECT_NE(out_.find("tensor 't2': checksum"), std::string::npos) << out_;
  bytes.pop_back();
  EXPECT_EQ(Run({"verify", folder_.Write("short.safetensors", bytes)}), 1);
  EXPECT_NE(out_.find("data_offsets"), std::string::npos) << out_;
}

TEST_F(WeightsCommandTest, AWrongRequestIsStatusTwo) {
  EXPECT_EQ(Run({"inspect", folder_.Path("absent")}), 2);
  EXPECT_NE(err_.find("plimsoll: " + folder_.Path("absent") + ": open: No such file"),
            std::string::npos)
      << err_;
  EXPECT_EQ(Run({"verify", model_, folder_.Path("absent")}), 2);
  EXPECT_NE(out_.find("m.safetensors: whole"), std::string::npos) << "the rest is verified";
  EXPECT_EQ(Run({"inspect", model_, "--format", "zip"}), 2);
  EXPECT_NE(err_.find("--format: 'zip': expected one of"), std::string::npos) << err_;
  EXPECT_EQ(Run({"verify", model_, "--loader", "magic"}), 2);
  EXPECT_NE(err_.find("loader: 'magic': expected one of auto, mmap"), std::string::npos) << err_;
  EXPECT_EQ(Run({"convert", model_, folder_.Path("out.bin")}), 2);
  EXPECT_NE(err_.find("ends in .safetensors or .blob.json"), std::string::npos) << err_;
  EXPECT_EQ(Run({"convert", model_, folder_.Path("o.safetensors"), "--shard-size", "big"}), 2);
  EXPECT_NE(err_.find("--shard-size: "), std::string::npos) << err_;
  EXPECT_EQ(Run({"convert", model_, folder_.Path("o.blob.json"), "--alignment", "48"}), 2);
  EXPECT_NE(err_.find("alignment: '48'"), std::string::npos) << err_;
  EXPECT_EQ(Run({"inspect", "zoo:nothing"}), 2);
  EXPECT_NE(err_.find("nothing"), std::string::npos) << err_;
}

}  // namespace
}  // namespace plimsoll
