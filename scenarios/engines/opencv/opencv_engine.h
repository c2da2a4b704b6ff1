#ifndef SCENARIOS_ENGINES_OPENCV_OPENCV_ENGINE_H_
#define SCENARIOS_ENGINES_OPENCV_OPENCV_ENGINE_H_

// Runs cases on OpenCV's DNN module: import, configure, infer, release, in the
// patterns of OpenVINO's memory-leak tests. Used from one thread; it starts its own.

#include <memory>

#include "base/error.h"
#include "scenarios/engines/config.h"
#include "scenarios/engines/engine_main.h"

namespace plimsoll {

// Models: .onnx files; every step acts on each of them in turn.
//
// Steps:
//   read                     import, and drop the network again
//   compile                  import, set backend and target, for every stream
//   infer: N                 N forward passes on the calling thread (1)
//   infer_in_thread: N       the same in a new thread, joined
//   infer_streams: N         N forward passes in every stream, each in a new thread
//   recreate_in_thread: N    compile, N forward passes and release in a new thread
//   reshape: {batch: N}      from now on infer with this batch size
//   reshape: {scale: N}      or with N times the model's own
//   release                  drop the networks
//
// Knobs: threads (OpenCV's pool; 0: its default), streams (1), backend (opencv or
// default), target (cpu or opencl), fusion (true), verify (true: every output must be
// finite and equal, bit for bit, to the first one of that model and batch size),
// input_shape (where the file leaves dimensions open).
//
// Weights (../weights.h): the loader loads them at each import. OpenCV's importer copies
// them, so none stay in place; the findings say so.
Expected<std::unique_ptr<Engine>> MakeOpenCvEngine(const EngineConfig& config);

}  // namespace plimsoll

#endif  // SCENARIOS_ENGINES_OPENCV_OPENCV_ENGINE_H_
