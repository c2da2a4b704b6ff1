#include "harness/gate/lines.h"

#include <charconv>
#include <cmath>
#include <cstdio>

#include "base/units.h"

namespace plimsoll {
namespace {

constexpr std::string_view kRateSuffix = "/iter";

enum class Unit : uint8_t { kBytes, kBytesPerIteration, kPerIteration, kCount };

Unit UnitOf(std::string_view metric) {
  if (metric.ends_with("bytes_per_iteration")) return Unit::kBytesPerIteration;
  if (metric.ends_with("_per_iteration")) return Unit::kPerIteration;
  if (metric.ends_with("_bytes")) return Unit::kBytes;
  return Unit::kCount;
}

std::string_view ExpectedText(Unit unit) {
  switch (unit) {
    case Unit::kBytes:
      return "expected a size, such as '450 MiB'";
    case Unit::kBytesPerIteration:
      return "expected a size per iteration, such as '0 B/iter'";
    case Unit::kPerIteration:
      return "expected a number per iteration, such as '100/iter'";
    case Unit::kCount:
      return "expected a whole number, such as '0'";
  }
  return "";
}

// A finite number of 0 or more at the front of `text`, which moves past it.
std::optional<double> TakeNumber(std::string_view& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || !std::isfinite(number) || std::signbit(number)) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return number;
}

std::optional<double> ParseLimit(Unit unit, std::string_view text) {
  const bool rate = unit == Unit::kBytesPerIteration || unit == Unit::kPerIteration;
  if (rate) {
    if (!text.ends_with(kRateSuffix)) return std::nullopt;
    text.remove_suffix(kRateSuffix.size());
  }
  if (unit == Unit::kBytes) {
    const Expected<uint64_t> bytes = ParseBytes(text);
    return bytes ? std::optional<double>(static_cast<double>(*bytes)) : std::nullopt;
  }
  const std::optional<double> number = TakeNumber(text);
  if (!number) return std::nullopt;
  switch (unit) {
    case Unit::kBytesPerIteration: {
      // Unlike a size, a rate may be a fraction of a byte.
      if (text.empty()) return std::nullopt;
      const Expected<uint64_t> factor = ParseBytes("1" + std::string(text));
      return factor ? std::optional<double>(*number * static_cast<double>(*factor)) : std::nullopt;
    }
    case Unit::kPerIteration:
      return text.empty() ? number : std::nullopt;
    default:
      return text.empty() && *number == std::floor(*number) ? number : std::nullopt;
  }
}

// What was gained from the last sample of warm-up (or the first there is) to the last
// one, over the samples that have the value.
template <typename Get>
std::optional<double> Gained(const CaseResult& result, Get&& get) {
  double first = 0;
  double last = 0;
  size_t later = 0;
  bool found = false;
  for (const Sample& sample : result.samples) {
    const Count value = get(sample);
    if (!value) continue;
    if (!found || sample.iteration <= result.warmup) {
      first = static_cast<double>(*value);
      later = 0;
      found = true;
    } else {
      last = static_cast<double>(*value);
      ++later;
    }
  }
  return later > 0 ? std::optional<double>(last - first) : std::nullopt;
}

std::optional<double> AsDouble(const Count& count) {
  return count ? std::optional<double>(static_cast<double>(*count)) : std::nullopt;
}

}  // namespace

const std::vector<LineKey>& LineKeys() {
  static const auto& keys = *new std::vector<LineKey>{
      {"growth", "growth_bytes_per_iteration", "0 B/iter"},
      {"growth_blocks", "growth_blocks_per_iteration", "0/iter"},
      {"peak_rss", "peak_rss_bytes", "450 MiB"},
      {"peak_rss_anon", "peak_rss_anon_bytes", "400 MiB"},
      {"peak_rss_file", "peak_rss_file_bytes", "100 MiB"},
      {"live_heap_peak", "live_heap_peak_bytes", "200 MiB"},
      {"page_faults", "page_faults_per_iteration", "100/iter"},
      {"fds", "descriptors_gained", "0"},
      {"threads", "threads_gained", "0"},
      {"mappings", "mappings_gained", "0"},
  };
  return keys;
}

