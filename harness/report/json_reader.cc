#include "harness/report/json_reader.h"

#include <limits>

#include "harness/report/text.h"

namespace plimsoll {

JsonDocument::JsonDocument(std::string_view text, std::string_view where) : where_(where) {
  try {
    value_ = nlohmann::json::parse(text);
  } catch (const nlohmann::json::parse_error& error) {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: ...": its own name
    // says nothing to people.
    std::string_view message = error.what();
    if (const size_t end = message.find("] "); end != std::string_view::npos) {
      message.remove_prefix(end + 2);
    }
    error_ = Error{where_ + ": " + Printable(message)};
  }
}

JsonReader JsonReader::operator[](const char* key) const {
  const nlohmann::json* member = nullptr;
  if (value_ != nullptr && value_->is_object()) {
    const auto found = value_->find(key);
    if (found != value_->end()) member = &*found;
  }
  return {document_, member, path_.empty() ? key : path_ + "." + key};
}

JsonReader JsonReader::operator[](size_t index) const {
  const bool inside = value_ != nullptr && value_->is_array() && index < value_->size();
  return {document_, inside ? &(*value_)[index] : nullptr,
          path_ + "[" + std::to_string(index) + "]"};
}

bool JsonReader::IsNull() const { return value_ != nullptr && value_->is_null(); }

size_t JsonReader::Size() const {
  if (value_ != nullptr && value_->is_array()) return value_->size();
  Refuse("expected an array");
  return 0;
}

std::string JsonReader::Text() const {
  if (value_ != nullptr && value_->is_string()) return value_->get<std::string>();
  Refuse("expected a string");
  return "";
}

bool JsonReader::Truth() const {
  if (value_ != nullptr && value_->is_boolean()) return value_->get<bool>();
  Refuse("expected true or false");
  return false;
}

double JsonReader::Real() const {
  if (value_ != nullptr && value_->is_number()) return value_->get<double>();
  if (IsNull()) return std::numeric_limits<double>::quiet_NaN();
  Refuse("expected a number");
  return 0;
}

uint64_t JsonReader::Whole() const {
  if (value_ != nullptr && value_->is_number_unsigned()) return value_->get<uint64_t>();
  Refuse("expected a whole number of 0 or more");
  return 0;
}

uint32_t JsonReader::Count32() const {
  const uint64_t whole = Whole();
  if (whole > UINT32_MAX) Refuse("expected a whole number below 2^32");
  return static_cast<uint32_t>(whole);
}

std::optional<uint64_t> JsonReader::MaybeWhole() const {
  return IsNull() ? std::nullopt : std::optional<uint64_t>(Whole());
}

std::optional<double> JsonReader::MaybeReal() const {
  return IsNull() ? std::nullopt : std::optional<double>(Real());
}

void JsonReader::Refuse(const std::string& allowed) const {
  if (document_->error_) return;
  const std::string value =
      value_ == nullptr
          ? "missing"
          : Cut(Printable(value_->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)),
                60);
  document_->error_ =
      BadValue(document_->where_, path_.empty() ? "document" : path_, value, allowed).value();
}

}  // namespace plimsoll
