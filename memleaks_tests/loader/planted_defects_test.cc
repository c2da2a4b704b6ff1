// Defects that weight loaders have had, planted below and beside ours: each must be caught
// by its kind, at its site. The loops without them are in clean_loops_test.cc.

#include <gtest/gtest.h>
#include <unistd.h>

#include <deque>
#include <filesystem>
#include <map>
#include <string>
#include <utility>

#include "allocators/mmap_loader/loader.h"
#include "allocators/mmap_loader/os.h"
#include "allocators/mmap_loader/test_files.h"
#include "harness/leak_test.h"

namespace plimsoll {
namespace {

using weights::Mode;
using weights::PageSize;

constexpr size_t kTensors = 4;
constexpr size_t kTensorBytes = 16 << 10;

template <typename Result>
auto Must(Result result) {
  EXPECT_TRUE(result.has_value()) << weights::MessageOf(result);
  if (!result.has_value()) std::abort();
  return std::move(*result);
}

LeakTestOptions Caught(ResourceKind kind, const char* function) {
  return LeakTestOptions().ExpectLeak(kind, function);
}

class PlantedInLoader : public testing::Test {
 protected:
  std::string Model() const { return weights::ByteTensors(kTensors, kTensorBytes); }

  const weights::TestFolder folder_;
  const std::string path_ = folder_.Write("m.safetensors", Model());
};

// A loader that believes it has unmapped (openvino #30061: the file stays locked).
class KeepsMappings : public weights::Os {
 public:
  int Munmap(void*, size_t) override { return 0; }
};

class MappingKept : public PlantedInLoader {
 protected:
  KeepsMappings os_;
  weights::Loader loader_{os_};
};

LEAK_TEST_F_WITH(MappingKept, IsCaught, Caught(ResourceKind::kMapping, "Mapping::Map")) {
  Must(Must(loader_.Open(path_, {.mode = Mode::kMmap})).Acquire("t1"));
}

// A load that fails forgets to close (PyTorch's path of a failed mapping).
class KeepsDescriptors : public weights::Os {
 public:
  int Close(int) override { return 0; }
};

class DescriptorKept : public PlantedInLoader {
 protected:
  KeepsDescriptors os_;
  weights::Loader loader_{os_};
};

LEAK_TEST_F_WITH(DescriptorKept, IsCaught, Caught(ResourceKind::kDescriptor, "File::Open")) {
  Must(Must(loader_.Open(path_, {.mode = Mode::kMmap})).Acquire("t1"));
}

// A cache of the program's own, whose key holds what differs at each load.
class NeverMatchingCache {
 public:
  const weights::Weights& LoadModelOnce(const std::string& path) {
    const std::pair<std::string, uint64_t> key(path, loads_++);
    auto found = models_.find(key);
    if (found == models_.end()) {
      // Weights of its own for each entry, as the cache is there to share them.
      found = models_.emplace(key, Must(loader_.Open(path, {.mode = Mode::kPrivate}))).first;
    }
    return found->second;
  }

 private:
  uint64_t loads_ = 0;
  weights::Loader loader_;
  std::map<std::pair<std::string, uint64_t>, weights::Weights> models_;
};

class CacheKey : public PlantedInLoader {
 protected:
  NeverMatchingCache cache_;
};

LEAK_TEST_F_WITH(CacheKey, ThatNeverMatchesIsCaughtAsMappings,
                 Caught(ResourceKind::kMapping, "NeverMatchingCache::LoadModelOnce")) {
  Must(cache_.LoadModelOnce(path_).Acquire("t2"));
}

LEAK_TEST_F_WITH(CacheKey, ThatNeverMatchesIsCaughtAsDescriptors,
                 Caught(ResourceKind::kDescriptor, "NeverMatchingCache::LoadModelOnce")) {
  Must(cache_.LoadModelOnce(path_).Acquire("t2"));
}

LEAK_TEST_F_WITH(CacheKey, ThatNeverMatchesIsCaughtAsHeap,
                 Caught(ResourceKind::kHeap, "NeverMatchingCache::LoadModelOnce")) {
  Must(cache_.LoadModelOnce(path_).Acquire("t2"));
}

// One small tensor of each version of a model is kept, and with it the whole file
// (transformers #34366).
class PinnedByOneTensor : public PlantedInLoader {
 protected:
  void LoadVersionAndKeepOne() {
    folder_.Write("new", Model());
    std::filesystem::rename(folder_.Path("new"), path_);
    const weights::Weights open =
        Must(loader_.Open(path_, {.mode = Mode::kRead, .prefetch = weights::Prefetch::kPopulate}));
    kept_.push_back(Must(open.Acquire("t0")));
  }

  weights::Loader loader_;
  std::deque<weights::Tensor> kept_;
};

LEAK_TEST_F_WITH(PinnedByOneTensor, IsCaught,
                 Caught(ResourceKind::kMapping, "PinnedByOneTensor::LoadVersionAndKeepOne")) {
  LoadVersionAndKeepOne();
}

// What the ledger sees as one mapping is, in pages, one tensor when the others are given
// back, and the whole file when they are not.
TEST(PinnedPages, GoBackButForTheTensorThatIsKept) {
  const weights::TestFolder folder;
  const std::string path =
      folder.Write("m.safetensors", weights::ByteTensors(kTensors, kTensorBytes));
  for (const bool planted : {false, true}) {
    weights::Loader loader;
    weights::Tensor kept = [&] {
      const weights::LoadOptions options{
          .mode = Mode::kRead,
          .on_drop = planted ? weights::OnDrop::kKeep : weights::OnDrop::kReturn};
      const weights::Weights open = Must(loader.Open(path, options));
      for (size_t i = 1; i < kTensors; ++i) Must(open.Acquire(i));
      return Must(open.Acquire("t0"));
    }();
    const uint64_t resident = loader.Stats().resident_bytes.value();
    if (planted) {
      EXPECT_GE(resident, kTensors * kTensorBytes);
    } else {
      EXPECT_LE(resident, kTensorBytes + 2 * PageSize());
    }
  }
}

}  // namespace
}  // namespace plimsoll
