// Modules that go away. (dlopen is left alone: it finds libraries by who called it.)

#include <dlfcn.h>

#include "harness/ledger/interpose.h"
#include "harness/ledger/unwind.h"

PLIMSOLL_INTERPOSED int dlclose(void* handle) noexcept {
  const int error = PLIMSOLL_NEXT(dlclose)(handle);
  plimsoll::ledger::state.sites.ForgetUnloaded();
  plimsoll::ledger::ForgetUnwindRules();
  return error;
}
