#ifndef TOOLS_PLAN_COMMAND_H_
#define TOOLS_PLAN_COMMAND_H_

// `plimsoll plan`: offsets for the buffers of a trace, planned offline. One thread at a
// time.

#include <CLI/CLI.hpp>

namespace plimsoll {

// Adds the subcommand; when it is the one asked for, its exit status is stored in
// `status` while `app` parses: 0 planned, and within the capacity if there is one; 1 some
// file's buffers are proven not to fit, or its offsets are checked and are no plan; 2 the request
// is wrong; 3 undecided.
void AddPlanCommand(CLI::App& app, int& status);

}  // namespace plimsoll

#endif  // TOOLS_PLAN_COMMAND_H_
