#include "allocators/mmap_loader/formats/json_text.h"

#include <cstring>
#include <utility>

namespace plimsoll::weights {
namespace {

constexpr std::string_view kExpectedObject = "expected one JSON object";

}  // namespace

JsonText::JsonText(const ByteSource& source, std::string what, uint64_t bytes)
    : path_(source.path()),
      what_(std::move(what)),
      bytes_(bytes),
      text_(new char[bytes + simdjson::SIMDJSON_PADDING]) {
  std::memset(text_.get() + bytes, ' ', simdjson::SIMDJSON_PADDING);
}

Expected<std::unique_ptr<JsonText>> JsonText::Read(const ByteSource& source, uint64_t offset,
                                                   uint64_t bytes, std::string what) {
  std::unique_ptr<JsonText> text(new JsonText(source, std::move(what), bytes));
  const auto to = std::as_writable_bytes(std::span(text->text_.get(), bytes));
  if (const Status read = source.ReadAt(offset, to); !read) return tl::unexpected(read.error());
  if (bytes == 0 || text->text_[0] != '{') {
    return BadValue(text->path_, text->what_, Printable(std::string_view(text->text_.get(), bytes)),
                    "expected JSON that starts with '{'");
  }
  const simdjson::error_code code =
      text->parser_.iterate(text->text_.get(), bytes, bytes + simdjson::SIMDJSON_PADDING)
          .get(text->document_);
  if (code != simdjson::SUCCESS) {
    return BadValue(text->path_, text->what_, simdjson::error_message(code), kExpectedObject);
  }
  return text;
}

Expected<JsonText::Object> JsonText::Root() {
  Object object;
  const simdjson::error_code code = document_.get_object().get(object);
  if (code != simdjson::SUCCESS) return Syntax(code);
  return object;
}

Status JsonText::CheckEnd() {
  // Past the last token there is no location.
  if (document_.current_location().error() == simdjson::OUT_OF_BOUNDS) return {};
  return Syntax(simdjson::TRAILING_CONTENT);
}

tl::unexpected<Error> JsonText::Syntax(simdjson::error_code code) {
  std::string field = what_;
  const char* location = nullptr;
  if (document_.current_location().get(location) == simdjson::SUCCESS && location >= text_.get() &&
      location <= text_.get() + bytes_) {
    field += " at byte " + std::to_string(location - text_.get());
  }
  return BadValue(path_, field, simdjson::error_message(code), kExpectedObject);
}

tl::unexpected<Error> JsonText::Wrong(simdjson::error_code code, FieldName field,
                                      std::string_view expected) {
  return BadValue(path_, field.Text(), simdjson::error_message(code), expected);
}

Expected<JsonText::Object> JsonText::ObjectAt(simdjson::simdjson_result<Value> value,
                                              FieldName field) {
  Object object;
  const simdjson::error_code code = value.get_object().get(object);
  if (code != simdjson::SUCCESS) return Wrong(code, field, "expected an object");
  return object;
}

Expected<std::string_view> JsonText::StringAt(simdjson::simdjson_result<Value> value,
                                              FieldName field) {
  std::string_view text;
  const simdjson::error_code code = value.get_string().get(text);
  if (code != simdjson::SUCCESS) return Wrong(code, field, "expected a string");
  return text;
}

Expected<uint64_t> JsonText::UnsignedAt(simdjson::simdjson_result<Value> value, FieldName field) {
  uint64_t number = 0;
  const simdjson::error_code code = value.get_uint64().get(number);
  if (code != simdjson::SUCCESS) {
    return Wrong(code, field, "expected an integer from 0 to 18446744073709551615");
  }
  return number;
}

Status JsonText::UnsignedsAt(simdjson::simdjson_result<Value> value, FieldName field,
                             size_t longest, std::vector<uint64_t>& out) {
  constexpr std::string_view kExpected =
      "expected an array of integers from 0 to 18446744073709551615";
  simdjson::ondemand::array array;
  simdjson::error_code code = value.get_array().get(array);
  if (code != simdjson::SUCCESS) return Wrong(code, field, kExpected);
  size_t count = 0;
  for (auto element : array) {
    uint64_t number = 0;
    code = element.get_uint64().get(number);
    if (code != simdjson::SUCCESS) return Wrong(code, field, kExpected);
    if (++count > longest) {
      return BadValue(path_, field.Text(), "more than " + std::to_string(longest) + " numbers",
                      "expected at most " + std::to_string(longest));
    }
    out.push_back(number);
  }
  return {};
}

}  // namespace plimsoll::weights
