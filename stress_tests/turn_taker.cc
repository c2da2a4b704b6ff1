// turn_taker NAME LOG TURNS [--crash]: appends NAME to the file LOG each time that it is its
// turn, then writes a result as a benchmark does; with --crash it dies in its last turn.

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include "stress_tests/turn.h"

int main(int argc, char** argv) {
  const std::string name = argv[1];
  const int turns = std::atoi(argv[3]);
  std::string out;
  bool crash = false;
  for (int i = 4; i < argc; ++i) {
    constexpr const char* kOut = "--benchmark_out=";
    if (std::strncmp(argv[i], kOut, std::strlen(kOut)) == 0) out = argv[i] + std::strlen(kOut);
    crash |= std::strcmp(argv[i], "--crash") == 0;
  }
  for (int turn = 0; turn < turns; ++turn) {
    plimsoll::WaitForTurn();
    std::ofstream(argv[2], std::ios::app) << name;
  }
  if (crash) std::abort();
  std::ofstream(out) << R"({"name": ")" << name << "\"}";
}
