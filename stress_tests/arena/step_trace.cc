#include "stress_tests/arena/step_trace.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "allocators/planner_arena/planner/instances.h"
#include "base/file.h"

namespace plimsoll {
namespace {

constexpr uint64_t kTensorAlignment = 64;

// The clock of a step with carried blocks: they are freed after as many ticks of the next.
int64_t TicksOf(const LifetimesFile& file) {
  int64_t ticks = 0;
  for (size_t i = 0; i < file.buffers.size(); ++i) {
    const bool carried = !file.carried.empty() && file.carried[i];
    ticks = std::max({ticks, file.buffers[i].lower + 1, carried ? 0 : file.buffers[i].upper + 1});
  }
  return ticks;
}

}  // namespace

StepTrace TraceOf(const LifetimesFile& file) {
  struct Event {
    int64_t time;
    bool allocates;
    uint32_t block;
    auto Key() const { return std::tuple(time, allocates, block); }
  };
  const int64_t ticks = TicksOf(file);
  StepTrace trace;
  std::vector<Event> events;
  for (uint32_t i = 0; i < file.buffers.size(); ++i) {
    const Buffer& buffer = file.buffers[i];
    trace.blocks.push_back({std::max<uint64_t>(static_cast<uint64_t>(buffer.size), 1),
                            std::max(static_cast<uint64_t>(buffer.alignment), kTensorAlignment)});
    events.push_back({buffer.lower, true, i});
    const bool carried = !file.carried.empty() && file.carried[i];
    // A block cannot be freed twice in a step: what lives longer is freed before its place
    // is allocated again.
    const int64_t freed =
        carried ? std::clamp<int64_t>(buffer.upper - ticks, 0, buffer.lower) : buffer.upper;
    events.push_back({freed, false, i});
  }
  std::sort(events.begin(), events.end(),
            [](const Event& a, const Event& b) { return a.Key() < b.Key(); });
  for (const Event& event : events) trace.calls.push_back({event.block, !event.allocates});
  return trace;
}

Expected<StepTrace> ReadStepTrace(const std::string& path) {
  const Expected<std::string> text = ReadFile(path);
  if (!text) return tl::unexpected(text.error());
  const Expected<LifetimesFile> file = ParseLifetimes(path, *text, /*inclusive=*/false);
  if (!file) return tl::unexpected(file.error());
  return TraceOf(*file);
}

StepTrace SyntheticStep(int32_t blocks, uint64_t seed) {
  LifetimesFile file;
  file.buffers = TraceLike(blocks, seed);
  return TraceOf(file);
}

StepTrace Scaled(const StepTrace& trace, double factor) {
  StepTrace scaled = trace;
  for (size_t i = 0; i < scaled.blocks.size(); ++i) {
    if (i % 10 == 9) continue;
    const double bytes = static_cast<double>(trace.blocks[i].bytes) * factor;
    scaled.blocks[i].bytes = std::max<uint64_t>(static_cast<uint64_t>(std::llround(bytes)), 1);
  }
  return scaled;
}

uint64_t PeakLive(const StepTrace& trace) {
  std::vector<bool> live(trace.blocks.size(), false);
  uint64_t bytes = 0;
  uint64_t peak = 0;
  // Twice: the second step begins with what the first one carries.
  for (int step = 0; step < 2; ++step) {
    for (const StepTrace::Call& call : trace.calls) {
      if (call.frees != live[call.block]) continue;
      bytes = call.frees ? bytes - trace.blocks[call.block].bytes
                         : bytes + trace.blocks[call.block].bytes;
      live[call.block] = !call.frees;
      peak = std::max(peak, bytes);
    }
  }
  return peak;
}

}  // namespace plimsoll
