#ifndef HARNESS_RUNNER_FUZZ_TARGETS_H_
#define HARNESS_RUNNER_FUZZ_TARGETS_H_

// What the fuzzers feed: the readers of what comes out of a process under test. Each takes
// any bytes and must come back; broken promises abort. Thread-safe.

#include <cstddef>
#include <cstdint>

namespace plimsoll {

// The agent's stream: in pieces as they may come, through decoder and conductor. The first
// byte chooses how large the pieces are.
void FuzzAgentStream(const uint8_t* data, size_t size);

// A program's output, searched for lines that are marks: the count must not depend on how
// the text was cut into pieces.
void FuzzMarkLines(const uint8_t* data, size_t size);

}  // namespace plimsoll

#endif  // HARNESS_RUNNER_FUZZ_TARGETS_H_
