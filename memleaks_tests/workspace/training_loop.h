#ifndef MEMLEAKS_TESTS_WORKSPACE_TRAINING_LOOP_H_
#define MEMLEAKS_TESTS_WORKSPACE_TRAINING_LOOP_H_

// Training and evaluation as a network does them on workspaces: an outer scope for the
// step, an inner one for each layer, results leveraged or detached out of them, batches
// that vary. Every word of every array is verified. An instance belongs to one thread.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "allocators/workspace/configuration.h"
#include "allocators/workspace/manager.h"
#include "allocators/workspace/typed_array.h"

namespace plimsoll {

class TrainingLoop {
 public:
  static constexpr uint64_t kLayers = 4;
  // Iterations until the sizes of the batches repeat. One of them is four times the others.
  static constexpr uint64_t kBatches = 7;

  // `manager` is borrowed; `configuration` is of the step's and of the layers' workspace,
  // and so must not name a file. `seed` makes the contents of one loop differ from another's.
  TrainingLoop(WorkspaceManager& manager, const WorkspaceConfiguration& configuration,
               uint64_t seed = 1);

  // One iteration: forward through all layers, then backward, with an update of weights
  // that live outside; or forward alone, with a score that is detached. Throws
  // std::runtime_error when a word of an array is wrong or a workspace refuses.
  void Train();
  void Evaluate();

  uint64_t iterations() const { return iterations_; }
  // Bytes that were in spilled or pinned blocks at the end of the last iteration's work,
  // in both workspaces.
  uint64_t apart_bytes() const { return apart_bytes_; }

 private:
  using Words = TypedArray<uint64_t>;

  size_t BatchWords() const;
  uint64_t WordOf(uint64_t layer) const;
  // The activation of `layer`, computed in an inner scope and leveraged to the outer one.
  Words Layer(const Words& input, uint64_t layer);
  void Backward(const std::vector<Words>& activations);
  void NoteApart();

  WorkspaceManager& manager_;
  const WorkspaceConfiguration configuration_;
  const uint64_t seed_;
  uint64_t iterations_ = 0;
  uint64_t apart_bytes_ = 0;
  std::vector<uint64_t> weights_;
};

}  // namespace plimsoll

#endif  // MEMLEAKS_TESTS_WORKSPACE_TRAINING_LOOP_H_
