#include "allocators/mmap_loader/loader.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <thread>

#include "allocators/mmap_loader/checksum.h"
#include "allocators/mmap_loader/test_files.h"

namespace plimsoll::weights {
namespace {

constexpr size_t kTensors = 8;

class LoaderTest : public testing::Test {
 protected:
  Weights Open(const LoadOptions& options = {}) { return OpenPath(path_, options); }
  Weights OpenPath(const std::string& path, const LoadOptions& options) {
    auto weights = loader_.Open(path, options);
    EXPECT_TRUE(weights.has_value()) << MessageOf(weights);
    return std::move(*weights);
  }
  // Whether tensor t`index` holds its part of the pattern.
  bool Holds(const Tensor& tensor, size_t index) const {
    const auto bytes = tensor.Bytes();
    return bytes.has_value() && bytes->size() == tensor_bytes_ &&
           std::memcmp(bytes->data(), pattern_.data() + index * tensor_bytes_, tensor_bytes_) == 0;
  }
  uint64_t Resident() const { return loader_.Stats().resident_bytes.value(); }

  const uint64_t page_ = PageSize();
  const size_t tensor_bytes_ = 4 * page_ + 100;
  const std::string pattern_ = Pattern(kTensors * tensor_bytes_);
  TestFolder folder_;
  const std::string path_ =
      folder_.Write("model.safetensors", ByteTensors(kTensors, tensor_bytes_));
  Loader loader_;
};

TEST_F(LoaderTest, EveryModeGivesTheSameBytes) {
  for (const Mode mode : {Mode::kAuto, Mode::kMmap, Mode::kPrivate, Mode::kRead, Mode::kDirect}) {
    const Weights weights = Open({.mode = mode});
    EXPECT_NE(weights.report().mode, Mode::kAuto);
    EXPECT_FALSE(weights.report().reason.empty());
    EXPECT_FALSE(weights.report().cached);
    ASSERT_EQ(weights.directory().size(), kTensors);
    for (size_t i = 0; i < kTensors; ++i) {
      const auto tensor = weights.Acquire("t" + std::to_string(i));
      ASSERT_TRUE(tensor.has_value()) << MessageOf(tensor);
      EXPECT_TRUE(Holds(*tensor, i)) << ModeName(mode) << " t" << i;
    }
  }
  EXPECT_EQ(loader_.Stats().files, 0u);
  EXPECT_EQ(loader_.Stats().loaded_bytes, 0u);
}

TEST_F(LoaderTest, EnableMmapIsOpenVinosSwitch) {
  EXPECT_EQ(Open(LoadOptions().EnableMmap(true)).report().mode, Mode::kMmap);
  EXPECT_EQ(Open(LoadOptions().EnableMmap(false)).report().mode, Mode::kRead);
}

TEST_F(LoaderTest, ASecondLoadAddsNothing) {
  const Weights first = Open();
  const int mappings = MappingsOf("/model.safetensors");
  const int descriptors = Descriptors();
  EXPECT_EQ(mappings, 1);
  const Weights second = Open();
  EXPECT_TRUE(second.report().cached);
  EXPECT_EQ(MappingsOf("/model.safetensors"), mappings);
  EXPECT_EQ(Descriptors(), descriptors);
  EXPECT_EQ(&first.directory(), &second.directory());
  const LoaderStats stats = loader_.Stats();
  EXPECT_EQ(stats.files, 1u);
  EXPECT_EQ(stats.misses, 1u);
  EXPECT_EQ(stats.hits, 1u);
  EXPECT_EQ(stats.mapped_bytes, PageCeil(std::filesystem::file_size(path_)));
}

TEST_F(LoaderTest, OtherNamesAndOptionsShareTheMapping) {
  std::filesystem::create_symlink(path_, folder_.Path("link.safetensors"));
  const Weights first = Open({.mode = Mode::kMmap});
  const Weights by_link = OpenPath(folder_.Path("link.safetensors"), {.mode = Mode::kMmap});
  EXPECT_FALSE(by_link.report().cached);
  const Weights verified = Open({.mode = Mode::kMmap, .on_drop = OnDrop::kKeep, .verify = true});
  EXPECT_EQ(MappingsOf("/model.safetensors"), 1);
  EXPECT_EQ(loader_.Stats().hits, 2u);
  const Weights read = Open({.mode = Mode::kRead});
  EXPECT_EQ(loader_.Stats().files, 2u) << "read bytes are another copy";
}

TEST_F(LoaderTest, AChangedFileIsLoadedAnew) {
  const Weights first = Open();
  folder_.Write("new", ByteTensors(kTensors, tensor_bytes_ + 1));
  std::filesystem::rename(folder_.Path("new"), path_);
  const Weights second = Open();
  EXPECT_FALSE(second.report().cached);
  EXPECT_EQ(second.Acquire(0)->info().bytes, tensor_bytes_ + 1);
  EXPECT_TRUE(Holds(*first.Acquire(3), 3)) << "the old file lives on for those who have it";
  ExpectError(first.Revalidate(), {"/model.safetensors: inode", "was replaced"});
  EXPECT_TRUE(second.Revalidate().has_value());
}

TEST_F(LoaderTest, EverythingGoesWithTheLastUser) {
  const int descriptors = Descriptors();
  {
    std::optional<Weights> weights(Open());
    const Tensor tensor = *weights->Acquire("t3");
    weights.reset();
    EXPECT_EQ(MappingsOf("/model.safetensors"), 1) << "a tensor holds its file";
    EXPECT_TRUE(Holds(tensor, 3));
    EXPECT_EQ(loader_.Stats().tensors, 1u);
  }
  EXPECT_EQ(MappingsOf("/model.safetensors"), 0);
  EXPECT_EQ(Descriptors(), descriptors);
  const LoaderStats stats = loader_.Stats();
  EXPECT_EQ(stats.files, 0u);
  EXPECT_EQ(stats.tensors, 0u);
  EXPECT_EQ(stats.mapped_bytes, 0u);
  EXPECT_EQ(stats.resident_bytes, 0u);
  EXPECT_EQ(stats.peak_mapped_bytes, PageCeil(std::filesystem::file_size(path_)));
  EXPECT_EQ(stats.peak_tensors, 1u);
}

TEST_F(LoaderTest, ADroppedTensorGivesItsPagesBack) {
  for (const Mode mode : {Mode::kMmap, Mode::kRead, Mode::kDirect}) {
    const Weights weights = Open({.mode = mode, .prefetch = Prefetch::kPopulate});
    std::vector<Tensor> tensors;
    for (size_t i = 0; i < kTensors; ++i) tensors.push_back(*weights.Acquire(i));
    const uint64_t before = Resident();
    tensors[4].Drop();
    const uint64_t fall = before - Resident();
    EXPECT_GE(fall + 2 * page_, tensor_bytes_) << ModeName(mode);
    EXPECT_LE(fall, tensor_bytes_ + 2 * page_) << ModeName(mode);
    EXPECT_TRUE(Holds(tensors[3], 3));
    EXPECT_TRUE(Holds(tensors[5], 5));
    EXPECT_TRUE(Holds(*weights.Acquire(4), 4)) << "and comes back when wanted";
    tensors.clear();
    weights.ReleaseUnused();
    EXPECT_EQ(Resident(), 0u) << ModeName(mode);
  }
}

// A large read is made by several threads, and stays within its tensor's pages.
TEST_F(LoaderTest, ALargeReadTakesNoMoreThanItsBytes) {
  const size_t bytes = (size_t{9} << 20) + 100;
  const std::string path = folder_.Write("large.safetensors", ByteTensors(3, bytes));
  for (const Mode mode : {Mode::kRead, Mode::kDirect}) {
    const Weights weights = OpenPath(path, {.mode = mode});
    std::optional<Tensor> tensor(*weights.Acquire(1));
    EXPECT_GE(Resident(), bytes) << ModeName(mode);
    EXPECT_LE(Resident(), bytes + 2 * page_) << ModeName(mode);
    tensor.reset();
    EXPECT_EQ(Resident(), 0u) << ModeName(mode);
    const std::string all = Pattern(3 * bytes);
    const Tensor last = *weights.Acquire(2);
    EXPECT_EQ(std::memcmp(last.Bytes()->data(), all.data() + 2 * bytes, bytes), 0);
  }
}

TEST_F(LoaderTest, TwoHandlesOfATensorCountAsTwo) {
  const Weights weights = Open({.mode = Mode::kRead});
  std::optional<Tensor> first(*weights.Acquire("t1"));
  const Tensor second = *weights.Acquire("t1");
  first.reset();
  EXPECT_TRUE(Holds(second, 1));
  EXPECT_GE(Resident(), tensor_bytes_);
}

TEST_F(LoaderTest, HandlesMove) {
  const Weights weights = Open();
  Tensor first = *weights.Acquire("t1");
  Tensor second = std::move(first);
  EXPECT_TRUE(first.dropped());
  EXPECT_TRUE(Holds(second, 1));
  first = *weights.Acquire("t2");
  second = std::move(first);
  EXPECT_TRUE(Holds(second, 2));
  EXPECT_EQ(loader_.Stats().tensors, 1u);
}

TEST_F(LoaderTest, UseAfterTheEndIsAnError) {
  Weights weights = Open();
  Tensor tensor = *weights.Acquire("t1");
  tensor.Drop();
  tensor.Drop();
  ExpectError(tensor.Bytes(), {"tensor: 'dropped'"});
  ExpectError(tensor.MutableBytes(), {"tensor: 'dropped'"});
  ExpectError(tensor.CopyTo({}), {"tensor: 'dropped'"});
  ExpectError(tensor.Verify(), {"tensor: 'dropped'"});
  weights.Close();
  weights.Close();
  ExpectError(weights.Acquire("t1"), {"/model.safetensors: acquire: 'closed'"});
  ExpectError(weights.Acquire(1), {"acquire: 'closed'"});
  ExpectError(weights.Revalidate(), {"revalidate: 'closed'"});
  EXPECT_EQ(weights.ReleaseUnused(), 0u);
  EXPECT_TRUE(weights.Notes().empty());
}

TEST_F(LoaderTest, WhatIsNotThere) {
  const Weights weights = Open();
  ExpectError(weights.Acquire("t9"),
              {"/model.safetensors: tensor name: 't9'", "one of its 8 tensors, such as 't0'"});
  ExpectError(weights.Acquire(8), {"tensor index: '8'", "less than 8"});
  ExpectError(loader_.Open(folder_.Path("absent")), {"/absent: open: No such file"});
  ExpectError(loader_.Open(folder_.Path("")), {"'directory'"});
  ExpectError(loader_.Open(folder_.Write("empty.safetensors", "")), {"file size in bytes: '0'"});
  ASSERT_EQ(mkfifo(folder_.Path("fifo.safetensors").c_str(), 0600), 0);
  ExpectError(loader_.Open(folder_.Path("fifo.safetensors")), {"'FIFO'"});
  EXPECT_EQ(loader_.Stats().files, 1u) << "refused files leave nothing";
}

TEST_F(LoaderTest, OnlyPrivateWeightsCanBeWritten) {
  for (const Mode mode : {Mode::kMmap, Mode::kRead}) {
    const Weights weights = Open({.mode = mode});
    ExpectError(weights.Acquire("t1")->MutableBytes(),
                {"/model.safetensors: tensor 't1': write: '", ModeName(mode), "read-only"});
  }
  const Weights mine = Open({.mode = Mode::kPrivate});
  const Weights other = Open({.mode = Mode::kPrivate});
  const Tensor tensor = *mine.Acquire("t1");
  (*tensor.MutableBytes())[0] = std::byte{'X'};
  EXPECT_TRUE(Holds(*other.Acquire("t1"), 1)) << "each load has pages of its own";
  EXPECT_EQ(loader_.Stats().private_dirty_bytes, page_);
  EXPECT_EQ(loader_.Stats().files, 2u);
}

TEST_F(LoaderTest, AWholeFileCanBeHeld) {
  for (const Mode mode : {Mode::kMmap, Mode::kRead}) {
    const Weights weights = Open({.mode = mode, .verify = true});
    std::optional<Tensor> file(*weights.AcquireFile(0));
    const auto bytes = *file->Bytes();
    ASSERT_EQ(bytes.size(), std::filesystem::file_size(path_));
    const auto data = bytes.subspan(bytes.size() - pattern_.size());
    EXPECT_EQ(std::memcmp(data.data(), pattern_.data(), pattern_.size()), 0) << ModeName(mode);
    file.reset();
    EXPECT_EQ(Resident(), 0u) << ModeName(mode);
    ExpectError(weights.AcquireFile(1),
                {"/model.safetensors: file index: '1'", "expected less than 1"});
  }
  Weights closed = Open();
  closed.Close();
  ExpectError(closed.AcquireFile(0), {"acquire: 'closed'"});
}

TEST_F(LoaderTest, CopyWantsTheRightSize) {
  const Weights weights = Open();
  const Tensor tensor = *weights.Acquire("t2");
  std::vector<std::byte> bytes(tensor_bytes_);
  ASSERT_TRUE(tensor.CopyTo(bytes).has_value());
  EXPECT_EQ(std::memcmp(bytes.data(), pattern_.data() + 2 * tensor_bytes_, tensor_bytes_), 0);
  bytes.pop_back();
  ExpectError(tensor.CopyTo(bytes),
              {"tensor 't2': copy to", "expected " + std::to_string(tensor_bytes_)});
}

TEST_F(LoaderTest, ATruncatedFileIsAnErrorForTheLostTensorsOnly) {
  const Weights weights = Open({.mode = Mode::kMmap, .guard = true});
  const Tensor early = *weights.Acquire("t1");
  const Tensor late = *weights.Acquire("t6");
  const Tensor last = *weights.Acquire("t7");
  const uint64_t cut = late.info().offset + 2 * page_;
  Status read = late.Read([&](std::span<const std::byte> bytes) {
    // Under the reader: after Bytes was checked, before they are touched.
    ASSERT_EQ(truncate(path_.c_str(), static_cast<off_t>(cut)), 0);
    EXPECT_EQ(bytes.back(), std::byte{0});
  });
  ExpectError(read, {"/model.safetensors: file size in bytes: '" + std::to_string(cut) + "'"});
  ExpectError(late.Bytes(), {"file size in bytes"});
  ExpectError(last.Bytes(), {"file size in bytes"});
  ExpectError(weights.Acquire("t7"), {"file size in bytes"});
  EXPECT_TRUE(Holds(early, 1)) << "other tensors are readable";
  EXPECT_TRUE(Holds(*weights.Acquire("t5"), 5));
  ExpectError(weights.Revalidate(), {"has shrunk"});
}

TEST_F(LoaderTest, DamagedMemoryIsNotShared) {
  const Weights weights = Open({.mode = Mode::kMmap, .guard = true});
  const std::string whole = ByteTensors(kTensors, tensor_bytes_);
  const auto modified = std::filesystem::last_write_time(path_);
  {
    const Tensor last = *weights.Acquire("t7");
    EXPECT_FALSE(last.Read([&](std::span<const std::byte> bytes) {
                       std::filesystem::resize_file(path_, page_);
                       EXPECT_EQ(bytes[0], std::byte{0});
                     })
                     .has_value());
  }
  // The same file again, to the nanosecond.
  folder_.Write("model.safetensors", whole);
  std::filesystem::last_write_time(path_, modified);
  const Weights again = Open({.mode = Mode::kMmap, .guard = true});
  EXPECT_FALSE(again.report().cached);
  EXPECT_TRUE(Holds(*again.Acquire("t7"), 7));
  EXPECT_FALSE(weights.Acquire("t7").has_value());
}

TEST_F(LoaderTest, ChecksumsAreComparedWhenAsked) {
  const std::string data = "0123456789abcdef";
  const auto bytes = std::as_bytes(std::span(data));
  const auto file = [&](uint64_t checksum) {
    return SafetensorsBytes("{\"__metadata__\":{\"plimsoll.xxh3:b\":\"" + ChecksumText(checksum) +
                                "\"}," + ByteTensorField("a", 0, 8) + "," +
                                ByteTensorField("b", 8, 8) + "}",
                            data);
  };
  const uint64_t right = ChecksumOf(bytes.subspan(8));
  const Weights good = OpenPath(folder_.Write("good.safetensors", file(right)), {.verify = true});
  EXPECT_TRUE(good.Acquire("a").has_value()) << "no checksum, nothing to compare";
  EXPECT_TRUE(good.Acquire("b").has_value());
  const std::string bad_path = folder_.Write("bad.safetensors", file(right ^ 1));
  const Weights unverified = OpenPath(bad_path, {});
  const Tensor b = *unverified.Acquire("b");
  const std::string expected = "/bad.safetensors: tensor 'b': checksum: '" + ChecksumText(right) +
                               "': expected " + ChecksumText(right ^ 1);
  ExpectError(b.Verify(), {expected});
  const Weights verified = OpenPath(bad_path, {.verify = true});
  ExpectError(verified.Acquire("b"), {expected});
  EXPECT_EQ(loader_.Stats().tensors, 1u) << "a refused tensor is not held";
}

TEST_F(LoaderTest, ShardsAreOpenedTogether) {
  folder_.Write("s1.safetensors", SafetensorsBytes("{" + ByteTensorField("a", 0, 4) + "}", "1234"));
  folder_.Write("s2.safetensors", SafetensorsBytes("{" + ByteTensorField("b", 0, 4) + "}", "5678"));
  const std::string index = folder_.Write(
      "m.safetensors.index.json", R"({"weight_map":{"a":"s1.safetensors","b":"s2.safetensors"}})");
  std::optional<Weights> weights(OpenPath(index, {}));
  EXPECT_EQ(loader_.Stats().files, 2u);
  EXPECT_EQ(static_cast<char>(weights->Acquire("b")->Bytes()->front()), '5');
  EXPECT_TRUE(OpenPath(index, {}).report().cached);
  // A shard that was replaced makes the cached model stale, though the index is the same.
  folder_.Write("new", SafetensorsBytes("{" + ByteTensorField("b", 0, 4) + "}", "abcd"));
  std::filesystem::rename(folder_.Path("new"), folder_.Path("s2.safetensors"));
  const Weights fresh = OpenPath(index, {});
  EXPECT_FALSE(fresh.report().cached);
  EXPECT_EQ(static_cast<char>(fresh.Acquire("b")->Bytes()->front()), 'a');
  EXPECT_EQ(loader_.Stats().files, 3u) << "the shard that is the same is shared";
  weights.reset();
  EXPECT_EQ(loader_.Stats().files, 2u);

  folder_.Write("bad.safetensors.index.json", R"({"weight_map":{"a":"s3.safetensors"}})");
  ExpectError(loader_.Open(folder_.Path("bad.safetensors.index.json")),
              {"/bad.safetensors.index.json: weight_map 'a': 's3.safetensors'",
               "/s3.safetensors: open: No such file"});
  folder_.Write("out.safetensors.index.json", R"({"weight_map":{"a":"../s1.safetensors"}})");
  ExpectError(loader_.Open(folder_.Path("out.safetensors.index.json")),
              {"weight_map 'a': '../s1.safetensors'", "without '..'"});
}

// The file is another one by the time it is opened.
class SwappingOs : public Os {
 public:
  int Open(const char* path, int flags, mode_t mode) override {
    if (!replacement.empty()) std::filesystem::rename(replacement, path);
    replacement.clear();
    return Os::Open(path, flags, mode);
  }
  std::string replacement;
};

TEST_F(LoaderTest, AFileReplacedWhileItIsOpened) {
  SwappingOs os;
  os.replacement = folder_.Write("other", ByteTensors(1, 5));
  Loader loader(os);
  ExpectError(loader.Open(path_), {"/model.safetensors: inode", "was replaced while"});
  EXPECT_TRUE(loader.Open(path_).has_value());
}

TEST_F(LoaderTest, ManyThreadsOpenAndDrop) {
  const Weights held = Open({.mode = Mode::kRead});
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < 100; ++i) {
        const Mode mode = i % 2 == 0 ? Mode::kMmap : Mode::kRead;
        const auto weights = loader_.Open(path_, {.mode = mode});
        ASSERT_TRUE(weights.has_value()) << MessageOf(weights);
        const auto tensor = weights->Acquire((i + t) % kTensors);
        ASSERT_TRUE(tensor.has_value()) << MessageOf(tensor);
        EXPECT_TRUE(Holds(*tensor, (i + t) % kTensors));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(loader_.Stats().files, 1u);
  EXPECT_EQ(loader_.Stats().tensors, 0u);
}

TEST(Loader, OfProcessIsOne) { EXPECT_EQ(&Loader::OfProcess(), &Loader::OfProcess()); }

}  // namespace
}  // namespace plimsoll::weights
