#ifndef SCENARIOS_ENGINES_TORCH_TRAINER_H_
#define SCENARIOS_ENGINES_TORCH_TRAINER_H_

// Trains one model on libtorch with synthetic, seeded data. Used from one thread. The
// header leaves libtorch out: it takes 15 s to compile.

#include <cstdint>
#include <memory>
#include <memory_resource>
#include <optional>
#include <string>
#include <vector>

#include "scenarios/engines/torch/options.h"
#include "scenarios/engines/weights.h"

namespace plimsoll {

// Equal options give equal losses, bit for bit, with one thread, whatever the
// allocator. Methods throw std::exception when libtorch does, or when a loss is not
// finite, and std::runtime_error before Build().
class Trainer {
 public:
  // `resource` holds the tensors; null: libtorch's own allocator does. It must live until
  // the process exits. `weights` has one file: Build() takes the weights from it.
  Trainer(const TorchOptions& options, std::pmr::memory_resource* resource,
          std::optional<WeightsChoice> weights = {});
  ~Trainer();

  void Build();                        // model and optimizer, from the seed
  void Release();                      // drops both
  void Train();                        // one step: forward, loss, backward, optimizer
  void Evaluate();                     // one forward pass and loss without gradients
  void Save(const std::string& path);  // model and optimizer
  void Load(const std::string& path);

  void Export(const std::string& path);  // the model's weights to a new file

  double last_loss() const { return last_loss_; }
  // How the weights of the last Build() are held; none without `weights`.
  std::vector<EngineFinding> Findings() const { return findings_; }

 private:
  struct State;

  TorchOptions options_;
  std::optional<WeightsChoice> weights_;
  std::vector<EngineFinding> findings_;
  double last_loss_ = 0;
  std::unique_ptr<State> state_;
};

}  // namespace plimsoll

#endif  // SCENARIOS_ENGINES_TORCH_TRAINER_H_
