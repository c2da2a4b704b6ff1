#include "harness/gate/suppression_file.h"

#include <yaml-cpp/yaml.h>

#include <cerrno>
#include <set>

namespace plimsoll {
namespace {

std::string Where(const std::string& path, const YAML::Node& node) {
  return path + ":" + std::to_string(node.Mark().line + 1);
}

std::string KindNames() {
  std::string names;
  for (size_t i = 0; i < kResourceKinds; ++i) {
    names += (i == 0 ? "" : ", ") + std::string(ResourceKindName(static_cast<ResourceKind>(i)));
  }
  return names;
}

std::optional<ResourceKind> KindOf(const std::string& name) {
  for (size_t i = 0; i < kResourceKinds; ++i) {
    const auto kind = static_cast<ResourceKind>(i);
    if (name == ResourceKindName(kind)) return kind;
  }
  return std::nullopt;
}

Expected<std::string> Text(const std::string& path, const YAML::Node& entry, const char* field) {
  const YAML::Node node = entry[field];
  if (!node || !node.IsScalar() || node.Scalar().empty()) {
    return BadValue(Where(path, node ? node : entry), field, "", "expected a text");
  }
  return node.Scalar();
}

Expected<Suppression> Read(const std::string& path, const YAML::Node& entry) {
  static const std::set<std::string> kFields = {"name", "reason", "kind", "stack"};
  if (!entry.IsMap()) {
    return BadValue(Where(path, entry), "suppressions", "", "expected name, reason and stack");
  }
  for (const auto& field : entry) {
    const std::string key = field.first.Scalar();
    if (kFields.count(key) == 0) {
      return BadValue(Where(path, field.first), "suppressions", key,
                      "expected one of name, reason, kind, stack");
    }
  }
  Suppression suppression;
  const Expected<std::string> name = Text(path, entry, "name");
  if (!name.has_value()) return tl::unexpected(name.error());
  const Expected<std::string> reason = Text(path, entry, "reason");
  if (!reason.has_value()) return tl::unexpected(reason.error());
  suppression.name = *name;
  suppression.reason = *reason;
  if (const YAML::Node kind = entry["kind"]) {
    const std::string text = kind.IsScalar() ? kind.Scalar() : "";
    suppression.kind = KindOf(text);
    if (!suppression.kind.has_value()) {
      return BadValue(Where(path, kind), "kind", text, "expected one of " + KindNames());
    }
  }
  const YAML::Node stack = entry["stack"];
  if (!stack || !stack.IsSequence() || stack.size() == 0) {
    return BadValue(Where(path, stack ? stack : entry), "stack", "",
                    "expected a list of regular expressions");
  }
  for (const YAML::Node& frame : stack) {
    const std::string pattern = frame.IsScalar() ? frame.Scalar() : "";
    try {
      if (pattern.empty()) throw std::regex_error(std::regex_constants::error_brace);
      suppression.frames.emplace_back(pattern);
    } catch (const std::regex_error&) {
      return BadValue(Where(path, frame), "stack", pattern, "expected a regular expression");
    }
  }
  return suppression;
}

}  // namespace

Expected<std::vector<Suppression>> LoadSuppressions(const std::string& path) {
  YAML::Node document;
  try {
    document = YAML::LoadFile(path);
  } catch (const YAML::BadFile&) {
    return SystemError(path, "cannot read", errno);
  } catch (const YAML::ParserException& error) {
    return Fail(path + ":" + std::to_string(error.mark.line + 1) + ": " + error.msg);
  }
  const YAML::Node list = document.IsMap() ? document["suppressions"] : YAML::Node();
  if (!list || !list.IsSequence()) {
    return BadValue(path + ":1", "suppressions", "", "expected a list");
  }
  std::vector<Suppression> suppressions;
  std::set<std::string> names;
  for (const YAML::Node& entry : list) {
    Expected<Suppression> suppression = Read(path, entry);
    if (!suppression.has_value()) return tl::unexpected(suppression.error());
    if (!names.insert(suppression->name).second) {
      return BadValue(Where(path, entry), "name", suppression->name, "expected a name of its own");
    }
    suppressions.push_back(*std::move(suppression));
  }
  return suppressions;
}

std::vector<std::string> SuppressionUse(const std::vector<Suppression>& suppressions,
                                        const std::vector<CaseResult>& results) {
  std::vector<std::string> lines;
  for (const Suppression& suppression : suppressions) {
    size_t sites = 0;
    size_t cases = 0;
    for (const CaseResult& result : results) {
      size_t here = 0;
      for (const SuppressedSite& site : result.suppressed) here += site.name == suppression.name;
      sites += here;
      cases += here > 0;
    }
    lines.push_back("suppression " + suppression.name + ": " +
                    (sites == 0
                         ? "not used: is it still needed?"
                         : std::to_string(sites) + (sites == 1 ? " site" : " sites") + " in " +
                               std::to_string(cases) + (cases == 1 ? " case" : " cases")) +
                    " (" + suppression.reason + ")");
  }
  return lines;
}

}  // namespace plimsoll
