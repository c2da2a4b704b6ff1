#include "harness/sample.h"

namespace plimsoll {

const char* ResourceKindName(ResourceKind kind) {
  switch (kind) {
    case ResourceKind::kHeap:
      return "heap";
    case ResourceKind::kMapping:
      return "mapping";
    case ResourceKind::kDescriptor:
      return "descriptor";
    case ResourceKind::kThread:
      return "thread";
    case ResourceKind::kSharedMemory:
      return "shared memory";
    case ResourceKind::kTempFile:
      return "temporary file";
    case ResourceKind::kAllocatorBlock:
      return "allocator block";
  }
  return "unknown";
}

}  // namespace plimsoll
