#include "harness/ledger/direct_leak_report.h"

#include <charconv>
#include <map>
#include <optional>
#include <utility>

#include "harness/ledger/function_names.h"

namespace plimsoll::ledger {
namespace {

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

// Takes a number, with Valgrind's thousands commas, off the front.
std::optional<uint64_t> TakeNumber(std::string_view* text) {
  uint64_t value = 0;
  size_t i = 0;
  for (; i < text->size() && (((*text)[i] >= '0' && (*text)[i] <= '9') || (*text)[i] == ','); ++i) {
    if ((*text)[i] != ',') value = value * 10 + static_cast<uint64_t>((*text)[i] - '0');
  }
  if (i == 0) return std::nullopt;
  text->remove_prefix(i);
  return value;
}

bool Take(std::string_view* text, std::string_view prefix) {
  if (!StartsWith(*text, prefix)) return false;
  text->remove_prefix(prefix.size());
  return true;
}

// "(+N)": what came since the check before.
std::optional<uint64_t> TakeAdded(std::string_view* text) {
  if (!Take(text, " (+")) return std::nullopt;
  const std::optional<uint64_t> added = TakeNumber(text);
  return Take(text, ")") ? added : std::nullopt;
}

// "64 (+64) bytes in 1 (+1) blocks are definitely lost in loss record 2 of 3", or with
// "(32 (+32) direct, 32 (+32) indirect) " before "bytes". Lines without "(+" are of the
// report at the program's end.
std::optional<DirectLeak> ValgrindHead(std::string_view line) {
  DirectLeak leak;
  if (!TakeNumber(&line)) return std::nullopt;
  std::optional<uint64_t> bytes = TakeAdded(&line);
  if (!bytes) return std::nullopt;
  if (Take(&line, " (")) {
    if (!TakeNumber(&line)) return std::nullopt;
    bytes = TakeAdded(&line);
    const size_t end = line.find(" indirect)");
    if (!bytes || end == std::string_view::npos) return std::nullopt;
    line.remove_prefix(end + std::string_view(" indirect)").size());
  }
  if (!Take(&line, " bytes in ") || !TakeNumber(&line)) return std::nullopt;
  const std::optional<uint64_t> blocks = TakeAdded(&line);
  if (!blocks || !Take(&line, " blocks are definitely lost")) return std::nullopt;
  leak.bytes = *bytes;
  leak.blocks = *blocks;
  return leak;
}

// "Direct leak of 64 byte(s) in 1 object(s) allocated from:"
std::optional<DirectLeak> SanitizerHead(std::string_view line) {
  DirectLeak leak;
  if (!Take(&line, "Direct leak of ")) return std::nullopt;
  const std::optional<uint64_t> bytes = TakeNumber(&line);
  if (!bytes || !Take(&line, " byte(s) in ")) return std::nullopt;
  const std::optional<uint64_t> blocks = TakeNumber(&line);
  if (!blocks) return std::nullopt;
  leak.bytes = *bytes;
  leak.blocks = *blocks;
  return leak;
}

std::string FrameOf(std::string_view function, std::string_view place) {
  Take(&function, "__interceptor_");
  const std::string name = ShortFunction(function);
  if (IsAllocationMachinery(name)) return "";
  return name + " (" + ShortFile(place, "") + ")";
}

// "#1 0x55cb33704233 in LeakHere() /tmp/a.cc:5:3" or "... in LeakHere (libfoo.so+0x12)".
std::optional<std::string> SanitizerFrame(std::string_view line) {
  if (!Take(&line, "#") || !TakeNumber(&line)) return std::nullopt;
  const size_t in = line.find(" in ");
  if (in == std::string_view::npos) {
    const size_t place = line.find('(');
    return std::string(place == std::string_view::npos ? "??" : line.substr(place));
  }
  line.remove_prefix(in + 4);
  const size_t build_id = line.find(" (BuildId:");
  line = line.substr(0, build_id);
  const size_t place = line.rfind(line.ends_with(')') ? " (" : " /");
  if (place == std::string_view::npos) {
    const size_t space = line.rfind(' ');
    if (space == std::string_view::npos) return FrameOf(line, "??");
    return FrameOf(line.substr(0, space), line.substr(space + 1));
  }
  std::string_view where = line.substr(place + 1);
  if (Take(&where, "(")) where.remove_suffix(1);
  // Without the column.
  const size_t colon = where.find(':');
  if (colon != std::string_view::npos) where = where.substr(0, where.find(':', colon + 1));
  return FrameOf(line.substr(0, place), where);
}

// "at 0x48417B4: malloc (in /usr/lib/x.so)" or "by 0x109183: LeakHere(int) (dl.cc:5)".
std::optional<std::string> ValgrindFrame(std::string_view line) {
  if (!Take(&line, "at 0x") && !Take(&line, "by 0x")) return std::nullopt;
  const size_t name = line.find(": ");
  const size_t place = line.rfind(" (");
  if (name == std::string_view::npos || place == std::string_view::npos || place < name + 2) {
    return "??";
  }
  std::string_view where = line.substr(place + 2);
  if (where.ends_with(')')) where.remove_suffix(1);
  Take(&where, "in ");
  return FrameOf(line.substr(name + 2, place - name - 2), where);
}

// Without "==123== " or "**123** ", and without blanks around.
std::string_view Content(std::string_view line) {
  if (StartsWith(line, "==") || StartsWith(line, "**")) {
    const size_t end = line.find(line.substr(0, 2), 2);
    line = end == std::string_view::npos ? line : line.substr(end + 2);
  }
  while (StartsWith(line, " ")) line.remove_prefix(1);
  while (line.ends_with(' ') || line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::string Joined(const std::vector<std::string>& stack) {
  std::string text;
  for (const std::string& frame : stack) text += frame + "\n";
  return text;
}

class Parser {
 public:
  void Line(std::string_view raw) {
    std::string_view line = Content(raw);
    if (Take(&line, "plimsoll: iteration ")) {
      Finish();
      iteration_ = static_cast<uint32_t>(TakeNumber(&line).value_or(0));
      return;
    }
    if (auto head = SanitizerHead(line)) return Begin(std::move(*head), /*is_sum=*/true);
    if (auto head = ValgrindHead(line)) return Begin(std::move(*head), /*is_sum=*/false);
    if (!current_) return;
    auto frame = is_sum_ ? SanitizerFrame(line) : ValgrindFrame(line);
    if (!frame) return Finish();
    if (!frame->empty()) current_->stack.push_back(std::move(*frame));
  }
  // A stack that has not ended yet would pass for another one.
  std::vector<DirectLeak> Done() { return std::move(leaks_); }

 private:
  void Begin(DirectLeak leak, bool is_sum) {
    Finish();
    leak.iteration = iteration_;
    current_ = std::move(leak);
    is_sum_ = is_sum;
  }
  void Finish() {
    if (!current_) return;
    DirectLeak leak = std::move(*current_);
    current_.reset();
    // At the program's end: no iteration's. LeakSanitizer counts from the start.
    if (iteration_ == 0) return;
    if (is_sum_) {
      auto& [bytes, blocks] = seen_[Joined(leak.stack)];
      const auto before = std::exchange(bytes, std::max(bytes, leak.bytes));
      const auto blocks_before = std::exchange(blocks, std::max(blocks, leak.blocks));
      leak.bytes -= std::min(before, leak.bytes);
      leak.blocks -= std::min(blocks_before, leak.blocks);
    }
    if (leak.blocks != 0) leaks_.push_back(std::move(leak));
  }

  uint32_t iteration_ = 0;
  std::optional<DirectLeak> current_;
  bool is_sum_ = false;
  std::map<std::string, std::pair<uint64_t, uint64_t>> seen_;
  std::vector<DirectLeak> leaks_;
};

}  // namespace

std::vector<DirectLeak> ParseDirectLeaks(std::string_view report) {
  Parser parser;
  while (!report.empty()) {
    const size_t end = report.find('\n');
    // A line that is still being written is not a line yet.
    if (end == std::string_view::npos) break;
    parser.Line(report.substr(0, end));
    report.remove_prefix(end + 1);
  }
  return parser.Done();
}

}  // namespace plimsoll::ledger
