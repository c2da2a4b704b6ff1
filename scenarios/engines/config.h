#ifndef SCENARIOS_ENGINES_CONFIG_H_
#define SCENARIOS_ENGINES_CONFIG_H_

// What an engine's child binary is told to do: one case, resolved, as a JSON file.
// Plain data; thread-safe to read.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace plimsoll {

// One thing to do: "compile", or {"infer": 2}, or {"reshape": {"batch": 4}}.
struct Step {
  std::string name;
  nlohmann::json argument;  // null, a scalar or an object
  std::string where;        // "CONFIG.json: iteration[1].infer", for messages
};

struct EngineConfig {
  std::string path;  // of the file, for messages
  std::string scenario;
  std::string engine;
  std::string allocator = "system";
  std::vector<std::string> models;  // files; an engine may also know names of its own
  std::vector<Step> setup;          // once
  std::vector<Step> iteration;      // at least one
  std::vector<Step> teardown;       // once
  nlohmann::json knobs = nlohmann::json::object();
  nlohmann::json weights;  // how to load them (weights.h); null: in the runtime's own way
  std::string findings;    // file for what the engine found out (engine_main.h); empty: none
};

// Reads and checks the form of the file; each engine checks its own steps and knobs.
Expected<EngineConfig> LoadEngineConfig(const std::string& path);

// Reads typed fields of one object and remembers the first thing that is wrong, a
// field that nobody asked for included: read all, then ask Finish(). For one thread.
class FieldReader {
 public:
  // `where` begins every message. `object` must outlive the reader.
  FieldReader(const nlohmann::json& object, std::string where);
  // The argument of a step; a scalar stands for {"`scalar_field`": scalar}.
  FieldReader(const Step& step, std::string_view scalar_field);

  int64_t Integer(std::string_view field, int64_t otherwise, int64_t least, int64_t most);
  double Number(std::string_view field, double otherwise, double least, double most);
  bool Flag(std::string_view field, bool otherwise);
  std::string Text(std::string_view field, std::string_view otherwise);
  std::string Choice(std::string_view field, std::string_view otherwise,
                     std::span<const std::string_view> allowed);
  // A size in bytes: a number, or text such as "200 MiB".
  uint64_t Bytes(std::string_view field, uint64_t otherwise, uint64_t least, uint64_t most);
  // A list of integers, or one integer; absent: empty.
  std::vector<int64_t> Integers(std::string_view field, int64_t least, int64_t most);
  // A list of texts, or one text; absent: empty.
  std::vector<std::string> Texts(std::string_view field);

  Status Finish();

 private:
  const nlohmann::json* Find(std::string_view field);
  void Refuse(std::string_view field, const nlohmann::json& value, std::string_view allowed);

  nlohmann::json object_;
  std::string where_;
  std::vector<std::string> known_;
  std::optional<Error> first_error_;
};

}  // namespace plimsoll

#endif  // SCENARIOS_ENGINES_CONFIG_H_
