#ifndef MEMLEAKS_TESTS_WORKSPACE_PATTERNS_H_
#define MEMLEAKS_TESTS_WORKSPACE_PATTERNS_H_

// The mistakes that programs make with workspaces, planted, each beside its innocent
// twin. Thread-safe: a constant table.

#include <span>

#include "scenarios/engines/reference/pattern.h"

namespace plimsoll {

std::span<const Pattern> WorkspacePatterns();

}  // namespace plimsoll

#endif  // MEMLEAKS_TESTS_WORKSPACE_PATTERNS_H_
