#ifndef HARNESS_RUNNER_OUTPUT_TAIL_H_
#define HARNESS_RUNNER_OUTPUT_TAIL_H_

// The last lines that a case printed, for the report of its failure. Thread-compatible.

#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace plimsoll {

class OutputTail {
 public:
  void Append(std::string_view text);
  // At most 20 lines of at most 400 bytes, the one that has not ended included.
  std::vector<std::string> Lines();

 private:
  void EndLine();

  std::deque<std::string> lines_;
  std::string current_;
};

}  // namespace plimsoll

#endif  // HARNESS_RUNNER_OUTPUT_TAIL_H_
