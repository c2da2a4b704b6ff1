// plimsoll: the command line. Each command is a few lines over a library.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/caller_folder.h"
#include "tools/exit_status.h"
#include "tools/plan_command.h"
#include "tools/run_command.h"
#include "tools/watch_command.h"
#include "tools/weights_command.h"

namespace {

constexpr char kVersion[] = "plimsoll 0.1.0";

constexpr char kFooter[] =
    "Exit status: 0 every case holds; 1 a case leaks or is over its line; 2 the request is\n"
    "wrong; 3 undecided (GROWING, INCONCLUSIVE, or nothing judged); 4 a case crashed, hung or\n"
    "was killed. A proven leak outranks a failed case.";

}  // namespace

int main(int argc, char** argv) {
  // Paths are the caller's.
  if (const plimsoll::Status entered = plimsoll::EnterCallerFolder(); !entered) {
    std::fprintf(stderr, "plimsoll: %s\n", entered.error().message.c_str());
    return plimsoll::kExitBadRequest;
  }
  CLI::App app(
      "Memory stress and leak tests for deep-learning runtimes: runs scenarios for many\n"
      "iterations, each in its own process, and says with evidence whether memory keeps\n"
      "growing, by how much per iteration, and from which line of code.",
      "plimsoll");
  app.set_version_flag("--version", kVersion);
  app.footer(kFooter);
  app.require_subcommand(1);
  int status = plimsoll::kExitHolds;
  plimsoll::AddRunCommand(app, status);
  plimsoll::AddWatchCommand(app, status);
  plimsoll::AddListCommand(app, status);
  plimsoll::AddWeightsCommand(app, status);
  plimsoll::AddPlanCommand(app, status);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? plimsoll::kExitHolds : plimsoll::kExitBadRequest;
  }
  return status;
}
