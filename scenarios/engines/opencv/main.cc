#include "scenarios/engines/engine_main.h"
#include "scenarios/engines/opencv/opencv_engine.h"

int main(int argc, char** argv) {
  return plimsoll::EngineMain(argc, argv, "opencv", plimsoll::MakeOpenCvEngine);
}
