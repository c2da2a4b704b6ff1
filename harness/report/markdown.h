#ifndef HARNESS_REPORT_MARKDOWN_H_
#define HARNESS_REPORT_MARKDOWN_H_

// Results as GitHub-flavoured Markdown: a table, and each case that is not CLEAN folded
// below it. Thread-safe: no state.

#include <string>
#include <vector>

#include "base/error.h"
#include "harness/gate/fingerprint.h"
#include "harness/result.h"

namespace plimsoll {

std::string RenderMarkdown(const Context& context, const std::vector<CaseResult>& cases);

// Replaces the file, or writes to standard output when `path` is "-".
Status WriteMarkdown(const std::string& path, const Context& context,
                     const std::vector<CaseResult>& cases);

}  // namespace plimsoll

#endif  // HARNESS_REPORT_MARKDOWN_H_
