#include "allocators/mmap_loader/tensor.h"

#include <cstring>
#include <string>

#include "allocators/mmap_loader/checksum.h"

namespace plimsoll::weights {

Expected<Tensor> Tensor::Hold(std::shared_ptr<const Model> model, const TensorInfo& info) {
  const LoadOptions& options = model->options;
  if (info.file != kInline) {
    Region& region = *model->regions[info.file];
    if (const Status whole = region.Check(info.offset, info.bytes); !whole) {
      return tl::unexpected(whole.error());
    }
    const Status pinned = region.Pin(info.offset, info.bytes, options);
    if (!pinned) return tl::unexpected(pinned.error());
  }
  model->counters->tensors.Add(1);
  Tensor tensor(std::move(model), info);
  if (options.verify) {
    if (const Status same = tensor.Verify(); !same) return tl::unexpected(same.error());
  }
  return tensor;
}

Tensor::Tensor(Tensor&& other) noexcept
    : model_(std::move(other.model_)), info_(std::exchange(other.info_, {})) {}

Tensor& Tensor::operator=(Tensor&& other) noexcept {
  if (this != &other) {
    Drop();
    model_ = std::move(other.model_);
    info_ = std::exchange(other.info_, {});
  }
  return *this;
}

void Tensor::Drop() {
  if (dropped()) return;
  if (Region* const held = region()) held->Unpin(info_.offset, info_.bytes, model_->options);
  model_->counters->tensors.Subtract(1);
  info_ = {};
  model_.reset();
}

Status Tensor::Check() const {
  if (dropped()) {
    return BadValue("", "tensor", "dropped", "expected a handle that still holds its tensor");
  }
  if (const Region* const held = region()) return held->Check(info_.offset, info_.bytes);
  return {};
}

Expected<std::span<const std::byte>> Tensor::Bytes() const {
  if (const Status whole = Check(); !whole) return tl::unexpected(whole.error());
  if (const Region* const held = region()) {
    return held->mapping().Bytes(info_.offset, info_.bytes);
  }
  return model_->directory.InlineBytes(info_);
}

Expected<std::span<std::byte>> Tensor::MutableBytes() const {
  if (const Status whole = Check(); !whole) return tl::unexpected(whole.error());
  const Region* const held = region();
  if (held == nullptr || model_->options.mode != Mode::kPrivate) {
    return BadValue(model_->directory.path(), TensorField(info_.name, "write").Text(),
                    held == nullptr ? "inline" : ModeName(model_->options.mode),
                    "read-only: only mode private gives each load pages of its own to write");
  }
  return held->mapping().MutableBytes(info_.offset, info_.bytes);
}

Status Tensor::CopyTo(std::span<std::byte> to) const {
  if (!dropped() && to.size() != info_.bytes) {
    return BadValue(model_->directory.path(), TensorField(info_.name, "copy to").Text(),
                    std::to_string(to.size()) + " bytes",
                    "expected " + std::to_string(info_.bytes));
  }
  return Read([&](std::span<const std::byte> bytes) {
    if (!bytes.empty()) std::memcpy(to.data(), bytes.data(), bytes.size());
  });
}

Status Tensor::Verify() const {
  uint64_t checksum = 0;
  const Status read = Read([&](std::span<const std::byte> bytes) {
    if (info_.checksum) checksum = ChecksumOf(bytes);
  });
  if (!read) return read;
  if (info_.checksum && checksum != *info_.checksum) {
    return BadValue(model_->directory.path(), TensorField(info_.name, "checksum").Text(),
                    ChecksumText(checksum), "expected " + ChecksumText(*info_.checksum));
  }
  return {};
}

}  // namespace plimsoll::weights
