// For preload_test and ledger_cost: PLIMSOLL_TEST_STACKS=full takes full stacks; at exit,
// what the sites of the main program hold, by kind, is written to the file named by
// PLIMSOLL_TEST_REPORT.

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/ledger/ledger.h"

namespace {

using namespace plimsoll;
using namespace plimsoll::ledger;

struct Program {
  uint64_t start, end;
};
struct Sums {
  Program program;
  HeldCount held[kResourceKinds];
};

__attribute__((constructor)) void Choose() {
  const char* stacks = getenv("PLIMSOLL_TEST_STACKS");
  if (stacks != nullptr && strcmp(stacks, "full") == 0) SetStackMode(StackMode::kFull);
}

__attribute__((destructor)) void Report() {
  const char* path = getenv("PLIMSOLL_TEST_REPORT");
  if (path == nullptr) return;
  Suppress own;
  Sums sums = {};
  Modules(&sums.program, [](void* context, const ModuleRow& row) {
    if (strstr(row.path, "test_program") != nullptr) {
      *static_cast<Program*>(context) = {row.start, row.end};
    }
  });
  const bool complete = TakeSnapshot(
      0, {.context = &sums,
          .site =
              [](void* context, const SiteRow& row) {
                auto* result = static_cast<Sums*>(context);
                uint64_t address = 0;
                if (Frames(row.site, &address, 1) == 0 || address < result->program.start ||
                    address >= result->program.end) {
                  return;
                }
                HeldCount& held = result->held[static_cast<size_t>(row.kind)];
                held.bytes += row.live_bytes;
                held.blocks += row.live_blocks;
              },
          .epoch = [](void*, const EpochRow&) {}});
  char text[512];
  int length = snprintf(text, sizeof text, "interposed %d complete %d\n", Interposed(), complete);
  for (size_t kind = 0; kind < kResourceKinds; ++kind) {
    length += snprintf(text + length, sizeof text - static_cast<size_t>(length), "%s: %lu in %lu\n",
                       ResourceKindName(static_cast<ResourceKind>(kind)),
                       static_cast<unsigned long>(sums.held[kind].bytes),
                       static_cast<unsigned long>(sums.held[kind].blocks));
  }
  const int file = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
  if (file < 0 || write(file, text, static_cast<size_t>(length)) != length) abort();
  close(file);
}

}  // namespace
