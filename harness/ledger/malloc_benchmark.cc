// What malloc and free cost. Knows nothing of the ledger: ledger_cost runs it with and
// without, and beside heaptrack.

#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace {

// One block, over and over.
void Pair(benchmark::State& state) {
  for (auto _ : state) {
    void* block = malloc(64);
    benchmark::DoNotOptimize(block);
    free(block);
  }
}
BENCHMARK(Pair)->ThreadRange(1, 8)->UseRealTime();

// A thousand live blocks of 16 to 527 bytes, replaced at random.
void Replace(benchmark::State& state) {
  std::vector<void*> blocks(1000);
  uint32_t random = static_cast<uint32_t>(state.thread_index()) + 1;
  for (auto _ : state) {
    random = random * 1664525 + 1013904223;
    void*& block = blocks[(random >> 8) % blocks.size()];
    free(block);
    block = malloc(16 + (random >> 20) % 512);
    benchmark::DoNotOptimize(block);
  }
  for (void* block : blocks) free(block);
}
BENCHMARK(Replace)->ThreadRange(1, 8)->UseRealTime();

__attribute__((noinline)) void PairsBelow(benchmark::State& state, int frames) {
  if (frames > 0) {
    PairsBelow(state, frames - 1);
  } else {
    Pair(state);
  }
  __asm__ volatile("");
}

// Twenty frames further down: what a stack costs grows with its depth.
void PairTwentyFramesDown(benchmark::State& state) { PairsBelow(state, 20); }
BENCHMARK(PairTwentyFramesDown)->UseRealTime();

}  // namespace
