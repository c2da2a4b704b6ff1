#ifndef ALLOCATORS_MMAP_LOADER_TENSOR_H_
#define ALLOCATORS_MMAP_LOADER_TENSOR_H_

// A tensor's bytes, held: they are in memory while the handle lives, and their pages go
// back when the last handle that touches them is dropped. A handle may move between
// threads but is used by one at a time; different handles need no care.

#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "allocators/mmap_loader/directory.h"
#include "allocators/mmap_loader/model.h"
#include "base/error.h"

namespace plimsoll::weights {

class Tensor {
 public:
  Tensor(Tensor&& other) noexcept;
  Tensor& operator=(Tensor&& other) noexcept;
  ~Tensor() { Drop(); }

  // Valid until the handle is dropped.
  const TensorInfo& info() const { return info_; }

  // The bytes, valid until the handle is dropped. An error when it was, and when the file
  // has shrunk or failed below them. In mode mmap without options.guard a file that
  // shrinks after this call ends the process with SIGBUS; with it, zeros are read, and the
  // next call of any of these functions is the error.
  Expected<std::span<const std::byte>> Bytes() const;
  // An error unless the mode is private. The changes are lost when the last handle that
  // touches the page is dropped, except with OnDrop::kKeep.
  Expected<std::span<std::byte>> MutableBytes() const;

  // Calls `reader(bytes)`, and says afterwards whether what it read was there to the end:
  // on an error, what it made of the bytes is worthless.
  template <typename Reader>
  Status Read(Reader&& reader) const {
    const Expected<std::span<const std::byte>> bytes = Bytes();
    if (!bytes) return tl::unexpected(bytes.error());
    std::forward<Reader>(reader)(*bytes);
    return Check();
  }
  // Read into `to`, which must have exactly the tensor's size.
  Status CopyTo(std::span<std::byte> to) const;
  // Compares with the checksum that the file gives; an error when they differ. Nothing to
  // compare is success.
  Status Verify() const;

  // Gives the tensor up before the end of the scope. A second time does nothing.
  void Drop();
  bool dropped() const { return model_ == nullptr; }

 private:
  friend class Weights;
  Tensor(std::shared_ptr<const Model> model, const TensorInfo& info)
      : model_(std::move(model)), info_(info) {}
  // Loads, locks and verifies as the model's options say.
  static Expected<Tensor> Hold(std::shared_ptr<const Model> model, const TensorInfo& info);
  // Null for a tensor that the directory keeps.
  Region* region() const {
    return info_.file == kInline ? nullptr : model_->regions[info_.file].get();
  }
  Status Check() const;

  std::shared_ptr<const Model> model_;  // null once dropped
  TensorInfo info_;
};

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_TENSOR_H_
