#include "tools/noise_options.h"

#include "base/units.h"

namespace plimsoll {

void AddNoiseOptions(CLI::App& command, NoiseOptions& options) {
  command.add_option("--children", options.children,
                     "Also judge memory that the ledger does not see (RssAnon minus what it "
                     "holds) over so many further processes of each case; 10 and more");
  command.add_option("--exclude", options.exclude,
                     "Choose number and length of those processes to find, or to exclude, growth "
                     "of so many bytes per iteration, such as '4 KiB'");
}

Expected<std::optional<ChildrenOptions>> ChildrenFor(const NoiseOptions& options, double level,
                                                     bool ledger_enters) {
  if (options.children == 0 && options.exclude.empty() && ledger_enters) {
    return std::optional<ChildrenOptions>();
  }
  ChildrenOptions children;
  children.metrics = {ledger_enters ? NoisyMetric::kUnaccounted : NoisyMetric::kRssAnon};
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
