// What the weight loader costs: opening, hitting the cache, a tensor's round trip, and
// reading a gibibyte, by mode.

#include <benchmark/benchmark.h>
#include <simdjson.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "allocators/mmap_loader/loader.h"
#include "stress_tests/loader/big_files.h"

namespace plimsoll {
namespace {

using weights::Loader;
using weights::LoadOptions;
using weights::Mode;
using weights::Prefetch;

const std::string& ManyTensors(int64_t tensors) {
  static const BigFolder folder;
  static std::string path;
  path = folder.Path(std::to_string(tensors) + ".safetensors");
  if (!WriteBigFile(path, static_cast<uint64_t>(tensors), 64)) std::abort();
  return path;
}

// 256 tensors of 4 MiB.
const std::string& Gibibyte() {
  static const BigFolder folder;
  static const std::string path =
      WriteBigFile(folder.Path("gibibyte.safetensors"), 256, uint64_t{4} << 20).value();
  return path;
}

void BM_Open(benchmark::State& state) {
  const std::string path = ManyTensors(state.range(0));
  for (auto _ : state) {
    Loader loader;
    benchmark::DoNotOptimize(loader.Open(path, {.mode = Mode::kMmap}));
  }
}
BENCHMARK(BM_Open)->Arg(100)->Arg(1000)->Arg(10'000)->Unit(benchmark::kMicrosecond);

void BM_ParseHeaderByNlohmann(benchmark::State& state) {
  const std::string header = HeaderOf(ManyTensors(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(nlohmann::json::parse(header));
}
BENCHMARK(BM_ParseHeaderByNlohmann)->Arg(10'000)->Unit(benchmark::kMicrosecond);

void BM_ParseHeaderBySimdjson(benchmark::State& state) {
  const simdjson::padded_string header(HeaderOf(ManyTensors(state.range(0))));
  simdjson::dom::parser parser;
  for (auto _ : state) benchmark::DoNotOptimize(parser.parse(header).error());
}
BENCHMARK(BM_ParseHeaderBySimdjson)->Arg(10'000)->Unit(benchmark::kMicrosecond);

void BM_OpenAgain(benchmark::State& state) {
  Loader loader;
  const auto held = loader.Open(Gibibyte(), {.mode = Mode::kMmap});
  for (auto _ : state) {
    benchmark::DoNotOptimize(loader.Open(Gibibyte(), {.mode = Mode::kMmap}));
  }
}
BENCHMARK(BM_OpenAgain);

// Acquire, touch every page, drop: 4 MiB.
void BM_TensorRoundTrip(benchmark::State& state) {
  Loader loader;
  const auto open = loader.Open(Gibibyte(), {.mode = static_cast<Mode>(state.range(0))});
  size_t index = 0;
  for (auto _ : state) {
    const auto tensor = open->Acquire(index++ % 256);
    const auto bytes = *tensor->Bytes();
    for (size_t i = 0; i < bytes.size(); i += 4096) benchmark::DoNotOptimize(bytes[i]);
  }
  state.SetBytesProcessed(state.iterations() * (int64_t{4} << 20));
  state.SetLabel(weights::ModeName(open->report().mode));
}
BENCHMARK(BM_TensorRoundTrip)
    ->Arg(static_cast<int64_t>(Mode::kMmap))
    ->Arg(static_cast<int64_t>(Mode::kRead))
    ->Arg(static_cast<int64_t>(Mode::kDirect))
    ->Unit(benchmark::kMicrosecond);

void BM_ReadGibibyte(benchmark::State& state) {
  const LoadOptions options{.mode = Mode::kRead,
                            .prefetch = Prefetch::kPopulate,
                            .huge_pages = state.range(1) != 0,
                            .read_threads = static_cast<unsigned>(state.range(0))};
  for (auto _ : state) {
    Loader loader;
    benchmark::DoNotOptimize(loader.Open(Gibibyte(), options));
  }
  state.SetBytesProcessed(state.iterations() * (int64_t{1} << 30));
}
BENCHMARK(BM_ReadGibibyte)
    ->ArgNames({"threads", "huge_pages"})
    ->ArgsProduct({{1, 2, 4}, {0, 1}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace plimsoll
