#ifndef HARNESS_RUNNER_FUZZ_CONVERSATION_H_
#define HARNESS_RUNNER_FUZZ_CONVERSATION_H_

// What an agent that does everything right writes: where tests and fuzzers start from.
// Thread-safe.

#include <string>

namespace plimsoll {

// The bytes of an agent whose program leaks a block in each iteration: as far as the first
// decision, the second phase, and the frames that are asked for.
std::string Conversation();

// One sample and one message of each kind outside a snapshot.
std::string ShortConversation();

}  // namespace plimsoll

#endif  // HARNESS_RUNNER_FUZZ_CONVERSATION_H_
