#ifndef HARNESS_REPORT_JSON_H_
#define HARNESS_REPORT_JSON_H_

// Results as JSON, schema_version 1 (results/schema.json, explained in results/README.md),
// written and read back. Thread-safe: no state.

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "harness/gate/fingerprint.h"
#include "harness/result.h"

namespace plimsoll {

struct Results {
  Context context;
  std::vector<CaseResult> cases;
};

// One JSON document, ending with a newline. What was not measured is null; bytes that are
// not UTF-8 become U+FFFD. Of the samples, what `samples` in the schema names is kept.
std::string RenderJson(const Context& context, const std::vector<CaseResult>& cases);

// Replaces the file, or writes to standard output when `path` is "-".
Status WriteJson(const std::string& path, const Context& context,
                 const std::vector<CaseResult>& cases);

// Reads what RenderJson wrote. Unknown keys are left out of account; what is missing or of
// the wrong type is an error that names `where`, the place in the document, the value and
// what is allowed.
Expected<Results> ParseResults(std::string_view text, std::string_view where);

// Reads a result file.
Expected<Results> ReadJson(const std::string& path);

}  // namespace plimsoll

#endif  // HARNESS_REPORT_JSON_H_
