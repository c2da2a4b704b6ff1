#ifndef TOOLS_WEIGHTS_COMMAND_H_
#define TOOLS_WEIGHTS_COMMAND_H_

// `plimsoll weights inspect|verify|convert`: weight files of every format that the loader
// reads, looked at, checked and rewritten. One thread at a time.

#include <CLI/CLI.hpp>

namespace plimsoll {

// Adds the subcommand; when it is the one asked for, its exit status is stored in
// `status` while `app` parses: 0 done, and what was verified is whole; 1 a verified file
// is damaged; 2 the request is wrong, such as a file that is not there or cannot be read.
void AddWeightsCommand(CLI::App& app, int& status);

}  // namespace plimsoll

#endif  // TOOLS_WEIGHTS_COMMAND_H_
