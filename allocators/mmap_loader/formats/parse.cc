#include "allocators/mmap_loader/formats/parse.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "allocators/mmap_loader/formats/blob.h"
#include "allocators/mmap_loader/formats/gguf.h"
#include "allocators/mmap_loader/formats/onnx.h"
#include "allocators/mmap_loader/formats/openvino_ir.h"
#include "allocators/mmap_loader/formats/safetensors.h"

namespace plimsoll::weights {
namespace {

struct Ending {
  std::string_view text;
  Format format;
};

// The first that fits counts.
constexpr std::array<Ending, 6> kEndings = {{
    {".safetensors", Format::kSafetensors},
    {".safetensors.index.json", Format::kSafetensors},
    {".onnx", Format::kOnnx},
    {".xml", Format::kOpenvinoIr},
    {".gguf", Format::kGguf},
    {".blob.json", Format::kBlob},
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
  if (head.starts_with("GGUF")) return Format::kGguf;
  if (head.starts_with("<?xml") || head.starts_with("<net")) return Format::kOpenvinoIr;
  if (head.size() == 9 && head[8] == '{') return Format::kSafetensors;
  if (head.starts_with('{')) return Format::kBlob;
  return BadValue(source.path(), "format", Printable(head),
                  "expected a name that ends in .safetensors, .safetensors.index.json, .onnx, "
                  ".xml, .gguf or .blob.json, or the first bytes of one but .onnx");
}

Expected<Directory> ParseWeights(const ByteSource& source, Siblings& siblings,
                                 std::optional<Format> format) {
  if (!format) {
    const Expected<Format> detected = DetectFormat(source);
    if (!detected) return tl::unexpected(detected.error());
    format = *detected;
  }
  switch (*format) {
    case Format::kSafetensors:
      return source.path().ends_with(".json") ? ParseSafetensorsIndex(source, siblings)
                                              : ParseSafetensors(source);
    case Format::kOnnx:
      return ParseOnnx(source, siblings);
    case Format::kOpenvinoIr:
      return ParseOpenvinoIr(source, siblings);
    case Format::kGguf:
      return ParseGguf(source);
    case Format::kBlob:
      return ParseBlob(source, siblings);
  }
  return Fail("no such format");
}

}  // namespace plimsoll::weights
