// engine_corpus: the reference engine with every pattern of the corpus as a step.

#include "memleaks_tests/corpus/corpus.h"
#include "scenarios/engines/engine_main.h"
#include "scenarios/engines/reference/reference_engine.h"

int main(int argc, char** argv) {
  return plimsoll::EngineMain(argc, argv, "reference", [](const plimsoll::EngineConfig& config) {
    return plimsoll::MakeReferenceEngine(config, plimsoll::Corpus());
  });
}
