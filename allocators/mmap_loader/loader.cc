#include "allocators/mmap_loader/loader.h"

#include <cerrno>
#include <filesystem>
#include <map>
#include <utility>

#include "allocators/mmap_loader/formats/parse.h"
#include "allocators/mmap_loader/mode_choice.h"
#include "base/check.h"

namespace plimsoll::weights {
namespace {

// Opens the files that a format names, and keeps them for their regions.
class OpenFiles : public Siblings {
 public:
  explicit OpenFiles(std::shared_ptr<File> first)
      : os_(first->os()), folder_(std::filesystem::path(first->path()).parent_path()) {
    files_[first->path()] = first;
    first_ = std::move(first);
  }

  Expected<std::shared_ptr<const ByteSource>> Open(const std::string& name,
                                                   FieldName field) override {
    const Status inside = CheckSiblingName(first_->path(), field, name);
    if (!inside) return tl::unexpected(inside.error());
    const std::string path = (folder_ / name).string();
    if (const auto known = files_.find(path); known != files_.end()) return known->second;
    Expected<std::shared_ptr<File>> file = File::Open(os_, path);
    if (!file) {
      // The path says what is missing, the field who wants it.
      return BadValue(first_->path(), field.Text(), Printable(name), file.error().message);
    }
    return files_.emplace(path, std::move(*file)).first->second;
  }

  std::shared_ptr<File> Opened(const std::string& path) const {
    const auto file = files_.find(path);
    PLIMSOLL_CHECK(file != files_.end(), "a directory names only files that its parser opened");
    return file->second;
  }

