#ifndef HARNESS_REPORT_TERMINAL_H_
#define HARNESS_REPORT_TERMINAL_H_

// Whether, and how wide, a descriptor is a terminal; and output that may be standard
// output or a file. Thread-safe.

#include <string>
#include <string_view>

#include "base/error.h"

namespace plimsoll {

// True on a terminal. NO_COLOR (any value but the empty one) and TERM=dumb do not change it.
bool IsTerminal(int descriptor);

// Whether to print colours there: a terminal, NO_COLOR unset or empty, TERM not "dumb".
bool WantsColor(int descriptor);

// Columns of the terminal, between 100 and 140; 120 when it is none.
int TerminalWidth(int descriptor);

// Writes `text` to standard output when `path` is "-", else replaces the file `path`
// (see WriteFile).
Status WriteOutput(const std::string& path, std::string_view text);

}  // namespace plimsoll

#endif  // HARNESS_REPORT_TERMINAL_H_
