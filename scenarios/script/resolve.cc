#include "scenarios/script/resolve.h"

#include <nlohmann/json.hpp>

#include "scenarios/zoo/zoo.h"

namespace plimsoll {

Expected<std::string> ResolveConfig(const ScriptCase& script_case) {
  // Other engines build their models themselves.
  if (script_case.engine != "opencv") return script_case.config_json;
  nlohmann::json config = nlohmann::json::parse(script_case.config_json);
  for (nlohmann::json& model : config["model"]) {
    const Expected<std::string> path = ModelPath(model.get<std::string>());
    if (!path) return Fail(script_case.script + ": " + path.error().message);
    model = *path;
  }
  return config.dump();
}

}  // namespace plimsoll
