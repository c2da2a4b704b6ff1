#ifndef ALLOCATORS_PLANNER_ARENA_PLANNER_LIFETIMES_FILE_H_
#define ALLOCATORS_PLANNER_ARENA_PLANNER_LIFETIMES_FILE_H_

// Files of buffer lifetimes: read, and written again with an offset in each row. Pure
// functions: thread-safe.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "allocators/planner_arena/planner/plan.h"

namespace plimsoll {

struct LifetimesFile {
  std::vector<Buffer> buffers;
  // By buffer: its row without an offset, as it was read or, for a log of calls, made up.
  std::vector<std::string> rows;
  std::vector<std::string> ids;  // by buffer: as in the file, or else the number of the row
  std::vector<size_t> lines;     // by buffer, from 1
  std::vector<int64_t> offsets;  // by buffer, of a file that has them (else empty)
  std::string header;            // without an offset; may be empty
  char separator = ',';          // between fields
  // By buffer, of an arena's profile (else empty): whether it is freed in the step after
  // its own, whose clock starts again.
  std::vector<bool> carried;
  size_t outlasting = 0;   // rows of an arena's profile left out: they are in no plan
  size_t never_freed = 0;  // blocks of a log of calls that live to its end
};

// Reads any of these; the first line tells which:
//  - comma-separated with a header that names lower, upper and size, and perhaps id,
//    alignment and offset, in any order; other columns are kept, and no two ids are equal. What the
//    arena's ProfileCsv writes is one of these; its blocks that outlive two steps are left out.
//  - three numbers a line without a header: when allocated, when freed, bytes; and perhaps
//    a fourth, the offset.
//  - an RMM replay log with the header Thread,Time,Action,Pointer,Size,Stream, whose clock
//    is the line.
// Ranges are half-open, or with `inclusive` end at `upper`. `path` is for errors, which
// say line, field, value and what is allowed.
Expected<LifetimesFile> ParseLifetimes(const std::string& path, std::string_view text,
                                       bool inclusive);

// The header with ",offset", each row with its offset. REQUIRES: one offset per buffer.
std::string WriteOffsets(const LifetimesFile& file, const std::vector<int64_t>& offsets);

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_PLANNER_LIFETIMES_FILE_H_
