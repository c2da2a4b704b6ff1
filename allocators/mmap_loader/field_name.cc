#include "allocators/mmap_loader/field_name.h"

namespace plimsoll::weights {

std::string Printable(std::string_view text) {
  constexpr size_t kLongest = 160;
  constexpr size_t kKept = 70;
  if (text.size() > kLongest) {
    return Printable(text.substr(0, kKept)) + "...(" + std::to_string(text.size()) + " bytes)..." +
           Printable(text.substr(text.size() - kKept));
  }
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      out += c;
    } else {
      constexpr char kHex[] = "0123456789abcdef";
      out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return out;
}

std::string FieldName::Text() const {
  std::string text(kind);
  if (!kind.empty()) text += " '" + Printable(owner) + "'";
  if (!kind.empty() && !field.empty()) text += ": ";
  // Some come from the file: a field that nobody knows.
  text += Printable(field);
  return text;
}

}  // namespace plimsoll::weights
