#ifndef SCENARIOS_SCRIPT_SCHEMA_H_
#define SCENARIOS_SCRIPT_SCHEMA_H_

// Holds a script against the shipped JSON Schema (schema.json, draft 7). Thread-safe.

#include <string_view>

#include "base/error.h"
#include "scenarios/script/document.h"

namespace plimsoll {

// The text of schema.json, as built in.
std::string_view SchemaText();

// The first problem by line: "FILE:LINE: FIELD: 'VALUE': expected …", with the nearest
// known name beside an unknown one.
Status CheckAgainstSchema(const Document& document);

}  // namespace plimsoll

#endif  // SCENARIOS_SCRIPT_SCHEMA_H_
