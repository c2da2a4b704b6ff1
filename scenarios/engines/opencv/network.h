#ifndef SCENARIOS_ENGINES_OPENCV_NETWORK_H_
#define SCENARIOS_ENGINES_OPENCV_NETWORK_H_

// One ONNX model in OpenCV: its file, its input, and imported copies of it. Copies may
// be used from different threads at once, one thread each; the rest is for one thread.

#include <cstdint>
#include <memory>
#include <mutex>
#include <opencv2/dnn.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "scenarios/engines/opencv/loaded_model.h"

namespace plimsoll {

struct NetworkOptions {
  int backend = cv::dnn::DNN_BACKEND_OPENCV;
  int target = cv::dnn::DNN_TARGET_CPU;
  bool fusion = true;
  bool verify = true;
};

// Where Network finds weights that the loader is to load.
struct NetworkWeights {
  std::string file;
  weights::LoadOptions options;
};

class Network {
 public:
  // `shape`: for dimensions that the file leaves open; empty: the file's own. `weights`:
  // absent, OpenCV reads the file itself.
  static Expected<Network> Open(const std::string& path, const std::vector<int64_t>& shape,
                                const NetworkOptions& options,
                                const std::optional<NetworkWeights>& weights = {});

  // Import; Compile also sets backend and target. Throw cv::Exception, or
  // std::runtime_error when the loader fails.
  cv::dnn::Net Read() const;
  cv::dnn::Net Compile() const;

  // From now on inputs have this batch size (the first dimension).
  void SetBatch(int batch);
  int ModelBatch() const { return model_batch_; }

  // Null without `weights`.
  const LoadedModel* loaded_model() const { return loaded_ ? &*loaded_ : nullptr; }

  // One forward pass. Throws cv::Exception, or std::runtime_error when an output is not
  // finite or differs from the first one of this batch size.
  void Infer(cv::dnn::Net& net);

 private:
  struct Seen {
    int batch;
    uint64_t fingerprint;
  };

  void Verify(const cv::Mat& output);

  std::string path_;
  std::string input_name_;
  NetworkOptions options_;
  std::optional<LoadedModel> loaded_;
  std::vector<int> dims_;
  int model_batch_ = 1;
  cv::Mat input_;
  std::vector<Seen> seen_;
  std::unique_ptr<std::mutex> seen_mutex_ = std::make_unique<std::mutex>();
};

}  // namespace plimsoll

#endif  // SCENARIOS_ENGINES_OPENCV_NETWORK_H_
