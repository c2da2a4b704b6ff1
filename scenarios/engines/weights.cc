#include "scenarios/engines/weights.h"

#include <array>
#include <string_view>

#include "base/units.h"

namespace plimsoll {
namespace {

constexpr std::array<std::string_view, 5> kLoaders = {"auto", "mmap", "private", "read", "direct"};
constexpr std::array<std::string_view, 3> kFormats = {"onnx", "safetensors", "blob"};
constexpr std::array<std::string_view, 5> kPrefetches = {"none", "populate", "willneed",
                                                         "sequential", "background"};

EngineFinding Finding(const char* kind, uint64_t tensors, uint64_t bytes, const std::string& text) {
  return {kind, static_cast<double>(bytes),
          std::to_string(tensors) + (tensors == 1 ? " tensor, " : " tensors, ") +
              FormatBytes(static_cast<double>(bytes)) + text};
}

}  // namespace

Expected<std::optional<WeightsChoice>> ReadWeightsChoice(const EngineConfig& config) {
  if (config.weights.is_null()) return std::nullopt;
  if (!config.weights.is_object()) {
    return BadValue(config.path, "weights", config.weights.dump(),
                    "expected an object of loader, format, prefetch and files");
  }
  FieldReader reader(config.weights, config.path + ": weights");
  const std::string loader = reader.Choice("loader", kLoaders[0], kLoaders);
  const std::string format = reader.Choice("format", "", kFormats);
  const std::string prefetch = reader.Choice("prefetch", kPrefetches[0], kPrefetches);
  WeightsChoice choice;
  choice.files = reader.Texts("files");
  if (const Status status = reader.Finish(); !status) return tl::unexpected(status.error());
  if (choice.files.size() != config.models.size()) {
    return BadValue(config.path + ": weights", "files", std::to_string(choice.files.size()),
                    "expected one for each model, " + std::to_string(config.models.size()));
  }
  choice.options.mode = *weights::ModeNamed(loader);
  choice.options.prefetch = *weights::PrefetchNamed(prefetch);
  if (!format.empty()) choice.options.format = weights::FormatNamed(format);
  return choice;
}

std::vector<EngineFinding> FindingsOf(const weights::LoadReport& report, const WeightsUse& use,
                                      const std::string& why_copied) {
  std::vector<EngineFinding> findings;
  if (use.in_place_tensors > 0) {
    findings.push_back(Finding("weights_in_place", use.in_place_tensors, use.in_place_bytes,
                               " used where the loader has them; loader " + report.reason));
  }
  if (use.copied_tensors > 0) {
    findings.push_back(Finding("weights_copied", use.copied_tensors, use.copied_bytes,
                               " copied: " + why_copied + "; loader " + report.reason));
  }
  for (EngineFinding& finding : findings) {
    for (const std::string& note : report.notes) finding.evidence += "; " + note;
  }
  return findings;
}

}  // namespace plimsoll