Expected<Line> ParseLine(std::string_view key, std::string_view text, std::string_view source) {
  std::string allowed;
  for (const LineKey& known : LineKeys()) {
    if (known.key == key) {
      const Unit unit = UnitOf(known.metric);
      const std::optional<double> limit = ParseLimit(unit, text);
      if (!limit) return BadValue("", "lines." + std::string(key), text, ExpectedText(unit));
      return Line{std::string(known.metric), *limit, std::string(source)};
    }
    allowed += (allowed.empty() ? "expected one of " : ", ") + std::string(known.key);
  }
  return BadValue("", "lines", key, allowed);
}

std::optional<double> MetricValue(const CaseResult& result, std::string_view metric) {
  if (metric == "growth_bytes_per_iteration" || metric == "growth_blocks_per_iteration") {
    // Of a run that did not get as far as a verdict, growth is unknown, not 0.
    if (result.verdict == Verdict::kError || result.verdict == Verdict::kInconclusive) {
      return std::nullopt;
    }
    return metric == "growth_bytes_per_iteration" ? result.growth.bytes_per_iteration
                                                  : result.growth.blocks_per_iteration;
  }
  if (metric == "peak_rss_bytes") return AsDouble(result.peak.rss_bytes);
  if (metric == "peak_rss_anon_bytes") return AsDouble(result.peak.rss_anon_bytes);
  if (metric == "peak_rss_file_bytes") return AsDouble(result.peak.rss_file_bytes);
  if (metric == "live_heap_peak_bytes") return AsDouble(result.peak.live_heap_bytes);
  if (metric == "page_faults_per_iteration") return result.peak.page_faults_per_iteration;
  if (metric == "threads_gained") {
    return Gained(result, [](const Sample& sample) { return sample.process.threads; });
  }
  const auto held = [](ResourceKind kind) {
    return [kind](const Sample& sample) -> Count {
      if (!sample.ledger) return std::nullopt;
      return sample.ledger->held[static_cast<size_t>(kind)].blocks;
    };
  };
  // The kernel's count is complete; where it was not sampled, the ledger's.
  if (metric == "descriptors_gained") {
    const auto kernel =
        Gained(result, [](const Sample& sample) { return sample.process.descriptors; });
    return kernel ? kernel : Gained(result, held(ResourceKind::kDescriptor));
  }
  if (metric == "mappings_gained") {
    const auto kernel =
        Gained(result, [](const Sample& sample) { return sample.process.mappings; });
    return kernel ? kernel : Gained(result, held(ResourceKind::kMapping));
  }
  return std::nullopt;
}

std::vector<LineResult> Hold(const CaseResult& result, const std::vector<Line>& lines) {
  std::vector<LineResult> results;
  results.reserve(lines.size());
  for (const Line& line : lines) {
    const std::optional<double> value = MetricValue(result, line.metric);
    results.push_back({line.metric, value, line.limit, line.source, value && *value <= line.limit});
  }
  return results;
}

void HoldLines(CaseResult& result, const std::vector<Line>& lines) {
  std::string broken;
  for (const LineResult& line : Hold(result, lines)) {
    result.lines.push_back(line);
    if (line.holds) continue;
    if (!broken.empty()) broken += ", ";
    broken += line.metric + " ";
    broken += line.value ? FormatMetric(line.metric, *line.value) : "was not measured,";
    broken += " against its line of " + FormatMetric(line.metric, line.limit);
  }
  if (broken.empty() || result.skipped) return;
  if (result.verdict == Verdict::kLeak || result.verdict == Verdict::kError) {
    result.reason += "; " + broken;
    return;
  }
  result.reason = broken + "; otherwise " + VerdictName(result.verdict) + ": " + result.reason;
  result.verdict = Verdict::kOver;
}

std::string FormatMetric(std::string_view metric, double value) {
  const Unit unit = UnitOf(metric);
  std::string text;
  if (unit == Unit::kBytes || unit == Unit::kBytesPerIteration) {
    text = FormatBytes(value);
  } else {
    char digits[32];
    const char* format = value == std::floor(value) ? "%.0f"
                         : std::fabs(value) < 10    ? "%.3g"
                                                    : "%.1f";
    std::snprintf(digits, sizeof(digits), format, value);
    text = digits;
  }
  if (unit == Unit::kBytesPerIteration || unit == Unit::kPerIteration) text += kRateSuffix;
  return text;
}

}  // namespace plimsoll
