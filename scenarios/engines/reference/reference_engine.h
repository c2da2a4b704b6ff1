#ifndef SCENARIOS_ENGINES_REFERENCE_REFERENCE_ENGINE_H_
#define SCENARIOS_ENGINES_REFERENCE_REFERENCE_ENGINE_H_

// The bundled engine: a small runtime of dense layers on the allocator under test, and
// planted leaks beside it. It needs no other library. Used from one thread.

#include <memory>
#include <span>

#include "base/error.h"
#include "scenarios/engines/config.h"
#include "scenarios/engines/engine_main.h"
#include "scenarios/engines/reference/pattern.h"

namespace plimsoll {

// Steps:
//   compile         pack the weights and plan the activations of a network
//   infer: N        N forward passes (1); outputs must be equal, bit for bit
//   build           a network in training, from the seed
//   train: N        N training steps (1); the loss must be finite
//   release         drop both networks
//   ballast: SIZE   hold SIZE more bytes, every page of them touched
//   leak: SIZE      keep a reachable block of SIZE bytes; {bytes: SIZE, every: N}
//   pattern: NAME   one iteration of a pattern of `patterns`; {name: NAME, seed: N}
// Knobs: batch, features, width, depth, classes, learning_rate, seed (MiniOptions),
// print_loss, and those of the allocator (ArenaOptions, CyclicOptions).
Expected<std::unique_ptr<Engine>> MakeReferenceEngine(const EngineConfig& config,
                                                      std::span<const Pattern> patterns);

}  // namespace plimsoll

#endif  // SCENARIOS_ENGINES_REFERENCE_REFERENCE_ENGINE_H_
