#ifndef TOOLS_WATCH_COMMAND_H_
#define TOOLS_WATCH_COMMAND_H_

// `plimsoll watch -- COMMAND...`: any program, with the ledger preloaded, to a verdict.

#include <CLI/CLI.hpp>

namespace plimsoll {

// Adds the subcommand; when it is the one asked for, its exit status is stored in
// `status` while `app` parses.
void AddWatchCommand(CLI::App& app, int& status);

}  // namespace plimsoll

#endif  // TOOLS_WATCH_COMMAND_H_
