#ifndef SCENARIOS_SCRIPT_DOCUMENT_H_
#define SCENARIOS_SCRIPT_DOCUMENT_H_

// A YAML document as JSON that still knows its lines. Plain data; thread-safe to read.

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/error.h"

namespace plimsoll {

struct Document {
  std::string path;  // of the file
  nlohmann::json value;
  // 1-based line of each value, and of each key where the two differ, by JSON pointer.
  std::map<nlohmann::json::json_pointer, int> lines;

  // The line of `pointer`, or of the nearest thing around it that has one.
  int LineOf(nlohmann::json::json_pointer pointer) const;
  // "PATH:LINE".
  std::string Where(const nlohmann::json::json_pointer& pointer) const;
};

// Every document of a YAML file. Plain scalars become null, booleans, integers and
// numbers as in YAML 1.2's core schema; quoted ones stay text. Errors: cannot be read,
// is not YAML, a key twice in one mapping, a key that is not text, nesting beyond 100
// levels, more than 100,000 values (aliases expanded).
Expected<std::vector<Document>> LoadYaml(const std::string& path);

// "knobs.batch", "iteration[1].infer".
std::string DottedPath(const nlohmann::json::json_pointer& pointer);

}  // namespace plimsoll

#endif  // SCENARIOS_SCRIPT_DOCUMENT_H_
