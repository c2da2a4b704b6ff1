// What harness/client.h finds in the process at run time.

#include "harness/client.h"
#include "harness/ledger/state.h"

extern "C" __attribute__((visibility("default"), noinline)) void plimsoll_agent_block(
    int acquired, const void* address, unsigned long size) {
  if (acquired != 0) {
    plimsoll::ledger::EnterAgentBlock(address, size, __builtin_frame_address(0));
  } else {
    plimsoll::ledger::LeaveAgentBlock(address);
  }
}
