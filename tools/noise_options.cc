#include "tools/noise_options.h"

#include "base/units.h"

namespace plimsoll {

void AddNoiseOptions(CLI::App& command, NoiseOptions& options) {
  command
      .add_option("--noisy", options.metrics,
                  "Also judge these counters over several processes: unaccounted (RssAnon minus "
                  "what the ledger holds), RssAnon, PSS, 'private dirty', 'high-water mark'")
      ->delimiter(',')
      ->allow_extra_args(false);
  command.add_option("--children", options.children,
                     "So many further processes of each case for that; 10 and more. Alone: "
                     "--noisy unaccounted");
  command.add_option("--exclude", options.exclude,
                     "Choose number and length of those processes to find, or to exclude, growth "
                     "of so many bytes per iteration, such as '4 KiB'");
}

Expected<std::optional<ChildrenOptions>> ChildrenFor(const NoiseOptions& options, double level,
                                                     bool ledger_enters) {
  if (options.metrics.empty() && options.children == 0 && options.exclude.empty() &&
      ledger_enters) {
    return std::optional<ChildrenOptions>();
  }
  ChildrenOptions children;
  children.metrics = {ledger_enters ? NoisyMetric::kUnaccounted : NoisyMetric::kRssAnon};
  if (!options.metrics.empty()) children.metrics.clear();
  for (const std::string& name : options.metrics) {
    const Expected<NoisyMetric> metric = NoisyMetricNamed(name);
    if (!metric.has_value()) return Fail("--noisy: " + metric.error().message);
    if (*metric == NoisyMetric::kUnaccounted && !ledger_enters) {
      return BadValue("", "--noisy", name,
                      "the ledger cannot enter the program: expected RssAnon or PSS");
    }
    children.metrics.push_back(*metric);
  }
  children.level = level;
  if (options.children != 0) children.children = options.children;
  if (!options.exclude.empty()) {
    const Expected<uint64_t> bytes = ParseBytes(options.exclude);
    if (!bytes.has_value() || *bytes == 0) {
      return BadValue("", "--exclude", options.exclude,
                      "expected bytes per iteration above 0, such as '4 KiB'");
    }
    children.wanted_bytes_per_iteration = static_cast<double>(*bytes);
  }
  if (const Status checked = Check(children); !checked.has_value()) {
    return tl::unexpected(checked.error());
  }
  return std::optional<ChildrenOptions>(std::move(children));
}

}  // namespace plimsoll
