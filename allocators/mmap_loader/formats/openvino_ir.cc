#include "allocators/mmap_loader/formats/openvino_ir.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <pugixml.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace plimsoll::weights {
namespace {

constexpr uint64_t kLongestXml = uint64_t{1} << 30;
constexpr size_t kLargestRank = 64;
constexpr std::string_view kStringType = "string";

struct ElementType {
  std::string_view name;
  DType dtype;
};
constexpr std::array<ElementType, 23> kElementTypes = {{
    {"boolean", DType::kBool},  {"bf16", DType::kBF16},     {"f16", DType::kF16},
    {"f32", DType::kF32},       {"f64", DType::kF64},       {"i4", DType::kI4},
    {"i8", DType::kI8},         {"i16", DType::kI16},       {"i32", DType::kI32},
    {"i64", DType::kI64},       {"u1", DType::kU1},         {"u2", DType::kU2},
    {"u4", DType::kU4},         {"u8", DType::kU8},         {"u16", DType::kU16},
    {"u32", DType::kU32},       {"u64", DType::kU64},       {"nf4", DType::kNF4},
    {"f8e4m3", DType::kF8E4M3}, {"f8e5m2", DType::kF8E5M2}, {"f8e8m0", DType::kF8E8M0},
    {"f4e2m1", DType::kF4},     {"bin", DType::kU1},
}};

std::string ElementTypeNames() {
  std::string all;
  for (const ElementType& type : kElementTypes) {
    if (!all.empty()) all += ", ";
    all += type.name;
  }
  return all;
}

// All of `text` as a number.
std::optional<uint64_t> WholeNumber(std::string_view text) {
  uint64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

class IrReader {
 public:
  IrReader(const ByteSource& source, Siblings& siblings)
      : source_(source), siblings_(siblings), builder_(Format::kOpenvinoIr, source.path()) {}

  Expected<Directory> Read() {
    const Status read = ReadXml();
    if (!read) return tl::unexpected(read.error());
    if (has_bin_) {
      const Status layout = builder_.CheckLayout(0, {.aliases = true, .largest_gap = kAnyGap});
      if (!layout) return tl::unexpected(layout.error());
    }
    return builder_.Take();
  }

 private:
  // The children of a <net> or a body, and what its layers' names start with.
  struct Scope {
    pugi::xml_node node;
    std::string prefix;
  };

  Status ReadXml() {
    if (source_.size() > kLongestXml) {
      return BadValue(source_.path(), "file size in bytes", std::to_string(source_.size()),
                      "expected at most " + std::to_string(kLongestXml));
    }
    text_.resize(source_.size());
    if (const Status read = source_.ReadAt(0, text_); !read) return read;
    const pugi::xml_parse_result parsed = document_.load_buffer_inplace(text_.data(), text_.size());
    if (!parsed) {
      return BadValue(source_.path(), "XML at byte " + std::to_string(parsed.offset),
                      parsed.description(), "expected an OpenVINO model");
    }
    const pugi::xml_node net = document_.child("net");
    const std::string_view version = net.attribute("version").value();
    if (version != "10" && version != "11") {
      return BadValue(source_.path(), net ? "net version" : "net",
                      net ? Printable(version) : "missing",
                      "expected an OpenVINO model of version 10 or 11");
    }
    // A stack of our own: how deep bodies nest is up to the file.
    std::vector<Scope> scopes = {{net, ""}};
    while (!scopes.empty()) {
      const Scope scope = std::move(scopes.back());
      scopes.pop_back();
      for (const pugi::xml_node layer : scope.node.child("layers").children("layer")) {
        if (const Status read = ReadLayer(layer, scope.prefix, scopes); !read) return read;
      }
    }
    return {};
  }

  Status ReadLayer(pugi::xml_node layer, const std::string& prefix, std::vector<Scope>& scopes) {
    const std::string name = prefix + layer.attribute("name").value();
    if (std::string_view(layer.attribute("type").value()) == "Const") {
      return ReadConstant(name, layer.child("data"));
    }
    for (const pugi::xml_node child : layer.children()) {
      const std::string_view kind = child.name();
      if (kind.ends_with("body")) scopes.push_back({child, name + "/" + std::string(kind) + "/"});
    }
    return {};
  }

  Status ReadConstant(const std::string& name, pugi::xml_node data) {
    const std::string_view type = data.attribute("element_type").value();
    if (type == kStringType) {
      builder_.AddMetadata("string constant", name);
      return {};
    }
    std::optional<DType> dtype;
    for (const ElementType& known : kElementTypes) {
      if (known.name == type) dtype = known.dtype;
    }
    if (!dtype) {
      return BadValue(source_.path(), TensorField(name, "element_type").Text(), Printable(type),
                      "expected one of " + ElementTypeNames());
    }
    std::vector<uint64_t> shape;
    if (const Status read = ReadShape(name, data.attribute("shape").value(), shape); !read) {
      return read;
    }
    uint64_t offset = 0;
    uint64_t bytes = 0;
    if (const Status read = ReadNumber(name, data, "offset", offset); !read) return read;
    if (const Status read = ReadNumber(name, data, "size", bytes); !read) return read;
    if (const Status open = OpenBin(); !open) return open;
    return builder_.Add({.name = name,
                         .dtype = *dtype,
                         .shape = shape,
                         .file = 0,
                         .offset = offset,
                         .bytes = bytes},
                        "offset and size");
  }

  Status ReadShape(const std::string& name, std::string_view text, std::vector<uint64_t>& shape) {
    for (size_t begin = 0; !text.empty() && begin <= text.size();) {
      const size_t end = std::min(text.find(',', begin), text.size());
      std::string_view part = text.substr(begin, end - begin);
      while (part.starts_with(' ')) part.remove_prefix(1);
      const std::optional<uint64_t> dimension = WholeNumber(part);
      if (!dimension || shape.size() == kLargestRank) {
        return BadValue(source_.path(), TensorField(name, "shape").Text(), Printable(text),
                        "expected at most 64 integers, separated by commas");
      }
      shape.push_back(*dimension);
      begin = end + 1;
    }
    return {};
  }

  Status ReadNumber(const std::string& name, pugi::xml_node data, const char* field, uint64_t& to) {
    const std::string_view text = data.attribute(field).value();
    const std::optional<uint64_t> value = WholeNumber(text);
    if (!value) {
      return BadValue(source_.path(), TensorField(name, field).Text(), Printable(text),
                      "expected an integer from 0 to 18446744073709551615");
    }
    to = *value;
    return {};
  }

  // A model without constants needs no .bin.
  Status OpenBin() {
    if (has_bin_) return {};
    const std::string name = std::filesystem::path(source_.path()).stem().string() + ".bin";
    const auto bin = siblings_.Open(name, {.field = "weights"});
    if (!bin) return tl::unexpected(bin.error());
    builder_.AddFile((*bin)->path(), (*bin)->size());
    has_bin_ = true;
    return {};
  }

  const ByteSource& source_;
  Siblings& siblings_;
  DirectoryBuilder builder_;
  std::vector<std::byte> text_;  // document_ points into it
  pugi::xml_document document_;
  bool has_bin_ = false;
};

}  // namespace

Expected<Directory> ParseOpenvinoIr(const ByteSource& source, Siblings& siblings) {
  return IrReader(source, siblings).Read();
}

}  // namespace plimsoll::weights
