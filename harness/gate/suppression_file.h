#ifndef HARNESS_GATE_SUPPRESSION_FILE_H_
#define HARNESS_GATE_SUPPRESSION_FILE_H_

// The file that names known leaks. Thread-safe: no state.
//
//   suppressions:
//     - name: opencv-tls
//       reason: OpenCV 4.6 keeps 800 bytes per thread
//       kind: heap                       # optional
//       stack: [cv::TLSDataContainer::getData]
//
// `stack` holds ECMAScript regular expressions; each must be found in some frame.

#include <string>
#include <vector>

#include "base/error.h"
#include "harness/result.h"
#include "harness/verdict/suppression.h"

namespace plimsoll {

// Errors name the file, the line, the field, the value and what is allowed.
Expected<std::vector<Suppression>> LoadSuppressions(const std::string& path);

// A line for each suppression: how many sites of how many cases it was used for, or that it
// was not needed.
std::vector<std::string> SuppressionUse(const std::vector<Suppression>& suppressions,
                                        const std::vector<CaseResult>& results);

}  // namespace plimsoll

#endif  // HARNESS_GATE_SUPPRESSION_FILE_H_
