#include "allocators/mmap_loader/formats/parse.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "allocators/mmap_loader/formats/safetensors.h"

namespace plimsoll::weights {
namespace {

struct Ending {
  std::string_view text;
  Format format;
};

constexpr std::array<Ending, 2> kEndings = {{
    {".safetensors", Format::kSafetensors},
    {".safetensors.index.json", Format::kSafetensors},
}};

}  // namespace

Expected<Format> DetectFormat(const ByteSource& source) {
  for (const Ending& ending : kEndings) {
    if (source.path().ends_with(ending.text)) return ending.format;
  }
  std::array<std::byte, 9> bytes = {};
  const size_t size = std::min<uint64_t>(source.size(), bytes.size());
  const Status read = source.ReadAt(0, std::span(bytes).first(size));
  if (!read) return tl::unexpected(read.error());
  const std::string_view head(reinterpret_cast<const char*>(bytes.data()), size);
  if (head.size() == 9 && head[8] == '{') return Format::kSafetensors;
  return BadValue(source.path(), "format", Printable(head),
                  "expected a name that ends in .safetensors or .safetensors.index.json");
}

Expected<Directory> ParseWeights(const ByteSource& source, Siblings& siblings,
                                 std::optional<Format> format) {
  if (!format) {
    const Expected<Format> detected = DetectFormat(source);
    if (!detected) return tl::unexpected(detected.error());
    format = *detected;
  }
  return source.path().ends_with(".json") ? ParseSafetensorsIndex(source, siblings)
                                          : ParseSafetensors(source);
}

}  // namespace plimsoll::weights
