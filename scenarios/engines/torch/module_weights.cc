#include "scenarios/engines/torch/module_weights.h"

#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include "allocators/mmap_loader/write/blob_writer.h"
#include "allocators/mmap_loader/write/safetensors_writer.h"

namespace plimsoll {
namespace {

using weights::DType;

template <typename Result>
auto OrThrow(Result result) {
  if (!result) throw std::runtime_error(result.error().message);
  if constexpr (!std::is_same_v<Result, Status>) return std::move(*result);
}

// What the modules here consist of.
DType DTypeOf(const torch::Tensor& tensor, const std::string& name) {
  if (tensor.scalar_type() == torch::kFloat) return DType::kF32;
  if (tensor.scalar_type() == torch::kLong) return DType::kI64;
  throw std::runtime_error("tensor '" + name + "': type: '" + toString(tensor.scalar_type()) +
                           "': expected Float or Long");
}

std::vector<uint64_t> ShapeOf(const torch::Tensor& tensor) {
  return {tensor.sizes().begin(), tensor.sizes().end()};
}

// Parameters and buffers by name. The tensors are handles of the module's own.
std::vector<std::pair<std::string, torch::Tensor>> TensorsOf(const torch::nn::Module& module) {
  std::vector<std::pair<std::string, torch::Tensor>> all;
  for (const auto& item : module.named_parameters()) all.emplace_back(item.key(), item.value());
  for (const auto& item : module.named_buffers()) all.emplace_back(item.key(), item.value());
  return all;
}

// `held` goes when torch lets go of the storage.
torch::Tensor Wrap(weights::Tensor held, const torch::Tensor& like, bool writable) {
  void* data = nullptr;
  if (writable) {
    data = OrThrow(held.MutableBytes()).data();
  } else {
    // libtorch has no read-only tensors: see the header.
    data = const_cast<std::byte*>(OrThrow(held.Bytes()).data());
  }
  auto holder = std::make_shared<weights::Tensor>(std::move(held));
  return torch::from_blob(
      data, like.sizes(), [holder](void*) mutable { holder.reset(); }, like.options());
}

}  // namespace

void WriteModuleWeights(const torch::nn::Module& module, const std::string& path) {
  std::vector<weights::TensorToWrite> tensors;
  for (auto& [name, tensor] : TensorsOf(module)) {
    tensors.push_back(
        {.name = name,
         .dtype = DTypeOf(tensor, name),
         .shape = ShapeOf(tensor),
         .read = [value = tensor.detach().contiguous()](const weights::ByteSink& sink) {
           return sink({static_cast<const std::byte*>(value.data_ptr()), value.nbytes()});
         }});
  }
  weights::Os& os = weights::Os::Real();
  if (path.ends_with(".blob.json")) {
    OrThrow(WriteBlob(os, path, tensors, {}));
  } else {
    OrThrow(WriteSafetensors(os, path, tensors, {}));
  }
}

BoundWeights BindModuleWeights(torch::nn::Module& module, const std::string& path,
                               const weights::LoadOptions& options) {
  const torch::NoGradGuard no_gradients;
  const weights::Weights open = OrThrow(weights::Loader::OfProcess().Open(path, options));
  BoundWeights bound;
  bound.report = open.report();
  const bool writable = bound.report.mode == weights::Mode::kPrivate;
  for (auto& [name, tensor] : TensorsOf(module)) {
    weights::Tensor held = OrThrow(open.Acquire(name));
    const weights::TensorInfo& info = held.info();
    const std::vector<uint64_t> shape = ShapeOf(tensor);
    if (info.dtype != DTypeOf(tensor, name) ||
        !std::equal(shape.begin(), shape.end(), info.shape.begin(), info.shape.end())) {
      throw std::runtime_error(path + ": tensor '" + name + "': shape and type: '" +
                               weights::ShapeText(info.shape) + " " +
                               std::string(weights::InfoOf(info.dtype).name) + "': expected " +
                               weights::ShapeText(shape) + " " + toString(tensor.scalar_type()));
    }
    const auto address = reinterpret_cast<uintptr_t>(OrThrow(held.Bytes()).data());
    if (address % tensor.element_size() == 0) {
      bound.use.in_place_tensors += 1;
      bound.use.in_place_bytes += info.bytes;
      tensor.set_data(Wrap(std::move(held), tensor, writable));
    } else {
      bound.use.copied_tensors += 1;
      bound.use.copied_bytes += info.bytes;
      OrThrow(held.CopyTo({static_cast<std::byte*>(tensor.data_ptr()), tensor.nbytes()}));
    }
  }
  return bound;
}

}  // namespace plimsoll
