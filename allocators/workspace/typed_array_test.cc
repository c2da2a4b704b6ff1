#include "allocators/workspace/typed_array.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "allocators/workspace/device_memory.h"
#include "allocators/workspace/scope.h"
#include "allocators/workspace/test_support.h"

namespace plimsoll {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Builder = WorkspaceConfigurationBuilder;
using Floats = TypedArray<float>;

Builder Fixed() { return Builder().InitialSize(4096).Allocation(AllocationPolicy::kStrict); }

std::vector<float> Values(const Floats& array) {
  const std::span<float> values = Must(array.values());
  return {values.begin(), values.end()};
}

TEST(TypedArray, LivesInTheCurrentWorkspaceOrDetached) {
  const Floats detached = Must(Floats::Create({1, 2, 3}));
  EXPECT_FALSE(detached.attached());
  EXPECT_EQ(detached.workspace_id(), "");
  const auto ws = MakeWorkspace(Fixed());
  const WorkspaceScope scope = Must(ws->Enter());
  const Floats attached = Must(Floats::Create({1, 2, 3}));
  EXPECT_TRUE(attached.attached());
  EXPECT_EQ(attached.workspace_id(), "WS");
  EXPECT_EQ(attached.size(), 3u);
  EXPECT_EQ(ws->offset(), 16u);
  EXPECT_FALSE(Must(Floats::CreateDetached(3)).attached());
  EXPECT_EQ(ws->offset(), 16u);
}

TEST(TypedArray, ADetachedArrayEndsWithItsLastHandle) {
  CountingResource resource;
  std::pmr::memory_resource* before = SetDetachedResource(&resource);
  {
    std::optional<Floats> first = Must(Floats::Create({1, 2, 3}));
    Floats second = *first;
    first.reset();
    EXPECT_THAT(Values(second), ElementsAre(1, 2, 3));
    Floats third = std::move(second);
    third = Must(Floats::Create({4}));
    EXPECT_EQ(resource.calls(), 2u);
  }
  EXPECT_EQ(resource.live_bytes(), 0u);
  SetDetachedResource(before);
}

TEST(TypedArray, HandlesOnDetachedElementsMayEndOnAnyThread) {
  CountingResource resource;
  std::pmr::memory_resource* before = SetDetachedResource(&resource);
  for (uint64_t round = 0; round < Scaled(500); ++round) {
    const Floats array = Must(Floats::Create({1, 2, 3}));
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; ++t) {
      threads.emplace_back([copy = array] { EXPECT_EQ(copy.unchecked()[2], 3.0f); });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(resource.live_bytes(), 0u);
  SetDetachedResource(before);
}

TEST(TypedArray, AlignsWithItsElementsAndItsWorkspace) {
  struct alignas(128) Wide {
    char bytes[128];
  };
  const auto ws = MakeWorkspace(Fixed());
  const WorkspaceScope scope = Must(ws->Enter());
  for (int i = 0; i < 3; ++i) {
    Must(TypedArray<char>::Create(1));
    const auto wide = Must(TypedArray<Wide>::Create(2));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(wide.unchecked().data()) % 128, 0u);
    const auto detached = Must(TypedArray<Wide>::CreateDetached(2));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(detached.unchecked().data()) % 128, 0u);
  }
}

TEST(TypedArray, AttachCopiesIntoAnOpenWorkspace) {
  const auto ws = MakeWorkspace(Fixed());
  const Floats detached = Must(Floats::Create({1, 2, 3}));
  EXPECT_THAT(ErrorOf(detached.Attach(*ws)), HasSubstr("expected an open workspace"));
  const WorkspaceScope scope = Must(ws->Enter());
  const Floats attached = Must(detached.Attach(*ws));
  detached.unchecked()[0] = 9;
  EXPECT_THAT(Values(attached), ElementsAre(1, 2, 3));
  EXPECT_TRUE(attached.attached());
  EXPECT_FALSE(detached.attached()) << "the original stays where it is";
}

TEST(TypedArray, DetachOfADetachedArrayIsItself) {
  const Floats array = Must(Floats::Create({1, 2, 3}));
  EXPECT_EQ(Must(array.Detach()).unchecked().data(), array.unchecked().data());
}

TEST(TypedArray, LeverageGoesToTheParentOrDetaches) {
  const auto a = MakeWorkspace(Fixed(), "A");
  const auto b = MakeWorkspace(Fixed(), "B");
  const WorkspaceScope in_a = Must(a->Enter());
  const Floats of_a = Must(Floats::Create({1}));
  EXPECT_FALSE(Must(of_a.Leverage()).attached()) << "no parent";
  const WorkspaceScope in_b = Must(b->Enter());
  const Floats of_b = Must(Floats::Create({2}));
  EXPECT_EQ(Must(of_b.Leverage()).workspace_id(), "A");
  EXPECT_EQ(Must(of_a.Leverage()).unchecked().data(), of_a.unchecked().data())
      << "in the parent already";
  const OutsideScope out;
  EXPECT_EQ(Must(of_b.Leverage()).unchecked().data(), of_b.unchecked().data())
      << "no workspace is current";
  const Floats detached = Must(Floats::Create({3}));
  EXPECT_EQ(Must(detached.Leverage()).unchecked().data(), detached.unchecked().data());
}

