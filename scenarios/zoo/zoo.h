#ifndef SCENARIOS_ZOO_ZOO_H_
#define SCENARIOS_ZOO_ZOO_H_

// From what a script calls a model to an .onnx file on this machine. Thread-safe, and
// safe between processes: a model's file appears whole or not at all.

#include <string>
#include <string_view>

#include "base/error.h"

namespace plimsoll {

// "zoo:NAME": the path of the model's file, written to the cache folder first when it
// is not there. Anything else is taken as the path of a file, which must be readable.
//
// The cache folder is $PLIMSOLL_CACHE; else the first of $XDG_CACHE_HOME/plimsoll,
// ~/.cache/plimsoll and ${TMPDIR:-/tmp}/plimsoll-UID that can be written. Errors: an
// unknown zoo name (names listed), a missing file, no usable folder, no space.
Expected<std::string> ModelPath(std::string_view spec);

}  // namespace plimsoll

#endif  // SCENARIOS_ZOO_ZOO_H_
