#include "scenarios/script/script.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>
#include <utility>

#include "base/units.h"
#include "scenarios/script/document.h"
#include "scenarios/script/schema.h"

namespace plimsoll {
namespace {

using nlohmann::json;
using Pointer = json::json_pointer;

std::string Shown(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

json AsList(const json& value) { return value.is_array() ? value : json::array({value}); }

struct Variant {
  Document document;  // without `vary`
  std::string label;  // "[batch=4,threads=2]", or empty
};

// Each variant once for each element of `weights`, where that is a list.
void MultiplyWeights(const Document& document, std::vector<Variant>& variants) {
  const auto weights = document.value.find("weights");
  if (weights == document.value.end() || !weights->is_array()) return;
  std::vector<Variant> next;
  for (const Variant& variant : variants) {
    for (size_t i = 0; i < weights->size(); ++i) {
      const json& choice = (*weights)[i];
      Variant copy = variant;
      copy.document.value["weights"] = choice;
      const Pointer from = Pointer("/weights") / i;
      copy.document.lines[Pointer("/weights")] = document.LineOf(from);
      // In the order in which a person says it.
      for (const char* field : {"loader", "format", "prefetch"}) {
        if (!choice.contains(field)) continue;
        copy.document.lines[Pointer("/weights") / field] = document.LineOf(from / field);
        copy.label += (copy.label.empty() ? "" : ",") + Shown(choice[field]);
      }
      next.push_back(std::move(copy));
    }
  }
  variants = std::move(next);
}

// One for each combination of the values under `vary`, and of `weights`.
std::vector<Variant> Multiply(const Document& document) {
  std::vector<Variant> variants = {{document, ""}};
  variants[0].document.value.erase("vary");
  const json none = json::object();
  const auto vary = document.value.find("vary");
  for (const auto& [knob, values] : (vary == document.value.end() ? none : *vary).items()) {
    std::vector<Variant> next;
    for (const Variant& variant : variants) {
      for (const json& value : values) {
        Variant copy = variant;
        copy.document.value["knobs"][knob] = value;
        copy.document.lines[Pointer("/knobs") / knob] = document.LineOf(Pointer("/vary") / knob);
        copy.label += (copy.label.empty() ? "" : ",") + knob + "=" + Shown(value);
        next.push_back(std::move(copy));
      }
    }
    variants = std::move(next);
  }
  MultiplyWeights(document, variants);
  for (Variant& variant : variants) {
    if (!variant.label.empty()) variant.label = "[" + variant.label + "]";
  }
  return variants;
}

Expected<std::vector<Line>> ReadLines(const Document& document) {
  std::vector<Line> lines;
  const auto found = document.value.find("lines");
  if (found == document.value.end()) return lines;
  for (const auto& [key, value] : found->items()) {
    auto line = ParseLine(key, Shown(value), "script");
    if (!line) {
      return Fail(document.Where(Pointer("/lines") / key) + ": " + line.error().message);
    }
    lines.push_back(std::move(*line));
  }
  return lines;
}

// REQUIRES: the name of one, as the schema has it.
ResourceKind KindOf(const std::string& name) {
  size_t kind = 0;
  while (kind + 1 < kResourceKinds && name != ResourceKindName(static_cast<ResourceKind>(kind))) {
    ++kind;
  }
  return static_cast<ResourceKind>(kind);
}

Expected<std::vector<BoundedBy>> ReadBoundedBy(const Document& document) {
  std::vector<BoundedBy> caches;
  const auto found = document.value.find("bounded_by");
  if (found == document.value.end()) return caches;
  for (size_t i = 0; i < found->size(); ++i) {
    const json& item = (*found)[i];
    BoundedBy cache;
    cache.kind = KindOf(item.value("kind", "heap"));
    cache.why = item["why"];
    const Pointer at = Pointer("/bounded_by") / i;
    if (item.contains("bytes")) {
      const auto bytes = ParseBytes(Shown(item["bytes"]));
      if (!bytes) {
        return Fail(document.Where(at / "bytes") + ": " + DottedPath(at / "bytes") + ": " +
                    bytes.error().message);
      }
      cache.bytes = *bytes;
    }
    if (item.contains("blocks")) cache.blocks = item["blocks"].get<uint64_t>();
    if (!cache.bytes && !cache.blocks) {
      return Fail(document.Where(at) + ": " + DottedPath(at) +
                  ": missing 'bytes' or 'blocks', the cache's capacity");
    }
    caches.push_back(std::move(cache));
  }
  return caches;
}

Expected<std::optional<Noisy>> ReadNoisy(const Document& document) {
  const auto found = document.value.find("noisy");
  if (found == document.value.end()) return std::optional<Noisy>();
  Noisy noisy;
  if (found->contains("metrics")) noisy.metrics.clear();
  for (const json& name : found->value("metrics", json::array())) {
    const auto metric = NoisyMetricNamed(name.get<std::string>());
    if (!metric) return tl::unexpected(metric.error());
    noisy.metrics.push_back(*metric);
  }
  if (found->contains("children")) noisy.children = (*found)["children"].get<uint32_t>();
  if (found->contains("exclude")) {
    const Pointer at = Pointer("/noisy/exclude");
    const auto bytes = ParseBytes(Shown((*found)["exclude"]));
    if (!bytes || *bytes == 0) {
      return BadValue(document.Where(at), "noisy.exclude", Shown((*found)["exclude"]),
                      "expected bytes per iteration above 0, such as '4 KiB'");
    }
    noisy.exclude_bytes = *bytes;
  }
  return std::optional<Noisy>(std::move(noisy));
}

// A model file named by a relative path stands beside the script.
json LocateModels(const Document& document) {
  json models = json::array();
  for (const json& model : AsList(document.value["model"])) {
    const auto text = model.get<std::string>();
    const bool is_file = !text.starts_with("zoo:");
    // An absolute path replaces the folder.
    models.push_back(is_file ? (std::filesystem::path(document.path).parent_path() / text).string()
                             : text);
  }
  return models;
}

// What the engine reads: the script's own steps and knobs, and the case's coordinates.
std::string MakeConfig(const Document& document, const ScriptCase& one) {
  json config = {{"scenario", one.scenario}, {"engine", one.engine}, {"allocator", one.allocator}};
  for (const char* field : {"model", "setup", "iteration", "teardown", "knobs", "weights"}) {
    if (document.value.contains(field)) config[field] = document.value[field];
  }
  if (one.engine == "opencv") config["model"] = LocateModels(document);
  return config.dump();
}

Status ExpandOne(const Variant& variant, std::set<std::string>& names,
                 std::vector<ScriptCase>& cases) {
  const Document& document = variant.document;
  const json& value = document.value;
  ScriptCase common;
  common.scenario = value["scenario"].get<std::string>() + variant.label;
  common.script = document.Where(Pointer("/scenario"));
  common.warmup = value.value("warmup", common.warmup);
  common.iterations = value.value("iterations", common.iterations);
  common.input_cycle = value.value("input_cycle", common.input_cycle);
  common.early_stop = value.value("early_stop", common.early_stop);
  common.timeout_seconds = value.value("timeout", common.timeout_seconds);
  auto lines = ReadLines(document);
  if (!lines) return tl::unexpected(lines.error());
  common.lines = std::move(*lines);
  auto bounded_by = ReadBoundedBy(document);
  if (!bounded_by) return tl::unexpected(bounded_by.error());
  common.bounded_by = std::move(*bounded_by);

  auto noisy = ReadNoisy(document);
  if (!noisy) return tl::unexpected(noisy.error());
  common.noisy = std::move(*noisy);

  const json environments = value.value("environments", json::array({"glibc"}));
  for (const json& engine : AsList(value["engine"])) {
    for (const json& allocator : value.value("allocators", json::array({"system"}))) {
      for (const json& environment : environments) {
        ScriptCase one = common;
        one.engine = engine;
        one.allocator = allocator;
        if (environment.is_object()) {
          one.environment = environment["name"];
          one.custom_environment = {
              environment.value("preload", ""),
              environment.value("env", decltype(CustomEnvironment::variables)())};
        } else {
          one.environment = environment;
        }
        one.config_json = MakeConfig(document, one);
        if (!names.insert(one.Name()).second) {
          return BadValue(common.script, "", one.Name(), "the same case twice in one file");
        }
        cases.push_back(std::move(one));
      }
    }
  }
  return {};
}

bool IsScript(const std::filesystem::path& path) {
  return path.extension() == ".yaml" || path.extension() == ".yml";
}

}  // namespace

Expected<std::vector<ScriptCase>> LoadScript(const std::string& path) {
  const auto documents = LoadYaml(path);
  if (!documents) return tl::unexpected(documents.error());
  if (documents->empty()) return Fail(path + ": no scenario in the file");
  std::set<std::string> names;
  std::vector<ScriptCase> cases;
  for (const Document& document : *documents) {
    if (Status status = CheckAgainstSchema(document); !status) {
      return tl::unexpected(status.error());
    }
    for (const Variant& variant : Multiply(document)) {
      // A value under `vary` must do as a knob.
      if (Status status = CheckAgainstSchema(variant.document); !status) {
        return tl::unexpected(status.error());
      }
      if (Status status = ExpandOne(variant, names, cases); !status) {
        return tl::unexpected(status.error());
      }
    }
  }
  return cases;
}

Expected<std::vector<std::string>> FindScripts(const std::vector<std::string>& paths) {
  namespace fs = std::filesystem;
  std::vector<std::string> scripts;
  for (const std::string& path : paths) {
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (!fs::exists(status)) return SystemError(path, "open", error ? error.value() : ENOENT);
    if (!fs::is_directory(status)) {
      scripts.push_back(path);
      continue;
    }
    std::vector<std::string> found;
    fs::recursive_directory_iterator entry(path, error);
    for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
      if (entry->is_regular_file() && IsScript(entry->path())) found.push_back(entry->path());
    }
    if (error) return SystemError(path, "list", error.value());
    if (found.empty()) return Fail(path + ": no *.yaml or *.yml file in this folder");
    std::sort(found.begin(), found.end());
    scripts.insert(scripts.end(), found.begin(), found.end());
  }
  return scripts;
}

}  // namespace plimsoll
