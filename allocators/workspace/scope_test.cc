#include "allocators/workspace/scope.h"

#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "allocators/workspace/test_support.h"

namespace plimsoll {
namespace {

using Builder = WorkspaceConfigurationBuilder;

Builder Fixed() { return Builder().InitialSize(1024).Allocation(AllocationPolicy::kStrict); }

TEST(WorkspaceScope, MovesKeepOneOpening) {
  const auto ws = MakeWorkspace(Fixed());
  std::vector<WorkspaceScope> scopes;
  scopes.push_back(Must(ws->Enter()));
  WorkspaceScope moved = std::move(scopes.front());
  scopes.clear();
  EXPECT_TRUE(ws->open());
  moved = Must(ws->Enter());  // closes the one it had
  EXPECT_EQ(ws->Statistics().depth, 1u);
  EXPECT_EQ(ws->generation(), 1u) << "the second was opened before the first was closed";
  Must(moved.Close());
  EXPECT_FALSE(ws->open());
}

TEST(WorkspaceScope, ParentIsWhatLiesUnderTheOutermostScopeOfTheCurrentOne) {
  const auto a = MakeWorkspace(Fixed(), "A");
  const auto b = MakeWorkspace(Fixed(), "B");
  ThreadScopes& scopes = ThreadScopes::Here();
  EXPECT_EQ(scopes.ParentOfCurrent(), nullptr);
  const WorkspaceScope in_a = Must(a->Enter());
  EXPECT_EQ(scopes.ParentOfCurrent(), nullptr);
  const WorkspaceScope in_b = Must(b->Enter());
  EXPECT_EQ(scopes.ParentOfCurrent(), a.get());
  const WorkspaceScope nested = Must(b->Enter());
  EXPECT_EQ(scopes.ParentOfCurrent(), a.get());
  const WorkspaceScope again_a = Must(a->Borrow());
  EXPECT_EQ(scopes.ParentOfCurrent(), nullptr);
  const OutsideScope out;
  EXPECT_EQ(scopes.ParentOfCurrent(), nullptr);
}

TEST(WorkspaceScope, OpenTextNamesEachOnceInnermostFirst) {
  const auto a = MakeWorkspace(Fixed(), "A");
  const auto b = MakeWorkspace(Fixed(), "B");
  const ThreadScopes& scopes = ThreadScopes::Here();
  EXPECT_EQ(scopes.OpenText(), "none");
  const WorkspaceScope in_a = Must(a->Enter());
  const WorkspaceScope in_b = Must(b->Enter());
  const WorkspaceScope again = Must(a->Enter());
  EXPECT_EQ(scopes.OpenText(), "'A' (current), 'B'");
  const OutsideScope out;
  EXPECT_EQ(scopes.OpenText(), "'A', 'B'") << "open, and none of them current";
}

TEST(WorkspaceScope, OutsideScopesNestAndRestore) {
  const auto ws = MakeWorkspace(Fixed());
  const WorkspaceScope scope = Must(ws->Enter());
  {
    OutsideScope out;
    {
      const WorkspaceScope inner = Must(ws->Enter());
      EXPECT_EQ(CurrentWorkspace(), ws.get());
      const OutsideScope deeper;
      EXPECT_EQ(CurrentWorkspace(), nullptr);
    }
    EXPECT_EQ(CurrentWorkspace(), nullptr);
    Must(out.Close());
    EXPECT_EQ(CurrentWorkspace(), ws.get());
    Must(out.Close());
  }
  EXPECT_EQ(CurrentWorkspace(), ws.get());
}

TEST(WorkspaceScope, NestsDeeperThanTheInlineStackAndComesBack) {
  const auto a = MakeWorkspace(Fixed(), "A");
  const auto b = MakeWorkspace(Fixed(), "B");
  {
    std::vector<WorkspaceScope> scopes;
    for (int i = 0; i < 500; ++i) {
      scopes.push_back(Must((i % 2 == 0 ? a : b)->Enter()));
      ASSERT_EQ(CurrentWorkspace(), (i % 2 == 0 ? a : b).get());
    }
    EXPECT_EQ(a->Statistics().depth, 250u);
    while (scopes.size() > 1) {
      scopes.pop_back();
      ASSERT_EQ(CurrentWorkspace(), (scopes.size() % 2 == 1 ? a : b).get());
    }
  }
  EXPECT_EQ(ThreadScopes::Here().depth(), 0u);
  EXPECT_EQ(a->generation(), 1u);
}

TEST(WorkspaceScope, EachThreadHasItsOwnStack) {
  const auto ws = MakeWorkspace(Fixed());
  const WorkspaceScope scope = Must(ws->Enter());
  std::thread([] {
    EXPECT_EQ(CurrentWorkspace(), nullptr);
    EXPECT_EQ(ThreadScopes::Here().depth(), 0u);
  }).join();
}

}  // namespace
}  // namespace plimsoll
