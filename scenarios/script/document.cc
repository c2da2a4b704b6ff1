#include "scenarios/script/document.h"

#include <yaml-cpp/yaml.h>

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <fstream>
#include <regex>
#include <string_view>
#include <system_error>

namespace plimsoll {
namespace {

using nlohmann::json;
using Pointer = json::json_pointer;

constexpr int kDeepest = 100;
constexpr size_t kMostValues = 100'000;

// YAML 1.2 core schema, decimal forms.
json PlainScalar(const std::string& text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") {
    return nullptr;
  }
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  static const std::regex kInteger("[-+]?[0-9]+");
  static const std::regex kNumber("[-+]?([.][0-9]+|[0-9]+([.][0-9]*)?)([eE][-+]?[0-9]+)?");
  const char* begin = text.data() + (text[0] == '+' ? 1 : 0);
  const char* end = text.data() + text.size();
  if (std::regex_match(text, kInteger)) {
    int64_t number = 0;
    if (std::from_chars(begin, end, number).ec == std::errc()) return number;
  }
  if (std::regex_match(text, kNumber)) {
    double number = 0;
    if (std::from_chars(begin, end, number).ec == std::errc()) return number;
  }
  return text;
}

class Converter {
 public:
  explicit Converter(Document& document) : document_(document) {}

  Status Convert(const YAML::Node& node, const Pointer& at, int depth, json& out) {
    document_.lines.emplace(at, node.Mark().line + 1);
    if (depth > kDeepest) return Refuse(at, "", "nested more than 100 levels deep");
    if (++values_ > kMostValues) return Refuse(at, "", "more than 100000 values");
    switch (node.Type()) {
      case YAML::NodeType::Scalar:
        out = node.Tag() == "!" ? json(node.Scalar()) : PlainScalar(node.Scalar());
        return {};
      case YAML::NodeType::Sequence:
        return ConvertSequence(node, at, depth, out);
      case YAML::NodeType::Map:
        return ConvertMap(node, at, depth, out);
      default:
        out = nullptr;
        return {};
    }
  }

 private:
  Status ConvertSequence(const YAML::Node& node, const Pointer& at, int depth, json& out) {
    out = json::array();
    for (size_t i = 0; i < node.size(); ++i) {
      out.push_back(nullptr);
      if (Status status = Convert(node[i], at / i, depth + 1, out.back()); !status) return status;
    }
    return {};
  }

  Status ConvertMap(const YAML::Node& node, const Pointer& at, int depth, json& out) {
    out = json::object();
    for (const auto& field : node) {
      // The mark of a value on a line of its own would point below its key.
      const int line = field.first.Mark().line + 1;
      if (!field.first.IsScalar()) return Refuse(at, "", "expected keys that are text", line);
      const std::string& key = field.first.Scalar();
      if (out.contains(key)) return Refuse(at, key, "given twice", line);
      const Pointer inner = at / key;
      document_.lines[inner] = line;
      if (Status status = Convert(field.second, inner, depth + 1, out[key]); !status) {
        return status;
      }
    }
    return {};
  }

  Status Refuse(const Pointer& at, const std::string& value, std::string_view problem,
                int line = 0) const {
    const std::string where =
        line > 0 ? document_.path + ":" + std::to_string(line) : document_.Where(at);
    if (value.empty()) {
      const std::string field = DottedPath(at);
      return Fail(where + ": " + (field.empty() ? "" : field + ": ") + std::string(problem));
    }
    return BadValue(where, DottedPath(at), value, problem);
  }

  Document& document_;
  size_t values_ = 0;
};

}  // namespace

int Document::LineOf(Pointer pointer) const {
  while (true) {
    const auto found = lines.find(pointer);
    if (found != lines.end()) return found->second;
    if (pointer.empty()) return 1;
    pointer.pop_back();
  }
}

std::string Document::Where(const Pointer& pointer) const {
  return path + ":" + std::to_string(LineOf(pointer));
}

Expected<std::vector<Document>> LoadYaml(const std::string& path) {
  std::ifstream stream(path);
  if (!stream) return SystemError(path, "open the script", errno);
  std::vector<Document> documents;
  try {
    for (const YAML::Node& node : YAML::LoadAll(stream)) {
      Document document{path, nullptr, {}};
      if (Status status = Converter(document).Convert(node, Pointer(), 0, document.value);
          !status) {
        return tl::unexpected(status.error());
      }
      documents.push_back(std::move(document));
    }
  } catch (const YAML::Exception& error) {
    const std::string line = error.mark.is_null() ? "" : ":" + std::to_string(error.mark.line + 1);
    return Fail(path + line + ": " + error.msg);
  }
  if (stream.bad()) return SystemError(path, "read the script", EIO);
  return documents;
}

std::string DottedPath(const Pointer& pointer) {
  std::vector<std::string> parts;
  for (Pointer rest = pointer; !rest.empty(); rest.pop_back()) parts.push_back(rest.back());
  std::string dotted;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    const bool index = part->find_first_not_of("0123456789") == std::string::npos;
    if (index) {
      dotted += "[" + *part + "]";
    } else {
      dotted += (dotted.empty() ? "" : ".") + *part;
    }
  }
  return dotted;
}

}  // namespace plimsoll
