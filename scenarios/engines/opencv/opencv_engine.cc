#include "scenarios/engines/opencv/opencv_engine.h"

#include <array>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "scenarios/engines/opencv/network.h"
#include "scenarios/engines/weights.h"

namespace plimsoll {
namespace {

using Run = std::function<void()>;

constexpr int64_t kMostRepeats = 1'000'000;
constexpr int64_t kMostBatch = 4096;

// Runs `work` in a thread of its own and rethrows what it threw.
template <typename Work>
std::thread StartCatching(std::exception_ptr& problem, Work work) {
  return std::thread([&problem, work = std::move(work)] {
    try {
      work();
    } catch (...) {
      problem = std::current_exception();
    }
  });
}

template <typename Work>
void RunInThread(Work work) {
  std::exception_ptr problem;
  StartCatching(problem, std::move(work)).join();
  if (problem) std::rethrow_exception(problem);
}

class OpenCvEngine : public Engine {
 public:
  OpenCvEngine(std::vector<Network> networks, size_t streams)
      : networks_(std::move(networks)), stream_count_(streams) {}

  Expected<Run> Prepare(const Step& step) override {
    if (step.name == "reshape") return PrepareReshape(step);
    const bool counted = step.name.starts_with("infer") || step.name == "recreate_in_thread";
    FieldReader reader(step, "count");
    const int64_t count = counted ? reader.Integer("count", 1, 1, kMostRepeats) : 1;
    if (Status status = reader.Finish(); !status) return tl::unexpected(status.error());
    if (step.name == "read") return Run([this] { Read(); });
    if (step.name == "compile") return Run([this] { Compile(); });
    if (step.name == "release") return Run([this] { streams_.clear(); });
    if (step.name == "infer") return Run([this, count] { Infer(Stream(0), count); });
    if (step.name == "infer_in_thread") {
      return Run([this, count] { RunInThread([this, count] { Infer(Stream(0), count); }); });
    }
    if (step.name == "infer_streams") return Run([this, count] { InferStreams(count); });
    if (step.name == "recreate_in_thread") {
      return Run([this, count] {
        RunInThread([this, count] {
          Nets nets = CompileNets();
          Infer(nets, count);
        });
      });
    }
    return BadValue(step.where, "", step.name,
                    "expected one of read, compile, infer, infer_in_thread, infer_streams, "
                    "recreate_in_thread, reshape, release");
  }

  std::vector<EngineFinding> Findings() const override {
    std::vector<EngineFinding> findings;
    for (const Network& network : networks_) {
      const LoadedModel* const model = network.loaded_model();
      if (model == nullptr) continue;
      const WeightsUse use{.copied_tensors = model->tensors(),
                           .copied_bytes = model->tensor_bytes()};
      for (EngineFinding& finding :
           FindingsOf(model->report(), use, "OpenCV's importer keeps layers of its own")) {
        findings.push_back(std::move(finding));
      }
    }
    return findings;
  }

 private:
  using Nets = std::vector<cv::dnn::Net>;  // one for each model

  Expected<Run> PrepareReshape(const Step& step) {
    FieldReader reader(step, "batch");
    const auto batch = static_cast<int>(reader.Integer("batch", 0, 1, kMostBatch));
    const auto scale = static_cast<int>(reader.Integer("scale", 1, 1, kMostBatch));
    if (Status status = reader.Finish(); !status) return tl::unexpected(status.error());
    return Run([this, batch, scale] {
      for (Network& network : networks_) {
        network.SetBatch(batch != 0 ? batch : network.ModelBatch() * scale);
      }
    });
  }

  Nets& Stream(size_t index) {
    if (streams_.empty()) throw std::runtime_error("nothing is compiled");
    return streams_[index];
  }

  void Read() {
    for (const Network& network : networks_) network.Read();
  }

  Nets CompileNets() const {
    Nets nets;
    for (const Network& network : networks_) nets.push_back(network.Compile());
    return nets;
  }

  void Compile() {
    streams_.clear();
    for (size_t i = 0; i < stream_count_; ++i) streams_.push_back(CompileNets());
  }

  void Infer(Nets& nets, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      for (size_t model = 0; model < nets.size(); ++model) networks_[model].Infer(nets[model]);
    }
  }

  void InferStreams(int64_t count) {
    Stream(0);
    std::vector<std::exception_ptr> problems(streams_.size());
    std::vector<std::thread> threads;
    for (size_t i = 0; i < streams_.size(); ++i) {
      threads.push_back(
          StartCatching(problems[i], [this, i, count] { Infer(streams_[i], count); }));
    }
    for (std::thread& thread : threads) thread.join();
    for (const std::exception_ptr& problem : problems) {
      if (problem) std::rethrow_exception(problem);
    }
  }

  std::vector<Network> networks_;
  size_t stream_count_;
  std::vector<Nets> streams_;
};

}  // namespace

Expected<std::unique_ptr<Engine>> MakeOpenCvEngine(const EngineConfig& config) {
  constexpr std::array<std::string_view, 2> kBackends = {"opencv", "default"};
  constexpr std::array<std::string_view, 2> kTargets = {"cpu", "opencl"};
  FieldReader knobs(config.knobs, config.path + ": knobs");
  const auto threads = static_cast<int>(knobs.Integer("threads", 0, 0, 1024));
  const auto streams = static_cast<size_t>(knobs.Integer("streams", 1, 1, 256));
  NetworkOptions options;
  if (knobs.Choice("backend", kBackends[0], kBackends) == "default") {
    options.backend = cv::dnn::DNN_BACKEND_DEFAULT;
  }
  if (knobs.Choice("target", kTargets[0], kTargets) == "opencl") {
    options.target = cv::dnn::DNN_TARGET_OPENCL;
  }
  options.fusion = knobs.Flag("fusion", true);
  options.verify = knobs.Flag("verify", true);
  const std::vector<int64_t> shape = knobs.Integers("input_shape", 1, 1 << 20);
  if (Status status = knobs.Finish(); !status) return tl::unexpected(status.error());
  if (config.allocator != "system") {
    return BadValue(config.path, "allocator", config.allocator,
                    "expected system: OpenCV has no seam for another");
  }
  if (config.models.empty()) {
    return BadValue(config.path, "model", "", "expected at least one .onnx file");
  }
  const Expected<std::optional<WeightsChoice>> choice = ReadWeightsChoice(config);
  if (!choice) return tl::unexpected(choice.error());
  std::vector<Network> networks;
  for (size_t i = 0; i < config.models.size(); ++i) {
    std::optional<NetworkWeights> weights;
    if (*choice) weights = {(*choice)->files[i], (*choice)->options};
    auto network = Network::Open(config.models[i], shape, options, weights);
    if (!network) return tl::unexpected(network.error());
    networks.push_back(std::move(*network));
  }
  if (threads > 0) cv::setNumThreads(threads);
  return std::make_unique<OpenCvEngine>(std::move(networks), streams);
}

}  // namespace plimsoll
