#ifndef ALLOCATORS_MMAP_LOADER_FORMATS_JSON_TEXT_H_
#define ALLOCATORS_MMAP_LOADER_FORMATS_JSON_TEXT_H_

// A JSON text of a weight file, read with simdjson's on-demand interface, whose errors
// become lines that name the file and the field. One thread at a time.

#include <simdjson.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "allocators/mmap_loader/byte_source.h"
#include "allocators/mmap_loader/directory.h"
#include "base/error.h"

namespace plimsoll::weights {

class JsonText {
 public:
  using Value = simdjson::ondemand::value;
  using Object = simdjson::ondemand::object;

  // Copies `bytes` bytes from `offset`. An error when that cannot be read, or is not JSON
  // that starts with '{'. `what` is how errors call the text.
  static Expected<std::unique_ptr<JsonText>> Read(const ByteSource& source, uint64_t offset,
                                                  uint64_t bytes, std::string what);

  Expected<Object> Root();
  // An error when anything but spaces follows the root object. Call it last.
  Status CheckEnd();

  // `field` is where the value stands, for errors.
  Expected<Object> ObjectAt(simdjson::simdjson_result<Value> value, FieldName field);
  Expected<std::string_view> StringAt(simdjson::simdjson_result<Value> value, FieldName field);
  Expected<uint64_t> UnsignedAt(simdjson::simdjson_result<Value> value, FieldName field);
  // Appends to `out`; at most `longest` numbers.
  Status UnsignedsAt(simdjson::simdjson_result<Value> value, FieldName field, size_t longest,
                     std::vector<uint64_t>& out);

  // Of the text itself: a syntax error, with the byte where reading stopped. Only once Read
  // succeeded.
  tl::unexpected<Error> Syntax(simdjson::error_code code);
  // Of a field.
  tl::unexpected<Error> Wrong(simdjson::error_code code, FieldName field,
                              std::string_view expected);

 private:
  JsonText(const ByteSource& source, std::string what, uint64_t bytes);

  const std::string path_;
  const std::string what_;
  const size_t bytes_;
  std::unique_ptr<char[]> text_;  // and simdjson's padding
  simdjson::ondemand::parser parser_;
  simdjson::ondemand::document document_;
};

}  // namespace plimsoll::weights

#endif  // ALLOCATORS_MMAP_LOADER_FORMATS_JSON_TEXT_H_
