#ifndef HARNESS_REPORT_PROGRESS_H_
#define HARNESS_REPORT_PROGRESS_H_

// One line on a terminal that tells how far a run is; nothing where there is none.
// Thread-compatible.

#include <chrono>
#include <cstddef>
#include <string>

#include "harness/sample.h"

namespace plimsoll {

class Progress {
 public:
  // `descriptor`: where to draw, usually standard error. `cases`: how many there will be.
  Progress(int descriptor, size_t cases);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();  // leaves the line empty

  void StartCase(const std::string& name);
  // Draws at most ten times a second.
  void OnSample(const Sample& sample);
  void EndCase();

 private:
  void Draw(const std::string& text);

  const int descriptor_;
  const bool terminal_;
  const size_t cases_;
  size_t case_ = 0;
  std::string name_;
  std::chrono::steady_clock::time_point drawn_;
};

// The line: "[2/7] recompile/opencv/system/jemalloc  iteration 96  live 41.2 MiB  RSS 212 MiB".
std::string ProgressText(size_t number, size_t cases, const std::string& name,
                         const Sample& sample);

}  // namespace plimsoll

#endif  // HARNESS_REPORT_PROGRESS_H_
