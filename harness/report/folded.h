#ifndef HARNESS_REPORT_FOLDED_H_
#define HARNESS_REPORT_FOLDED_H_

// Leaking and growing stacks in the folded form that flame graph tools read (Brendan
// Gregg's stackcollapse): outermost frame first, parted by ';', a blank, and a count.
// Thread-safe: no state.

#include <string>
#include <vector>

#include "base/error.h"
#include "harness/result.h"

namespace plimsoll {

// One line a site: case name, kind, stack, and its bytes per 1,000 iterations, rounded, at
// least 1 (a descriptor or thread has no bytes: blocks are counted). Nothing without sites.
std::string RenderFolded(const std::vector<CaseResult>& cases);

// Replaces the file, or writes to standard output when `path` is "-".
Status WriteFolded(const std::string& path, const std::vector<CaseResult>& cases);

}  // namespace plimsoll

#endif  // HARNESS_REPORT_FOLDED_H_
