#include "scenarios/engines/config.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>

#include "base/units.h"

namespace plimsoll {
namespace {

using nlohmann::json;

std::string Join(const std::vector<std::string>& names) {
  std::string joined;
  for (const std::string& name : names) joined += (joined.empty() ? "" : ", ") + name;
  return joined;
}

// As a person would have written it: text without quotes, the rest as JSON.
std::string Shown(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

Expected<Step> ReadStep(const json& value, const std::string& where) {
  if (value.is_string()) {
    const auto name = value.get<std::string>();
    return Step{name, nullptr, where + "." + name};
  }
  if (value.is_object() && value.size() == 1) {
    const auto field = value.begin();
    return Step{field.key(), field.value(), where + "." + field.key()};
  }
  return BadValue(where, "", Shown(value), "expected a step's name, or one 'name: argument'");
}

Expected<std::vector<Step>> ReadSteps(const json& file, const std::string& path,
                                      const std::string& field) {
  std::vector<Step> steps;
  if (!file.contains(field)) return steps;
  const json& list = file[field];
  if (!list.is_array()) return BadValue(path, field, Shown(list), "expected a list of steps");
  for (size_t i = 0; i < list.size(); ++i) {
    auto step = ReadStep(list[i], path + ": " + field + "[" + std::to_string(i) + "]");
    if (!step) return tl::unexpected(step.error());
    steps.push_back(std::move(*step));
  }
  return steps;
}

}  // namespace

Expected<EngineConfig> LoadEngineConfig(const std::string& path) {
  std::ifstream stream(path);
  if (!stream) return SystemError(path, "open the case", errno);
  const json file = json::parse(stream, nullptr, /*allow_exceptions=*/false);
  if (!file.is_object()) return Fail(path + ": expected a JSON object");

  EngineConfig config;
  config.path = path;
  // Steps, knobs and weights have readers of their own; everything else is read here.
  json plain = file;
  for (const char* field : {"setup", "iteration", "teardown", "knobs", "weights"}) {
    plain.erase(field);
  }
  FieldReader reader(plain, path);
  config.scenario = reader.Text("scenario", "");
  config.engine = reader.Text("engine", "");
  config.allocator = reader.Text("allocator", "system");
  config.models = reader.Texts("model");
  config.findings = reader.Text("findings", "");
  if (Status status = reader.Finish(); !status) return tl::unexpected(status.error());

  for (auto& [field, steps] :
       {std::pair{"setup", &config.setup}, std::pair{"iteration", &config.iteration},
        std::pair{"teardown", &config.teardown}}) {
    auto read = ReadSteps(file, path, field);
    if (!read) return tl::unexpected(read.error());
    *steps = std::move(*read);
  }
  if (config.iteration.empty()) {
    return BadValue(path, "iteration", "[]", "expected at least one step");
  }
  if (file.contains("weights")) config.weights = file["weights"];
  if (file.contains("knobs")) config.knobs = file["knobs"];
  if (!config.knobs.is_object()) {
    return BadValue(path, "knobs", Shown(config.knobs), "expected an object");
  }
  return config;
}

FieldReader::FieldReader(const json& object, std::string where)
    : object_(object), where_(std::move(where)) {}

FieldReader::FieldReader(const Step& step, std::string_view scalar_field) : where_(step.where) {
  if (step.argument.is_object()) {
    object_ = step.argument;
  } else {
    object_ = json::object();
    if (!step.argument.is_null()) object_[std::string(scalar_field)] = step.argument;
  }
}

const json* FieldReader::Find(std::string_view field) {
  known_.emplace_back(field);
  const auto found = object_.find(field);
  return found == object_.end() ? nullptr : &*found;
}

void FieldReader::Refuse(std::string_view field, const json& value, std::string_view allowed) {
  if (!first_error_) first_error_ = BadValue(where_, field, Shown(value), allowed).value();
}

int64_t FieldReader::Integer(std::string_view field, int64_t otherwise, int64_t least,
                             int64_t most) {
  const json* value = Find(field);
  if (value == nullptr) return otherwise;
  // A number beyond int64 is unsigned here, and too large for every field.
  if (value->is_number_integer() && !(value->is_number_unsigned() && *value > INT64_MAX)) {
    const auto number = value->get<int64_t>();
    if (number >= least && number <= most) return number;
  }
  Refuse(field, *value,
         "expected an integer from " + std::to_string(least) + " to " + std::to_string(most));
  return otherwise;
}

double FieldReader::Number(std::string_view field, double otherwise, double least, double most) {
  const json* value = Find(field);
  if (value == nullptr) return otherwise;
  if (value->is_number()) {
    const auto number = value->get<double>();
    if (number >= least && number <= most) return number;
  }
  std::ostringstream allowed;
  allowed << "expected a number from " << least << " to " << most;
  Refuse(field, *value, allowed.str());
  return otherwise;
}

bool FieldReader::Flag(std::string_view field, bool otherwise) {
  const json* value = Find(field);
  if (value == nullptr) return otherwise;
  if (value->is_boolean()) return value->get<bool>();
  Refuse(field, *value, "expected true or false");
  return otherwise;
}

std::string FieldReader::Text(std::string_view field, std::string_view otherwise) {
  const json* value = Find(field);
  if (value == nullptr) return std::string(otherwise);
  if (value->is_string()) return value->get<std::string>();
  Refuse(field, *value, "expected text");
  return std::string(otherwise);
}

std::string FieldReader::Choice(std::string_view field, std::string_view otherwise,
                                std::span<const std::string_view> allowed) {
  const json* value = Find(field);
  if (value == nullptr) return std::string(otherwise);
  if (value->is_string()) {
    auto text = value->get<std::string>();
    if (std::find(allowed.begin(), allowed.end(), text) != allowed.end()) return text;
  }
  Refuse(field, *value, "expected one of " + Join({allowed.begin(), allowed.end()}));
  return std::string(otherwise);
}

uint64_t FieldReader::Bytes(std::string_view field, uint64_t otherwise, uint64_t least,
                            uint64_t most) {
  const json* value = Find(field);
  if (value == nullptr) return otherwise;
  if (value->is_number_unsigned() || value->is_string()) {
    const Expected<uint64_t> bytes = ParseBytes(Shown(*value));
    if (bytes && *bytes >= least && *bytes <= most) return *bytes;
  }
  Refuse(field, *value,
         "expected a size from " + FormatBytes(static_cast<double>(least)) + " to " +
             FormatBytes(static_cast<double>(most)));
  return otherwise;
}

std::vector<int64_t> FieldReader::Integers(std::string_view field, int64_t least, int64_t most) {
  const json* value = Find(field);
  if (value == nullptr) return {};
  const json list = value->is_array() ? *value : json::array({*value});
  std::vector<int64_t> numbers;
  for (const json& item : list) {
    if (!item.is_number_integer() || item < least || item > most) {
      Refuse(field, *value,
             "expected integers from " + std::to_string(least) + " to " + std::to_string(most));
      return {};
    }
    numbers.push_back(item.get<int64_t>());
  }
  return numbers;
}

std::vector<std::string> FieldReader::Texts(std::string_view field) {
  const json* value = Find(field);
  if (value == nullptr) return {};
  const json list = value->is_array() ? *value : json::array({*value});
  std::vector<std::string> texts;
  for (const json& item : list) {
    if (!item.is_string()) {
      Refuse(field, *value, "expected text, or a list of texts");
      return {};
    }
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

Status FieldReader::Finish() {
  if (!first_error_) {
    for (const auto& [field, value] : object_.items()) {
      if (std::find(known_.begin(), known_.end(), field) != known_.end()) continue;
      Refuse(field, value,
             known_.empty() ? "takes no argument" : "unknown; expected " + Join(known_));
      break;
    }
  }
  if (first_error_) return tl::unexpected(*first_error_);
  return {};
}

}  // namespace plimsoll
