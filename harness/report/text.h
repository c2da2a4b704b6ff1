#ifndef HARNESS_REPORT_TEXT_H_
#define HARNESS_REPORT_TEXT_H_

// Text that came from programs under test, made fit to print: names, reasons, stacks and
// output may hold anything. Thread-safe: pure functions.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace plimsoll {

// Valid UTF-8 without control characters: bytes that are none become U+FFFD, tabs a
// space, other controls '?'. Newlines stay only where `keep_newlines` says so.
std::string Printable(std::string_view text, bool keep_newlines = false);

// Columns on a terminal, taking every code point for one.
size_t DisplayWidth(std::string_view text);

// `text` cut to `width` columns, the last of them "~" where something was cut.
std::string Cut(std::string_view text, size_t width);

// Lines of at most `width` columns, broken after the last of `breaks` that fits, or
// anywhere when none does. Blanks at a break are dropped. At least one line.
std::vector<std::string> Wrap(std::string_view text, size_t width, std::string_view breaks);

// "1 block", "3 blocks".
std::string Plural(double count, std::string_view noun);

}  // namespace plimsoll

#endif  // HARNESS_REPORT_TEXT_H_
