#ifndef ALLOCATORS_WORKSPACE_STATISTICS_H_
#define ALLOCATORS_WORKSPACE_STATISTICS_H_

// What a workspace says of itself, as a plain value, text and JSON. Thread-safe: pure
// functions on values.

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

namespace plimsoll {

// Bytes unless named otherwise.
struct WorkspaceStatistics {
  std::string id;
  uint64_t thread = 0;  // the number of the thread it belongs to
  bool open = false;
  uint64_t depth = 0;  // openings now: entered and borrowed
  uint64_t current_size = 0;
  uint64_t offset = 0;          // where the next array would start
  uint64_t block_size = 0;      // of a circular workspace once it has learned; else 0
  uint64_t device_size = 0;     // mirrored on the device
  uint64_t spilled = 0;         // allocated apart now, because it did not fit
  uint64_t pinned = 0;          // the same in circular mode: beyond the block
  uint64_t outside = 0;         // live std::pmr blocks from while it was switched off
  uint64_t external_count = 0;  // blocks in `spilled`
  uint64_t pinned_count = 0;    // blocks in `pinned`
  uint64_t outside_count = 0;   // blocks in `outside`
  uint64_t this_cycle = 0;      // allocated in the cycle that is open
  uint64_t last_cycle = 0;      // in the cycle that closed last
  uint64_t max_cycle = 0;       // in the largest closed cycle
  uint64_t cycles = 0;          // closed so far
  uint64_t step = 0;            // full laps of cycles since the first cycle
  uint64_t generation = 0;      // scopes entered so far
  uint64_t resizes = 0;         // times it got memory, or other memory
  uint64_t failed_resizes = 0;  // times it asked for memory and got none
  std::string last_failure;     // why; empty when failed_resizes is 0
};

// One line of names with values, zeroes of rare fields left out.
std::string StatisticsText(const WorkspaceStatistics& statistics);

// A table with a heading and one line per workspace.
std::string StatisticsTable(std::span<const WorkspaceStatistics> all);

// Every field; sizes have the unit in the key ("current_size_bytes").
nlohmann::json StatisticsJson(const WorkspaceStatistics& statistics);

}  // namespace plimsoll

#endif  // ALLOCATORS_WORKSPACE_STATISTICS_H_
