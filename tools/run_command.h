#ifndef TOOLS_RUN_COMMAND_H_
#define TOOLS_RUN_COMMAND_H_

// `plimsoll run PATH...` and `plimsoll list`: scenario scripts to a verdict table and
// result files.

#include <CLI/CLI.hpp>

namespace plimsoll {

// Adds the subcommand; when it is the one asked for, its exit status is stored in
// `status` while `app` parses.
void AddRunCommand(CLI::App& app, int& status);
void AddListCommand(CLI::App& app, int& status);

}  // namespace plimsoll

#endif  // TOOLS_RUN_COMMAND_H_
