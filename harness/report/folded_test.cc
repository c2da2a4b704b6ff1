#include "harness/report/folded.h"

#include <gtest/gtest.h>

namespace plimsoll {
namespace {

TEST(RenderFolded, OutermostFirstWithBytesPerThousandIterations) {
  CaseResult clean;
  clean.name = "a/reference/system/glibc";
  CaseResult leak;
  leak.name = "b/reference/system/glibc";
  SiteFinding heap;
  heap.bytes_per_iteration = 9.1428;
  heap.stack = {"Keep (a;b.cc:3)", "main (main.cc:7)"};
  SiteFinding descriptor;
  descriptor.kind = ResourceKind::kDescriptor;
  descriptor.blocks_per_iteration = 0.0001;
  leak.sites = {heap, descriptor};
  EXPECT_EQ(RenderFolded({clean, leak}),
            "b/reference/system/glibc;heap;main (main.cc:7);Keep (a:b.cc:3) 9143\n"
            "b/reference/system/glibc;descriptor 1\n");
  EXPECT_EQ(RenderFolded({clean}), "");
}

}  // namespace
}  // namespace plimsoll
