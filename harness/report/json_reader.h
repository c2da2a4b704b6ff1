#ifndef HARNESS_REPORT_JSON_READER_H_
#define HARNESS_REPORT_JSON_READER_H_

// Reads a JSON document field by field and remembers the first thing that is wrong with
// it, so that code that reads needs no check at every step. Thread-compatible.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace plimsoll {

class JsonDocument;

// One place in a document. What is asked of it and is not there is an error of the
// document, and reads as 0, "", false or nothing. Does not outlive its document.
class JsonReader {
 public:
  // A member; every member of what is no object is missing.
  JsonReader operator[](const char* key) const;
  // An element of an array.
  JsonReader operator[](size_t index) const;

  bool IsNull() const;  // false when missing
  size_t Size() const;  // of an array
  std::string Text() const;
  bool Truth() const;
  double Real() const;  // null: NaN, which JSON cannot write
  uint64_t Whole() const;
  uint32_t Count32() const;
  std::optional<uint64_t> MaybeWhole() const;  // null: absent
  std::optional<double> MaybeReal() const;

  // Calls `visit` with each element of an array.
  template <typename Visit>
  void ForEach(Visit&& visit) const {
    for (size_t i = 0, size = Size(); i < size; ++i) visit((*this)[i]);
  }

  // Makes the value an error, unless there was one before: "WHERE: PATH: 'VALUE': ALLOWED".
  void Refuse(const std::string& allowed) const;

 private:
  friend class JsonDocument;
  JsonReader(JsonDocument* document, const nlohmann::json* value, std::string path)
      : document_(document), value_(value), path_(std::move(path)) {}

  JsonDocument* document_;
  const nlohmann::json* value_;  // nullptr: missing
  std::string path_;             // "cases[0].growth"
};

class JsonDocument {
 public:
  // `where` names the document in errors: a path.
  JsonDocument(std::string_view text, std::string_view where);

  JsonReader root() { return {this, &value_, ""}; }

  // The first error, if any.
  const std::optional<Error>& error() const { return error_; }

 private:
  friend class JsonReader;
  std::string where_;
  nlohmann::json value_;
  std::optional<Error> error_;
};

}  // namespace plimsoll

#endif  // HARNESS_REPORT_JSON_READER_H_
