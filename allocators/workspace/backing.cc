#include "allocators/workspace/backing.h"

#include <algorithm>
#include <utility>

#include "allocators/workspace/poison.h"

namespace plimsoll {

Backing::Backing(const WorkspaceConfiguration& configuration, const MemoryPairSource& source)
    : location_(configuration.location()),
      mmap_path_(configuration.mmap_path()),
      temporary_directory_(configuration.temporary_directory()),
      max_size_(configuration.max_size()),
      alignment_(std::max(kBaseAlignment, configuration.alignment())),
      source_(source) {}

Status Backing::Resize(uint64_t bytes) {
  if (location_ == LocationPolicy::kMmap) return Map(bytes);
  const uint64_t before = size();
  Release();
  Expected<MemoryPair> pair = source_.Allocate(bytes, alignment_);
  if (!pair && before > 0) {
    const Error error = pair.error();
    // The old stretch went first, so that old and new never count together.
    if (Expected<MemoryPair> old = source_.Allocate(before, alignment_)) pair_ = *old;
    if (pair_.host != nullptr) PoisonForAsan(pair_.host, pair_.bytes);
    return tl::unexpected<Error>(error);
  }
  if (!pair) return tl::unexpected<Error>(pair.error());
  pair_ = *pair;
  PoisonForAsan(pair_.host, pair_.bytes);
  return {};
}

Status Backing::Map(uint64_t bytes) {
  if (file_) {
    UnpoisonForAsan(file_->data(), file_->size());
    Status grown = file_->Grow(bytes);
    PoisonForAsan(file_->data(), file_->size());
    return grown;
  }
  Expected<MappedFile> file = mmap_path_.empty()
                                  ? MappedFile::OpenTemporary(temporary_directory_, bytes)
                                  : MappedFile::OpenNamed(mmap_path_, bytes, max_size_);
  if (!file) return tl::unexpected<Error>(file.error());
  file_ = std::move(*file);
  PoisonForAsan(file_->data(), file_->size());
  return {};
}

void Backing::Release() noexcept {
  if (host() != nullptr) UnpoisonForAsan(host(), size());
  source_.Free(pair_);
  pair_ = {};
  file_.reset();
}

}  // namespace plimsoll