 private:
  Os& os_;
  const std::filesystem::path folder_;
  std::shared_ptr<File> first_;
  std::map<std::string, std::shared_ptr<File>> files_;
};

bool StillOnDisk(Os& os, const File& file) {
  struct stat status;
  return os.Stat(file.path().c_str(), &status) == 0 && IdentityOf(status) == file.identity();
}

}  // namespace

Expected<std::shared_ptr<Region>> Loader::RegionOf(std::shared_ptr<File> file,
                                                   const LoadOptions& options) {
  const auto make = [&] { return Region::Create(file, options, counters_); };
  const auto usable = [](const Region& region) { return region.Usable(); };
  bool found = false;
  auto region =
      options.mode == Mode::kPrivate
          ? private_regions_.FindOrMake(file.get(), make, usable, found)
          : regions_.FindOrMake({file->identity(), options.mode, options.huge_pages, options.numa},
                                make, usable, found);
  if (region) ++(found ? counters_->hits : counters_->misses);
  return region;
}

Expected<std::unique_ptr<Model>> Loader::MakeModel(const std::string& path,
                                                   const LoadOptions& options,
                                                   const FileIdentity& expected) {
  const Expected<std::shared_ptr<File>> first = File::Open(os_, path);
  if (!first) return tl::unexpected(first.error());
  if ((*first)->identity() != expected) {
    return BadValue(path, "inode, size and modification time",
                    std::to_string((*first)->identity().inode) + ", " +
                        std::to_string((*first)->identity().bytes) + ", " +
                        std::to_string((*first)->identity().modified_ns),
                    "expected them to stay: the file was replaced while it was being opened");
  }
  OpenFiles files(*first);
  Expected<Directory> directory = ParseWeights(**first, files, options.format);
  if (!directory) return tl::unexpected(directory.error());
  auto model = std::make_unique<Model>();
  model->directory = std::move(*directory);
  model->options = options;
  model->counters = counters_;
  model->reason = std::string(ModeName(options.mode)) + ": as asked for";
  if (options.mode == Mode::kAuto) {
    const ModeChoice choice = ChooseModeFor(**first, model->directory.tensor_bytes());
    model->options.mode = choice.mode;
    model->reason = choice.reason;
  }
  for (const DataFile& data : model->directory.files()) {
    auto region = RegionOf(files.Opened(data.path), model->options);
    if (!region) return tl::unexpected(region.error());
    if (options.guard) (*region)->Guard();
    model->regions.push_back(std::move(*region));
  }
  return model;
}

Expected<Weights> Loader::Open(const std::string& path, const LoadOptions& options) {
  struct stat status;
  if (os_.Stat(path.c_str(), &status) != 0) return SystemError(path, "open", errno);
  const FileIdentity identity = IdentityOf(status);
  bool found = false;
  std::shared_ptr<const Model> model;
  if (options.mode == Mode::kPrivate) {
    auto made = MakeModel(path, options, identity);
    if (!made) return tl::unexpected(made.error());
    model = std::move(*made);
  } else {
    const auto usable = [&](const Model& known) {
      for (const auto& region : known.regions) {
        if (!region->Usable()) return false;
        if (region->file().identity() != identity && !StillOnDisk(os_, region->file())) {
          return false;
        }
      }
      return true;
    };
    const auto make = [&] { return MakeModel(path, options, identity); };
    auto shared = models_.FindOrMake({identity, path, options}, make, usable, found);
    if (!shared) return tl::unexpected(shared.error());
    model = std::move(*shared);
  }
  if (found) {
    counters_->hits += model->regions.size();
  } else {
    for (const auto& region : model->regions) {
      const Status started = region->Start(model->options);
      if (!started) return tl::unexpected(started.error());
    }
  }
  LoadReport report{
      .path = path, .mode = model->options.mode, .reason = model->reason, .cached = found};
  Weights weights(std::move(model), std::move(report));
  weights.report_.notes = weights.Notes();
  return weights;
}

LoaderStats Loader::Stats() const {
  LoaderStats stats{.files = counters_->mappings.level(),
                    .mapped_bytes = counters_->mapped_bytes.level(),
                    .peak_mapped_bytes = counters_->mapped_bytes.peak(),
                    .loaded_bytes = counters_->loaded_bytes.level(),
                    .peak_loaded_bytes = counters_->loaded_bytes.peak(),
                    .locked_bytes = counters_->locked_bytes.level(),
                    .peak_locked_bytes = counters_->locked_bytes.peak(),
                    .returned_bytes = counters_->returned_bytes.load(),
                    .tensors = counters_->tensors.level(),
                    .peak_tensors = counters_->tensors.peak(),
                    .hits = counters_->hits.load(),
                    .misses = counters_->misses.load()};
  Residency sum{.resident = 0, .private_dirty = 0, .page_cache = 0};
  const auto add = [&](const Region& region) { sum += region.Measure(); };
  regions_.ForEach(add);
  private_regions_.ForEach(add);
  stats.resident_bytes = sum.resident;
  stats.page_cache_bytes = sum.page_cache;
  stats.private_dirty_bytes = sum.private_dirty;
  return stats;
}

Loader& Loader::OfProcess() {
  // Never destroyed: weights may be dropped while the process ends.
  static Loader* const loader = new Loader;
  return *loader;
}

Status Weights::CheckOpen(const char* action) const {
  if (closed()) return BadValue(report_.path, action, "closed", "expected weights that are open");
  return {};
}

const Directory& Weights::directory() const {
  PLIMSOLL_CHECK(!closed(), "closed weights have no directory");
  return model_->directory;
}

Expected<Tensor> Weights::Acquire(std::string_view name) const {
  if (const Status open = CheckOpen("acquire"); !open) return tl::unexpected(open.error());
  const Expected<size_t> index = model_->directory.Get(name);
  if (!index) return tl::unexpected(index.error());
  return Tensor::Hold(model_, model_->directory.at(*index));
}

Expected<Tensor> Weights::Acquire(size_t index) const {
  if (const Status open = CheckOpen("acquire"); !open) return tl::unexpected(open.error());
  if (index >= model_->directory.size()) {
    return BadValue(report_.path, "tensor index", std::to_string(index),
                    "expected less than " + std::to_string(model_->directory.size()));
  }
  return Tensor::Hold(model_, model_->directory.at(index));
}

Expected<Tensor> Weights::AcquireFile(size_t file) const {
  if (const Status open = CheckOpen("acquire"); !open) return tl::unexpected(open.error());
  const std::vector<DataFile>& files = model_->directory.files();
  if (file >= files.size()) {
    return BadValue(report_.path, "file index", std::to_string(file),
                    "expected less than " + std::to_string(files.size()));
  }
  TensorInfo whole;
  whole.file = static_cast<uint32_t>(file);
  whole.bytes = files[file].bytes;
  return Tensor::Hold(model_, whole);
}

Status Weights::Revalidate() const {
  if (const Status open = CheckOpen("revalidate"); !open) return open;
  for (const auto& region : model_->regions) {
    if (const Status same = region->file().Revalidate(); !same) return same;
  }
  return {};
}

uint64_t Weights::ReleaseUnused() const {
  uint64_t released = 0;
  if (closed()) return released;
  for (const auto& region : model_->regions) released += region->ReleaseUnused();
  return released;
}

std::vector<std::string> Weights::Notes() const {
  std::vector<std::string> all;
  if (closed()) return all;
  for (const auto& region : model_->regions) {
    for (std::string& note : region->notes()) all.push_back(std::move(note));
  }
  return all;
}

}  // namespace plimsoll::weights
