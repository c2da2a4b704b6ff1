#ifndef SCENARIOS_ZOO_CACHE_H_
#define SCENARIOS_ZOO_CACHE_H_

// A folder of files that can be written again from scratch. Thread-safe; several
// processes may publish the same name at once, and the last one wins whole.

#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace plimsoll {

// The folders to try, best first: see zoo.h.
Expected<std::string> CacheFolder();

// Writes `folder`/`name` through `write`, which gets an open descriptor and returns an
// errno value, 0 for success. The file is complete and on disk before it has its name.
Status Publish(const std::string& folder, std::string_view name,
               const std::function<int(int descriptor)>& write);

}  // namespace plimsoll

#endif  // SCENARIOS_ZOO_CACHE_H_
