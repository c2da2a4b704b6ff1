#include "scenarios/script/schema.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>
#include <vector>

namespace plimsoll {
namespace {

using nlohmann::json;
using Pointer = json::json_pointer;

constexpr char kSchemaText[] =
#include "scenarios/script/schema.inc"
    ;

const json& SchemaJson() {
  static const json kSchema = json::parse(kSchemaText);
  return kSchema;
}

// One thing that valijson found wrong: where, in its own words.
struct Finding {
  Pointer at;
  std::string description;
};

// "[iteration]", "[1]" after "<root>" to a JSON pointer.
Pointer ToPointer(const std::vector<std::string>& context) {
  Pointer pointer;
  for (size_t i = 1; i < context.size(); ++i) {
    pointer.push_back(context[i].substr(1, context[i].size() - 2));
  }
  return pointer;
}

std::vector<Finding> Validate(const json& schema_json, const json& value) {
  valijson::Schema schema;
  valijson::SchemaParser parser;
  const valijson::adapters::NlohmannJsonAdapter schema_adapter(schema_json);
  parser.populateSchema(schema_adapter, schema);
  valijson::Validator validator(valijson::Validator::kStrongTypes);
  valijson::ValidationResults results;
  const valijson::adapters::NlohmannJsonAdapter target(value);
  std::vector<Finding> findings;
  if (validator.validate(schema, target, &results)) return findings;
  valijson::ValidationResults::Error error;
  while (results.popError(error)) {
    findings.push_back({ToPointer(error.context), error.description});
  }
  return findings;
}

// The parts of the schema that speak of one value: the node itself and what its $ref,
// allOf, anyOf and the branch chosen by `if` lead to.
void Expand(const json& node, const json& value, std::vector<const json*>& parts) {
  parts.push_back(&node);
  if (node.contains("$ref")) {
    Expand(SchemaJson().at(Pointer(node["$ref"].get<std::string>().substr(1))), value, parts);
  }
  for (const char* keyword : {"allOf", "anyOf"}) {
    if (!node.contains(keyword)) continue;
    for (const json& branch : node[keyword]) Expand(branch, value, parts);
  }
  if (node.contains("if")) {
    const char* branch = Validate(node["if"], value).empty() ? "then" : "else";
    if (node.contains(branch)) Expand(node[branch], value, parts);
  }
}

std::vector<const json*> PartsAt(const json& document, const Pointer& at) {
  std::vector<std::string> path;
  for (Pointer rest = at; !rest.empty(); rest.pop_back()) path.push_back(rest.back());
  std::reverse(path.begin(), path.end());
  const json* value = &document;
  std::vector<const json*> parts;
  Expand(SchemaJson(), *value, parts);
  for (const std::string& step : path) {
    value = value->is_array() ? &value->at(std::stoul(step)) : &value->at(step);
    std::vector<const json*> inner;
    for (const json* part : parts) {
      if (part->contains("properties") && (*part)["properties"].contains(step)) {
        Expand((*part)["properties"][step], *value, inner);
      } else if (part->contains("items")) {
        Expand((*part)["items"], *value, inner);
      } else if (part->contains("additionalProperties") &&
                 (*part)["additionalProperties"].is_object()) {
        Expand((*part)["additionalProperties"], *value, inner);
      }
    }
    parts = std::move(inner);
  }
  return parts;
}

std::string Shown(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string Join(const std::vector<std::string>& names) {
  std::string joined;
  for (const std::string& name : names) joined += (joined.empty() ? "" : ", ") + name;
  return joined;
}

// What one part of the schema allows; empty when it says nothing of the value itself.
std::string AllowedBy(const json& part) {
  if (part.contains("description")) return part["description"].get<std::string>();
  if (part.contains("enum")) {
    std::vector<std::string> names;
    for (const json& name : part["enum"]) names.push_back(Shown(name));
    return names.size() == 1 ? names[0] : "one of " + Join(names);
  }
  if (!part.contains("type")) return "";
  if (part["type"] == "object") return "a mapping of names to values";
  if (part["type"] == "boolean") return "true or false";
  if (part["type"] == "integer" || part["type"] == "number") {
    std::string text = part["type"] == "integer" ? "an integer" : "a number";
    if (part.contains("minimum")) text += " from " + part["minimum"].dump();
    if (part.contains("maximum")) text += " to " + part["maximum"].dump();
    return text;
  }
  return "";
}

// What the part that refuses the value allows instead; an outer part comes first.
std::string Allowed(const std::vector<const json*>& parts, const json& value) {
  std::string first_text;
  for (const json* part : parts) {
    const std::string text = AllowedBy(*part);
    if (text.empty()) continue;
    if (first_text.empty()) first_text = text;
    // Validation of one part alone needs the definitions that it refers to.
    json alone = *part;
    alone["definitions"] = SchemaJson()["definitions"];
    if (!Validate(alone, value).empty()) return text;
  }
  return first_text;
}

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

// "unknown; did you mean 'batch'? expected batch, size …".
std::string UnknownKey(const std::string& key, const std::vector<std::string>& known) {
  std::string text = "unknown; ";
  const auto nearest = std::min_element(known.begin(), known.end(),
                                        [&key](const std::string& a, const std::string& b) {
                                          return EditDistance(key, a) < EditDistance(key, b);
                                        });
  if (nearest != known.end() && EditDistance(key, *nearest) <= 1 + key.size() / 3) {
    text += "did you mean '" + *nearest + "'? ";
  }
  return text + "expected one of " + Join(known);
}

// A key of the object at `at` that some part closed to unknown keys does not list.
std::optional<Error> FindUnknownKey(const Document& document, const Pointer& at) {
  const json& object = document.value.at(at);
  if (!object.is_object()) return std::nullopt;
  const std::vector<const json*> parts = PartsAt(document.value, at);
  for (const json* part : parts) {
    if (!part->contains("additionalProperties") || (*part)["additionalProperties"] != false) {
      continue;
    }
    const json& properties = (*part)["properties"];
    std::vector<std::string> known;
    for (const auto& [name, schema] : properties.items()) known.push_back(name);
    for (const auto& [key, value] : object.items()) {
      if (properties.contains(key)) continue;
      return BadValue(document.Where(at / key), DottedPath(at), key, UnknownKey(key, known))
          .value();
    }
  }
  return std::nullopt;
}

std::optional<Error> FindMissingKey(const Document& document, const Pointer& at) {
  const json& object = document.value.at(at);
  if (!object.is_object()) return std::nullopt;
  for (const json* part : PartsAt(document.value, at)) {
    if (!part->contains("required")) continue;
    for (const json& name : (*part)["required"]) {
      const auto key = name.get<std::string>();
      if (object.contains(key)) continue;
      const std::string field = DottedPath(at);
      return Error{document.Where(at) + ": " + (field.empty() ? "" : field + ": ") + "missing '" +
                   key + "'"};
    }
  }
  return std::nullopt;
}

Error Explain(const Document& document, const Finding& finding) {
  if (auto unknown = FindUnknownKey(document, finding.at)) return *unknown;
  if (auto missing = FindMissingKey(document, finding.at)) return *missing;
  const json& value = document.value.at(finding.at);
  const std::string allowed = Allowed(PartsAt(document.value, finding.at), value);
  return BadValue(document.Where(finding.at), DottedPath(finding.at), Shown(value),
                  allowed.empty() ? finding.description : "expected " + allowed)
      .value();
}

bool IsInside(Pointer inner, const Pointer& outer) {
  while (!inner.empty()) {
    inner.pop_back();
    if (inner == outer) return true;
  }
  return false;
}

}  // namespace

std::string_view SchemaText() { return kSchemaText; }

Status CheckAgainstSchema(const Document& document) {
  const std::vector<Finding> findings = Validate(SchemaJson(), document.value);
  // Whatever encloses a problem is reported as wrong too: keep the innermost, and of
  // those the one that a reader meets first.
  const Finding* first = nullptr;
  for (const Finding& finding : findings) {
    const bool encloses = std::any_of(findings.begin(), findings.end(), [&](const Finding& other) {
      return IsInside(other.at, finding.at);
    });
    if (encloses) continue;
    if (first == nullptr || document.LineOf(finding.at) < document.LineOf(first->at)) {
      first = &finding;
    }
  }
  if (first == nullptr) return {};
  return tl::unexpected(Explain(document, *first));
}

}  // namespace plimsoll