TEST(TypedArray, LeverageToGoesToTheNamedOne) {
  const auto a = MakeWorkspace(Fixed(), "A");
  const auto b = MakeWorkspace(Fixed(), "B");
  const auto closed = MakeWorkspace(Fixed(), "CLOSED");
  const WorkspaceScope in_a = Must(a->Enter());
  const WorkspaceScope in_b = Must(b->Enter());
  const Floats array = Must(Floats::Create({1, 2}));
  EXPECT_EQ(Must(array.LeverageTo("A")).workspace_id(), "A");
  EXPECT_EQ(Must(array.LeverageTo("B")).unchecked().data(), array.unchecked().data());
  EXPECT_EQ(Must(array.LeverageTo("MISSING")).unchecked().data(), array.unchecked().data());
  EXPECT_EQ(Must(array.LeverageTo("CLOSED")).unchecked().data(), array.unchecked().data());
  EXPECT_THAT(ErrorOf(array.LeverageTo("CLOSED", /*enforce=*/true)),
              AllOf(HasSubstr("leverageTo 'CLOSED'"), HasSubstr("'B' (current), 'A'")));
  const Floats detached = Must(Floats::CreateDetached(2));
  EXPECT_FALSE(Must(detached.LeverageTo("A")).attached());
  EXPECT_FALSE(detached.LeverageTo("MISSING", /*enforce=*/true).has_value());
}

TEST(TypedArray, LeverageOrDetach) {
  const auto a = MakeWorkspace(Fixed(), "A");
  const auto b = MakeWorkspace(Fixed(), "B");
  const WorkspaceScope in_a = Must(a->Enter());
  const WorkspaceScope in_b = Must(b->Enter());
  const Floats array = Must(Floats::Create({1, 2}));
  EXPECT_EQ(Must(array.LeverageOrDetach("A")).workspace_id(), "A");
  EXPECT_FALSE(Must(array.LeverageOrDetach("MISSING")).attached());
}

TEST(TypedArray, MigrateGoesIntoTheCurrentOne) {
  const auto a = MakeWorkspace(Fixed(), "A");
  const auto b = MakeWorkspace(Fixed(), "B");
  const Floats detached = Must(Floats::Create({1, 2}));
  EXPECT_FALSE(Must(detached.Migrate()).attached());
  const WorkspaceScope in_a = Must(a->Enter());
  const Floats array = Must(detached.Migrate());
  EXPECT_EQ(array.workspace_id(), "A");
  EXPECT_EQ(Must(array.Migrate()).unchecked().data(), array.unchecked().data());
  {
    const WorkspaceScope in_b = Must(b->Enter());
    EXPECT_EQ(Must(array.Migrate()).workspace_id(), "B");
  }
  const OutsideScope out;
  EXPECT_EQ(Must(array.Migrate()).unchecked().data(), array.unchecked().data());
  EXPECT_FALSE(Must(array.Migrate(/*detach_when_outside=*/true)).attached());
}

TEST(TypedArray, OutlivingItsWorkspaceIsAnErrorThatNamesIt) {
  auto ws = MakeWorkspace(Fixed(), "GONE");
  Must(ws->Open());
  const Floats array = Must(Floats::Create({1, 2}));
  ws.reset();
  EXPECT_TRUE(array.attached());
  EXPECT_EQ(ErrorOf(array.values()),
            "array of 8 bytes of workspace 'GONE' (destroyed): made in generation 1; open "
            "workspaces: none");
  const auto next = MakeWorkspace(Fixed(), "NEXT");
  const WorkspaceScope scope = Must(next->Enter());
  EXPECT_THAT(ErrorOf(array.Migrate()), HasSubstr("'GONE' (destroyed)"));
}

TEST(TypedArray, AMoveThatDoesNotFitLeavesTheOriginalAlone) {
  const auto a = MakeWorkspace(
      Builder().InitialSize(64).Allocation(AllocationPolicy::kStrict).Spill(SpillPolicy::kFail),
      "A");
  const auto b = MakeWorkspace(Fixed(), "B");
  const WorkspaceScope in_a = Must(a->Enter());
  const WorkspaceScope in_b = Must(b->Enter());
  const Floats array = Must(Floats::Create(100));
  std::iota(array.unchecked().begin(), array.unchecked().end(), 0.0f);
  EXPECT_THAT(ErrorOf(array.Leverage()), HasSubstr("'A' (open, generation 1): full"));
  EXPECT_EQ(Values(array)[99], 99.0f);
}

TEST(TypedArray, MirroredArraysCopyBetweenHostAndDevice) {
  HostStandInDevice device;
  WorkspaceOptions options;
  options.device = &device;
  const auto ws = MakeWorkspace(Fixed(), "WS", options);
  const WorkspaceScope scope = Must(ws->Enter());
  const Floats array = Must(Floats::Create({1, 2, 3}));
  Must(array.ToDevice());
  std::fill(array.unchecked().begin(), array.unchecked().end(), 0.0f);
  Must(array.ToHost());
  EXPECT_THAT(Values(array), ElementsAre(1, 2, 3));
  // A moved array has its values on the device, too.
  const Floats moved = Must(Must(Floats::CreateDetached(3)).Migrate());
  std::fill(moved.unchecked().begin(), moved.unchecked().end(), 5.0f);
  const Floats copy = Must(moved.Attach(*ws));
  std::fill(copy.unchecked().begin(), copy.unchecked().end(), 0.0f);
  Must(copy.ToHost());
  EXPECT_THAT(Values(copy), ElementsAre(5, 5, 5));
  EXPECT_THAT(ErrorOf(Must(array.Detach()).ToDevice()), HasSubstr("not mirrored on a device"));
}

}  // namespace
}  // namespace plimsoll
