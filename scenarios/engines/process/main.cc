#include "scenarios/engines/engine_main.h"
#include "scenarios/engines/process/process_engine.h"

int main(int argc, char** argv) {
  return plimsoll::EngineMain(argc, argv, "process", plimsoll::MakeProcessEngine);
}
