#ifndef ALLOCATORS_MMAP_LOADER_LOADER_H_
#define ALLOCATORS_MMAP_LOADER_LOADER_H_

// Opens weight files and keeps each in memory once, however often it is opened. A Loader
// is thread-safe; weights and tensors may outlive it. One Weights may be used by several
// threads at once, but not closed or moved meanwhile.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "allocators/mmap_loader/directory.h"
#include "allocators/mmap_loader/model.h"
#include "allocators/mmap_loader/options.h"
#include "allocators/mmap_loader/page_cache/cache.h"
#include "allocators/mmap_loader/tensor.h"
#include "base/error.h"

namespace plimsoll::weights {

// How a file was loaded in the end.
struct LoadReport {
  std::string path;
  Mode mode = Mode::kMmap;              // what kAuto became
  std::string reason;                   // why
  bool cached = false;                  // the same weights were open already
  std::vector<std::string> notes = {};  // what was asked for and could not be had, a line each
};

// All in bytes unless named. Peaks are since the loader was made.
struct LoaderStats {
  uint64_t files = 0;         // mapped or reserved now
  uint64_t mapped_bytes = 0;  // address space of those
  uint64_t peak_mapped_bytes = 0;
  std::optional<uint64_t> resident_bytes = {};       // in this process's page tables
  std::optional<uint64_t> page_cache_bytes = {};     // mapped files in memory for anyone (mincore)
  std::optional<uint64_t> private_dirty_bytes = {};  // read copies and written private pages
  uint64_t loaded_bytes = 0;                         // held by the reading modes
  uint64_t peak_loaded_bytes = 0;
  uint64_t locked_bytes = 0;
  uint64_t peak_locked_bytes = 0;
  uint64_t returned_bytes = 0;  // given back so far, before the file was closed
  uint64_t tensors = 0;         // handles
  uint64_t peak_tensors = 0;
  uint64_t hits = 0;    // opens of a file that was there already
  uint64_t misses = 0;  // and of one that was not
};

class Weights {
 public:
  Weights(Weights&&) = default;
  Weights& operator=(Weights&&) = default;

  const LoadReport& report() const { return report_; }
  // REQUIRES: not closed.
  const Directory& directory() const;

  // An error for an unknown name, an index past the end, after Close, and when the tensor
  // cannot be had as the options ask.
  Expected<Tensor> Acquire(std::string_view name) const;
  Expected<Tensor> Acquire(size_t index) const;
  // All bytes of directory().files()[file], header and all, for a runtime that parses the
  // file itself: a U8 tensor without name, shape and checksum.
  Expected<Tensor> AcquireFile(size_t file) const;

  // An error when a file is no longer what was opened: shrunk, changed or replaced.
  Status Revalidate() const;
  // Gives back all pages that no handle holds, such as prefetched ones: in bytes that
  // left the resident set.
  uint64_t ReleaseUnused() const;
  // What was asked for and could not be had until now, a line each.
  std::vector<std::string> Notes() const;

  // Lets go of the files; tensors that are still held keep theirs. A second time does
  // nothing.
  void Close() { model_.reset(); }
  bool closed() const { return model_ == nullptr; }

 private:
  friend class Loader;
  Weights(std::shared_ptr<const Model> model, LoadReport report)
      : model_(std::move(model)), report_(std::move(report)) {}
  Status CheckOpen(const char* action) const;

  std::shared_ptr<const Model> model_;
  LoadReport report_;
};

class Loader {
 public:
  explicit Loader(Os& os = Os::Real()) : os_(os) {}

  // Opens weights of any format. Two opens of one path with the same options share
  // everything; opens that differ share what memory they can. In mode private nothing is
  // shared but the page cache.
  Expected<Weights> Open(const std::string& path, const LoadOptions& options = {});

  // Reads the page tables of everything that is mapped: about 10 ms for a GiB.
  LoaderStats Stats() const;

  // The loader that all of a process shares.
  static Loader& OfProcess();

 private:
  struct ModelKey {
    FileIdentity identity;
    std::string path;  // names in a file are relative to it
    LoadOptions options;
    auto operator<=>(const ModelKey&) const = default;
  };
  struct RegionKey {
    FileIdentity identity;
    Mode mode;
    std::optional<bool> huge_pages;
    Numa numa;
    auto operator<=>(const RegionKey&) const = default;
  };

  Expected<std::unique_ptr<Model>> MakeModel(const std::string& path, const LoadOptions& options,
                                             const FileIdentity& expected);
  Expected<std::shared_ptr<Region>> RegionOf(std::shared_ptr<File> file,
                                             const LoadOptions& options);

  Os& os_;
  std::shared_ptr<Counters> counters_ = std::make_shared<Counters>();
  SharedCache<RegionKey, Region> regions_;
  SharedCache<ModelKey, Model> models_;
  // Of mode private, which is not in regions_.
  SharedCache<const File*, Region> private_regions_;
};

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_LOADER_H_
