#include "scenarios/engines/opencv/network.h"

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <utility>

#include "scenarios/zoo/model_info.h"

namespace plimsoll {
namespace {

constexpr int64_t kMostElements = int64_t{1} << 28;

// Fowler–Noll–Vo 1a over the words of the output.
uint64_t Fingerprint(const cv::Mat& output) {
  uint64_t hash = 0xcbf29ce484222325;
  const auto* words = output.ptr<uint32_t>();
  for (size_t i = 0; i < output.total(); ++i) hash = (hash ^ words[i]) * 0x100000001b3;
  return hash;
}

std::string Shown(const std::vector<int64_t>& dims) {
  std::string text = "[";
  for (const int64_t dim : dims) text += (text.size() > 1 ? ", " : "") + std::to_string(dim);
  return text + "]";
}

}  // namespace

Expected<Network> Network::Open(const std::string& path, const std::vector<int64_t>& shape,
                                const NetworkOptions& options,
                                const std::optional<NetworkWeights>& weights) {
  const auto inputs = ReadModelInputs(path);
  if (!inputs) return tl::unexpected(inputs.error());
  if (inputs->size() != 1) {
    return Fail(path + ": " + std::to_string(inputs->size()) + " inputs: expected one");
  }
  const ModelInput& input = inputs->front();
  std::vector<int64_t> dims = shape.empty() ? input.dims : shape;
  // A batch size left open is one image.
  if (!dims.empty() && dims[0] == 0) dims[0] = 1;
  int64_t elements = 1;
  for (const int64_t dim : dims) {
    if (dim <= 0 || dim > kMostElements || elements > kMostElements / dim) {
      return BadValue(path, "input " + input.name, Shown(dims),
                      "expected positive dimensions; set the knob input_shape");
    }
    elements *= dim;
  }
  Network network;
  network.path_ = path;
  network.input_name_ = input.name;
  network.options_ = options;
  if (weights) {
    auto loaded = LoadedModel::Open(path, weights->file, weights->options);
    if (!loaded) return tl::unexpected(loaded.error());
    network.loaded_ = std::move(*loaded);
  }
  network.dims_.assign(dims.begin(), dims.end());
  network.model_batch_ = network.dims_.empty() ? 1 : network.dims_[0];
  network.SetBatch(network.model_batch_);
  return network;
}

cv::dnn::Net Network::Read() const {
  cv::dnn::Net net;
  if (loaded_) {
    const Status imported = loaded_->Import([&net](std::span<const std::byte> model) {
      net = cv::dnn::readNetFromONNX(reinterpret_cast<const char*>(model.data()), model.size());
    });
    if (!imported) throw std::runtime_error(imported.error().message);
  } else {
    net = cv::dnn::readNetFromONNX(path_);
  }
  if (net.empty()) throw std::runtime_error(path_ + ": OpenCV imported no layers");
  return net;
}

cv::dnn::Net Network::Compile() const {
  cv::dnn::Net net = Read();
  net.enableFusion(options_.fusion);
  net.setPreferableBackend(options_.backend);
  net.setPreferableTarget(options_.target);
  return net;
}

void Network::SetBatch(int batch) {
  if (!dims_.empty()) dims_[0] = batch;
  if (!input_.empty() && input_.size[0] == batch) return;
  input_.create(static_cast<int>(dims_.size()), dims_.data(), CV_32F);
  cv::RNG(0x706c696d736f6c6cU).fill(input_, cv::RNG::UNIFORM, -1.0, 1.0);
}

void Network::Infer(cv::dnn::Net& net) {
  net.setInput(input_, input_name_);
  const cv::Mat output = net.forward();
  if (options_.verify) Verify(output);
}

void Network::Verify(const cv::Mat& output) {
  if (output.empty() || !output.isContinuous() || output.type() != CV_32F) {
    throw std::runtime_error(path_ + ": the output is not a dense float tensor");
  }
  if (!cv::checkRange(output)) throw std::runtime_error(path_ + ": the output is not finite");
  const uint64_t fingerprint = Fingerprint(output);
  const int batch = dims_.empty() ? 1 : dims_[0];
  const std::lock_guard lock(*seen_mutex_);
  const auto seen =
      std::find_if(seen_.begin(), seen_.end(), [batch](const Seen& s) { return s.batch == batch; });
  if (seen == seen_.end()) {
    seen_.push_back({batch, fingerprint});
  } else if (seen->fingerprint != fingerprint) {
    throw std::runtime_error(path_ + ": the output differs from the first one");
  }
}

}  // namespace plimsoll
