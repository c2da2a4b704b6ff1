#include "harness/probe/proc_text.h"

namespace plimsoll {
namespace {

struct Field {
  std::string_view name;
  Count ProcessCounters::*counter;
  uint64_t unit;
};

constexpr Field kStatusFields[] = {
    {"VmPeak:", &ProcessCounters::vm_peak_bytes, 1024},
    {"VmSize:", &ProcessCounters::vm_size_bytes, 1024},
    {"VmHWM:", &ProcessCounters::hwm_bytes, 1024},
    {"VmRSS:", &ProcessCounters::rss_bytes, 1024},
    {"RssAnon:", &ProcessCounters::rss_anon_bytes, 1024},
    {"RssFile:", &ProcessCounters::rss_file_bytes, 1024},
    {"RssShmem:", &ProcessCounters::rss_shmem_bytes, 1024},
    {"VmSwap:", &ProcessCounters::swap_bytes, 1024},
    {"Threads:", &ProcessCounters::threads, 1},
};

constexpr Field kRollupFields[] = {
    {"Pss:", &ProcessCounters::pss_bytes, 1024},
    {"Private_Dirty:", &ProcessCounters::private_dirty_bytes, 1024},
};

void SkipBlanks(std::string_view& text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
}

template <size_t kSize>
void EnterLine(const Field (&fields)[kSize], std::string_view line, ProcessCounters& counters) {
  if (line.empty()) return;
  const char first = line.front();
  for (const Field& field : fields) {
    // Most lines are ruled out here, which halves the cost of a sample.
    if (field.name.front() != first || !line.starts_with(field.name)) continue;
    line.remove_prefix(field.name.size());
    SkipBlanks(line);
    if (const std::optional<uint64_t> number = TakeNumber(line)) {
      counters.*field.counter = *number * field.unit;
    }
    return;
  }
}

}  // namespace

std::optional<uint64_t> TakeNumber(std::string_view& text) {
  uint64_t number = 0;
  size_t digits = 0;
  for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; ++digits) {
    const uint64_t digit = static_cast<uint64_t>(text[digits] - '0');
    if (number > (UINT64_MAX - digit) / 10) return std::nullopt;
    number = number * 10 + digit;
  }
  if (digits == 0) return std::nullopt;
  text.remove_prefix(digits);
  return number;
}

void EnterStatusLine(std::string_view line, ProcessCounters& counters) {
  EnterLine(kStatusFields, line, counters);
}

void EnterRollupLine(std::string_view line, ProcessCounters& counters) {
  EnterLine(kRollupFields, line, counters);
}

void EnterStat(std::string_view text, ProcessCounters& counters) {
  const size_t command_end = text.rfind(')');
  if (command_end == std::string_view::npos) return;
  text.remove_prefix(command_end + 1);
  for (int field = 3; field <= 12; ++field) {
    SkipBlanks(text);
    if (field == 10 || field == 12) {
      const std::optional<uint64_t> number = TakeNumber(text);
      if (!number) return;
      (field == 10 ? counters.minor_faults : counters.major_faults) = *number;
    }
    while (!text.empty() && text.front() != ' ') text.remove_prefix(1);
  }
}

}  // namespace plimsoll
