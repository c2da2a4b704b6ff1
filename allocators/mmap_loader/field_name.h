#ifndef ALLOCATORS_MMAP_LOADER_FIELD_NAME_H_
#define ALLOCATORS_MMAP_LOADER_FIELD_NAME_H_

// What an error calls the place in a file where a value stood. Thread-safe: values.

#include <string>
#include <string_view>

namespace plimsoll::weights {

// `text` on one line and of bearable length, for an error: control characters and the
// bytes above ASCII that are not printable as \xNN, the middle of a long one left out.
std::string Printable(std::string_view text);

// Where in a file an error is. Parsers pass it down for every field they read, so its text
// is made only when it is needed.
struct FieldName {
  std::string_view kind = {};   // "tensor", "weight_map" …
  std::string_view owner = {};  // the name of the one among its kind
  std::string_view field = {};
  // "KIND 'OWNER': FIELD", the owner printable.
  std::string Text() const;
};
inline FieldName TensorField(std::string_view name, std::string_view field) {
  return {"tensor", name, field};
}

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_FIELD_NAME_H_
