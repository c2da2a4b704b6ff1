// What a program does with the weight loader again and again must leave nothing behind: not
// a byte, a mapping, a descriptor or a thread. planted_defects_test.cc shows that the same
// loops are caught when they do.

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "allocators/mmap_loader/loader.h"
#include "allocators/mmap_loader/test_files.h"
#include "allocators/mmap_loader/write/safetensors_writer.h"
#include "harness/leak_test.h"

namespace plimsoll {
namespace {

using weights::LoadOptions;
using weights::Mode;
using weights::Prefetch;

constexpr size_t kTensors = 8;
constexpr size_t kTensorBytes = 64 << 10;

// Stops the case when the loader refuses.
template <typename Result>
auto Must(Result result) {
  EXPECT_TRUE(result.has_value()) << weights::MessageOf(result);
  if (!result.has_value()) std::abort();
  return std::move(*result);
}

// Reads every byte, as a runtime would.
unsigned SumOf(const weights::Tensor& tensor) {
  unsigned sum = 0;
  const auto bytes = tensor.Bytes();
  EXPECT_TRUE(bytes.has_value()) << weights::MessageOf(bytes);
  for (const std::byte byte : *bytes) sum += std::to_integer<unsigned>(byte);
  return sum;
}

class WeightLoop : public testing::Test {
 protected:
  void LoadUseUnload(const LoadOptions& options) {
    const weights::Weights open = Must(loader_.Open(path_, options));
    for (size_t i = 0; i < kTensors; ++i) ASSERT_NE(SumOf(Must(open.Acquire(i))), 0u);
  }

  const weights::TestFolder folder_;
  const std::string path_ =
      folder_.Write("m.safetensors", weights::ByteTensors(kTensors, kTensorBytes));
  weights::Loader loader_;
};

LEAK_TEST_F(WeightLoop, MapAndUnmap) { LoadUseUnload({.mode = Mode::kMmap}); }
LEAK_TEST_F(WeightLoop, MapPrivate) { LoadUseUnload({.mode = Mode::kPrivate}); }
LEAK_TEST_F(WeightLoop, Read) { LoadUseUnload({.mode = Mode::kRead}); }
LEAK_TEST_F(WeightLoop, ReadDirect) { LoadUseUnload({.mode = Mode::kDirect}); }
LEAK_TEST_F(WeightLoop, MapWithGuard) { LoadUseUnload({.mode = Mode::kMmap, .guard = true}); }
LEAK_TEST_F(WeightLoop, PrefetchOnAThread) {
  LoadUseUnload({.mode = Mode::kRead, .prefetch = Prefetch::kBackground});
}

// Tensors go one by one while the file stays.
LEAK_TEST_F(WeightLoop, DropTensorByTensor) {
  const weights::Weights open =
      Must(loader_.Open(path_, {.mode = Mode::kMmap, .prefetch = Prefetch::kPopulate}));
  std::vector<weights::Tensor> tensors;
  for (size_t i = 0; i < kTensors; ++i) tensors.push_back(Must(open.Acquire(i)));
  for (weights::Tensor& tensor : tensors) {
    ASSERT_NE(SumOf(tensor), 0u);
    tensor.Drop();
  }
  open.ReleaseUnused();
  ASSERT_EQ(loader_.Stats().resident_bytes, 0u);
}

// A request that cannot be met leaves no more than one that can.
LEAK_TEST_F(WeightLoop, Refusals) {
  ASSERT_FALSE(loader_.Open(folder_.Path("absent")).has_value());
  const weights::Weights open = Must(loader_.Open(path_, {.mode = Mode::kMmap}));
  ASSERT_FALSE(open.Acquire("absent").has_value());
  const LoadOptions locked{
      .mode = Mode::kMmap, .lock = weights::Lock::kRequire, .lock_limit_bytes = 1};
  ASSERT_FALSE(Must(loader_.Open(path_, locked)).Acquire(0).has_value());
}

class ShardedWeightLoop : public WeightLoop {
 protected:
  void SetUp() override {
    const weights::Weights whole = Must(loader_.Open(path_));
    index_ = Must(WriteSafetensors(weights::Os::Real(), folder_.Path("s.safetensors"),
                                   TensorsOf(whole), {.shard_bytes = 2 * kTensorBytes}));
  }

  std::string index_;
};

LEAK_TEST_F(ShardedWeightLoop, Reload) {
  const weights::Weights open = Must(loader_.Open(index_, {.mode = Mode::kMmap}));
  ASSERT_EQ(loader_.Stats().files, kTensors / 2);
  for (size_t i = 0; i < kTensors; ++i) ASSERT_NE(SumOf(Must(open.Acquire(i))), 0u);
}

// The file is open throughout: every load of the iteration finds it.
class SharedWeightLoop : public WeightLoop {
 protected:
  void SetUp() override { held_.emplace(Must(loader_.Open(path_, {.mode = Mode::kMmap}))); }

  std::optional<weights::Weights> held_;
};

LEAK_TEST_F(SharedWeightLoop, CacheHits) {
  for (int i = 0; i < 4; ++i) {
    const weights::Weights again = Must(loader_.Open(path_, {.mode = Mode::kMmap}));
    ASSERT_TRUE(again.report().cached);
    ASSERT_NE(SumOf(Must(again.Acquire(static_cast<size_t>(i)))), 0u);
  }
  ASSERT_EQ(loader_.Stats().files, 1u);
}

}  // namespace
}  // namespace plimsoll
