#include "harness/report/text.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>

namespace plimsoll {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// Bytes of the UTF-8 sequence at the front of `text`; 0 when it is not one (overlong
// forms, surrogates and values above U+10FFFF are not).
size_t SequenceLength(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  uint32_t value = first & (0x7Fu >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
    value = value << 6 | (byte(i) & 0x3F);
  }
  if (length == 3 && (value < 0x800 || (value >= 0xD800 && value < 0xE000))) return 0;
  if (length == 4 && (value < 0x10000 || value > 0x10FFFF)) return 0;
  return length;
}

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// Bytes that the first `columns` columns of `text` take.
size_t BytesOf(std::string_view text, size_t columns) {
  size_t at = 0;
  for (; at < text.size(); ++at) {
    if (IsContinuation(text[at])) continue;
    if (columns == 0) break;
    --columns;
  }
  return at;
}

}  // namespace

std::string Printable(std::string_view text, bool keep_newlines) {
  std::string printable;
  printable.reserve(text.size());
  while (!text.empty()) {
    const size_t length = SequenceLength(text);
    if (length == 0) {
      printable += kReplacement;
    } else if (length == 1) {
      const char c = text.front();
      const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
      printable += !control || (c == '\n' && keep_newlines) ? c : c == '\t' ? ' ' : '?';
    } else if (length == 2 && text.substr(0, 2) >= "\xC2\x80" && text.substr(0, 2) <= "\xC2\x9F") {
      printable += '?';  // controls again: U+009B starts a terminal's escapes
    } else {
      printable += text.substr(0, length);
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return printable;
}

size_t DisplayWidth(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !IsContinuation(c); }));
}

std::string Cut(std::string_view text, size_t width) {
  if (DisplayWidth(text) <= width) return std::string(text);
  if (width == 0) return "";
  return std::string(text.substr(0, BytesOf(text, width - 1))) + "~";
}

std::vector<std::string> Wrap(std::string_view text, size_t width, std::string_view breaks) {
  width = std::max<size_t>(width, 1);
  std::vector<std::string> lines;
  while (DisplayWidth(text) > width) {
    const size_t fits = BytesOf(text, width);
    // A blank just past the edge is a good place as well.
    size_t end = text[fits] == ' ' ? fits : text.substr(0, fits).find_last_of(breaks);
    end = end == std::string_view::npos ? fits : end == fits ? fits : end + 1;
    std::string_view line = text.substr(0, end);
    while (!line.empty() && line.back() == ' ') line.remove_suffix(1);
    lines.emplace_back(line);
    text.remove_prefix(end);
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  }
  if (!text.empty() || lines.empty()) lines.emplace_back(text);
  return lines;
}

std::string Plural(double count, std::string_view noun) {
  char number[32];
  std::snprintf(number, sizeof(number), count == std::floor(count) ? "%.0f" : "%.3g", count);
  return std::string(number) + " " + std::string(noun) + (count == 1 ? "" : "s");
}

}  // namespace plimsoll
