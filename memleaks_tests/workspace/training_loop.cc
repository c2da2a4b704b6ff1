#include "memleaks_tests/workspace/training_loop.h"

#include <algorithm>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>

#include "allocators/workspace/scope.h"
#include "allocators/workspace/test_support.h"
#include "allocators/workspace/workspace.h"

namespace plimsoll {
namespace {

constexpr const char* kStep = "STEP";
constexpr const char* kLayer = "LAYER";
constexpr uint64_t kInput = 0;  // the word of a layer is found from its number; 0: the input

void Fill(const TypedArray<uint64_t>& array, uint64_t word) {
  std::fill(array.unchecked().begin(), array.unchecked().end(), word);
}

void Verify(const TypedArray<uint64_t>& array, uint64_t word) {
  const std::span<uint64_t> words = Must(array.values());
  if (std::any_of(words.begin(), words.end(), [word](uint64_t w) { return w != word; })) {
    throw std::runtime_error("an array of " + std::to_string(words.size()) +
                             " words was written over");
  }
}

}  // namespace

TrainingLoop::TrainingLoop(WorkspaceManager& manager, const WorkspaceConfiguration& configuration,
                           uint64_t seed)
    : manager_(manager), configuration_(configuration), seed_(seed), weights_(kLayers + 1, 0) {}

size_t TrainingLoop::BatchWords() const {
  const uint64_t batch = iterations_ % kBatches;
  return batch == 5 ? 4 * 64 : 40 + 4 * batch;
}

uint64_t TrainingLoop::WordOf(uint64_t layer) const {
  return (seed_ << 48) ^ (iterations_ << 8) ^ layer;
}

TrainingLoop::Words TrainingLoop::Layer(const Words& input, uint64_t layer) {
  const WorkspaceScope scope = Must(manager_.Enter(configuration_, kLayer));
  const Words scratch = Must(Words::Create(input.size()));
  Fill(scratch, ~WordOf(layer));
  const Words activation = Must(Words::Create(input.size()));
  Verify(input, WordOf(layer - 1));
  Fill(activation, WordOf(layer));
  Verify(scratch, ~WordOf(layer));
  return Must(activation.LeverageTo(kStep, /*enforce=*/true));
}

void TrainingLoop::Backward(const std::vector<Words>& activations) {
  for (uint64_t layer = kLayers; layer > 0; --layer) {
    const WorkspaceScope scope = Must(manager_.Enter(configuration_, kLayer));
    const Words gradient = Must(Words::Create(activations[layer].size()));
    Fill(gradient, WordOf(layer) + 1);
    Verify(activations[layer], WordOf(layer));
    {
      // What outlives the step is computed outside of all workspaces.
      const OutsideScope outside;
      const Words update = Must(Words::Create(1));
      update.unchecked()[0] = Must(gradient.values())[0] - WordOf(layer);
      weights_[layer] += update.unchecked()[0];
    }
    const Words input_gradient = Must(gradient.Leverage());
    Verify(input_gradient, WordOf(layer) + 1);
    Verify(gradient, WordOf(layer) + 1);
  }
}

void TrainingLoop::NoteApart() {
  apart_bytes_ = 0;
  for (const char* id : {kStep, kLayer}) {
    const WorkspaceStatistics s = Must(manager_.Get(id))->Statistics();
    apart_bytes_ += s.spilled + s.pinned;
  }
}

void TrainingLoop::Train() {
  ++iterations_;
  {
    const WorkspaceScope scope = Must(manager_.Enter(configuration_, kStep));
    std::vector<Words> activations = {Must(Words::Create(BatchWords()))};
    Fill(activations[0], WordOf(kInput));
    for (uint64_t layer = 1; layer <= kLayers; ++layer) {
      activations.push_back(Layer(activations.back(), layer));
    }
    Backward(activations);
    for (uint64_t layer = 0; layer <= kLayers; ++layer) {
      Verify(activations[layer], WordOf(layer));
    }
    NoteApart();
  }
  if (CurrentWorkspace() != nullptr) throw std::runtime_error("a workspace is still current");
  if (weights_[kLayers] != iterations_) throw std::runtime_error("an update was lost");
}

void TrainingLoop::Evaluate() {
  ++iterations_;
  std::optional<Words> score;
  {
    const WorkspaceScope scope = Must(manager_.Enter(configuration_, kStep));
    Words activation = Must(Words::Create(BatchWords()));
    Fill(activation, WordOf(kInput));
    for (uint64_t layer = 1; layer <= kLayers; ++layer) activation = Layer(activation, layer);
    const WorkspaceScope borrowed = Must(Must(manager_.Get(kStep))->Borrow());
    score = Must(activation.Detach());
    NoteApart();
  }
  if (CurrentWorkspace() != nullptr) throw std::runtime_error("a workspace is still current");
  Verify(*score, WordOf(kLayers));
}

}  // namespace plimsoll
