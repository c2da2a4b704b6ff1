#include "scenarios/engines/torch/options.h"

#include <array>
#include <string_view>

namespace plimsoll {
namespace {

using Names = std::array<std::string_view, 3>;

constexpr Names kOptimizers = {"sgd", "momentum", "adam"};
constexpr Names kOrders = {"cycle", "random", "shuffled"};

template <typename Enum>
Enum ReadChoice(FieldReader& reader, std::string_view field, const Names& names) {
  const std::string chosen = reader.Choice(field, names[0], names);
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == chosen) return static_cast<Enum>(i);
  }
  return static_cast<Enum>(0);
}

// The defaults that a model's name stands for.
Expected<TorchOptions> Preset(const EngineConfig& config) {
  TorchOptions options;
  const std::string name = config.models.size() == 1 ? config.models[0] : "";
  if (name == "resnet50") {
    options.stage_blocks = {3, 4, 6, 3};
    options.width = 64;
    options.classes = 1000;
    options.size = 224;
  } else if (name == "mlp") {
    options.model = TrainedModel::kMlp;
    options.width = 256;
    options.size = 64;
  } else if (name == "transformer") {
    options.model = TrainedModel::kTransformer;
    options.width = 64;
  } else if (name != "resnet_small") {
    return BadValue(config.path, "model", name,
                    "expected one of resnet50, resnet_small, mlp, transformer");
  }
  return options;
}

}  // namespace

Expected<TorchOptions> ParseTorchOptions(const EngineConfig& config) {
  Expected<TorchOptions> preset = Preset(config);
  if (!preset) return preset;
  TorchOptions o = *preset;
  FieldReader knobs(config.knobs, config.path + ": knobs");
  const std::vector<int64_t> blocks = knobs.Integers("stage_blocks", 1, 64);
  if (!blocks.empty()) o.stage_blocks = blocks;
  o.width = knobs.Integer("width", o.width, 1, 8192);
  o.depth = knobs.Integer("depth", o.depth, 1, 256);
  o.heads = knobs.Integer("heads", o.heads, 1, 256);
  o.classes = knobs.Integer("classes", o.classes, 2, 100'000);
  o.batch = knobs.Integer("batch", o.batch, 1, 4096);
  o.size = knobs.Integer("size", o.size, 1, 4096);
  o.sizes = knobs.Integer("sizes", o.sizes, 1, 100'000);
  o.size_step = knobs.Integer("size_step", o.size_step, 1, 1024);
  o.order = ReadChoice<SizeOrder>(knobs, "order", kOrders);
  o.optimizer = ReadChoice<OptimizerKind>(knobs, "optimizer", kOptimizers);
  o.learning_rate = knobs.Number("learning_rate", o.learning_rate, 0.0, 100.0);
  o.gradients_to_none = knobs.Flag("gradients_to_none", o.gradients_to_none);
  o.threads = knobs.Integer("threads", o.threads, 1, 1024);
  o.prefetch = knobs.Integer("prefetch", o.prefetch, 0, 4096);
  o.prefetch_bytes = knobs.Bytes("prefetch_bytes", o.prefetch_bytes, 0, uint64_t{1} << 40);
  o.seed = static_cast<uint64_t>(knobs.Integer("seed", static_cast<int64_t>(o.seed), 0, INT64_MAX));
  o.print_loss = knobs.Flag("print_loss", o.print_loss);
  o.arena = ReadArenaOptions(knobs);
  if (Status status = knobs.Finish(); !status) return tl::unexpected(status.error());
  const std::string where = config.path + ": knobs";
  if (o.model == TrainedModel::kResNet && o.stage_blocks.size() != 4) {
    return BadValue(where, "stage_blocks", config.knobs["stage_blocks"].dump(),
                    "expected four numbers, one a stage");
  }
  if (o.model == TrainedModel::kTransformer && o.width % o.heads != 0) {
    return BadValue(where, "width", std::to_string(o.width),
                    "expected a multiple of heads (" + std::to_string(o.heads) + ")");
  }
  return o;
}

}  // namespace plimsoll
