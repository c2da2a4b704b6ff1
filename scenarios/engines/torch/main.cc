#include "scenarios/engines/engine_main.h"
#include "scenarios/engines/torch/torch_engine.h"

int main(int argc, char** argv) {
  return plimsoll::EngineMain(argc, argv, "torch", plimsoll::MakeTorchEngine);
}
