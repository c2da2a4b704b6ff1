#include "allocators/memory_limit/memory_limit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "base/units.h"

namespace plimsoll {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// A process whose anonymous memory is what the test says.
class FakeMemory final : public AnonymousMemory {
 public:
  Expected<uint64_t> Approximate() override { return resident.load(); }
  Expected<uint64_t> Exact() override {
    if (exact_fails) return Fail("no rollup here");
    return resident.load();
  }
  std::atomic<uint64_t> resident{0};
  bool exact_fails = false;
};

std::unique_ptr<MemoryLimit> Limit(uint64_t max_bytes, uint64_t max_physical = 0,
                                   AnonymousMemory* memory = nullptr) {
  return std::move(MemoryLimit::Create({max_bytes, max_physical}, memory).value());
}

template <typename T>
std::string ErrorOf(const Expected<T>& value) {
  return value ? "no error" : value.error().message;
}

TEST(MemoryLimitOptions, ParsesUnits) {
  const MemoryLimitOptions options =
      MemoryLimitOptions::Parse("max_bytes=8G, max_physical_bytes = 512 MiB").value();
  EXPECT_EQ(options.max_bytes, 8_GiB);
  EXPECT_EQ(options.max_physical_bytes, 512_MiB);
  EXPECT_EQ(MemoryLimitOptions::Parse("").value().max_bytes, 0u);
}

TEST(MemoryLimitOptions, UnparsableIsAnErrorAndNotIgnored) {
  EXPECT_THAT(ErrorOf(MemoryLimitOptions::Parse("max_bytes=8 gigs")),
              AllOf(HasSubstr("memory limit: max_bytes: '8 gigs'"), HasSubstr("'450 MiB'")));
  EXPECT_THAT(ErrorOf(MemoryLimitOptions::Parse("maxbytes=8G")),
              HasSubstr("field: 'maxbytes': expected max_bytes or max_physical_bytes"));
  EXPECT_THAT(ErrorOf(MemoryLimitOptions::Parse("max_bytes=-1")), HasSubstr("'-1'"));
  EXPECT_THAT(ErrorOf(MemoryLimitOptions::Parse("max_bytes")), HasSubstr("max_bytes: ''"));
}

TEST(MemoryLimitOptions, ReadsTheEnvironment) {
  ::setenv("PLIMSOLL_MAX_BYTES", "8G", 1);
  ::setenv("PLIMSOLL_MAX_PHYSICAL_BYTES", "", 1);
  EXPECT_EQ(MemoryLimitOptions::FromEnvironment().value().max_bytes, 8_GiB);
  EXPECT_EQ(MemoryLimitOptions::FromEnvironment().value().max_physical_bytes, 0u);
  ::setenv("PLIMSOLL_MAX_PHYSICAL_BYTES", "8GG", 1);
  EXPECT_THAT(ErrorOf(MemoryLimitOptions::FromEnvironment()),
              HasSubstr("environment: PLIMSOLL_MAX_PHYSICAL_BYTES: '8GG'"));
  ::unsetenv("PLIMSOLL_MAX_BYTES");
  ::unsetenv("PLIMSOLL_MAX_PHYSICAL_BYTES");
}

TEST(MemoryLimit, ReservesCommitsAndReleases) {
  const auto limit = Limit(100);
  MemoryHolder holder(*limit, "weights");
  {
    MemoryReservation reservation = limit->Reserve(holder, 60).value();
    EXPECT_EQ(limit->in_use(), 60u);
    EXPECT_EQ(holder.bytes(), 0u) << "reserved is not held yet";
    EXPECT_FALSE(limit->Reserve(holder, 41).has_value());
    EXPECT_TRUE(limit->Reserve(holder, 40).has_value()) << "given back at once";
    reservation.Commit();
  }
  EXPECT_EQ(holder.bytes(), 60u);
  EXPECT_EQ(limit->in_use(), 60u);
  limit->Release(holder, 60);
  EXPECT_EQ(limit->in_use(), 0u);
  EXPECT_EQ(limit->Statistics().peak, 100u);
  EXPECT_EQ(limit->Statistics().refused, 1u);
}

TEST(MemoryLimit, AReservationThatIsNotCommittedGivesEverythingBack) {
  const auto limit = Limit(100, 1_GiB);
  MemoryHolder holder(*limit, "weights");
  for (int i = 0; i < 10; ++i) {
    const MemoryReservation reservation = limit->Reserve(holder, 100).value();
  }
  EXPECT_EQ(limit->in_use(), 0u);
}

TEST(MemoryLimit, ChargesOverManyHoldersCountAllOrNone) {
  const auto limit = Limit(100);
  std::vector<std::unique_ptr<MemoryHolder>> holders;
  std::vector<MemoryCharge> charges;
  for (int i = 0; i < 10; ++i) {
    holders.push_back(std::make_unique<MemoryHolder>(*limit, "part " + std::to_string(i)));
    charges.push_back({holders.back().get(), 10});
  }
  {
    MemoryReservation all = limit->Reserve(charges).value();
    all.Commit();
  }
  EXPECT_EQ(limit->in_use(), 100u);
  for (const auto& holder : holders) EXPECT_EQ(holder->bytes(), 10u);
  charges.resize(2);
  EXPECT_FALSE(limit->Reserve(charges).has_value());
  EXPECT_EQ(limit->in_use(), 100u);
  for (const auto& holder : holders) limit->Release(*holder, 10);
}

TEST(MemoryLimit, OverflowingChargesAreAnError) {
  const auto limit = Limit(0);
  MemoryHolder holder(*limit, "weights");
  const std::vector<MemoryCharge> charges = {{&holder, INT64_MAX}, {&holder, 1}};
  EXPECT_THAT(ErrorOf(limit->Reserve(charges)), HasSubstr("more than 2^63 - 1 bytes"));
  EXPECT_EQ(limit->in_use(), 0u);
}

TEST(MemoryLimit, ErrorNamesSizeUseLimitThreadAndTopHolders) {
  FakeMemory memory;
  memory.resident = 200_MiB;
  const auto limit = Limit(512_MiB, 1_GiB, &memory);
  std::vector<std::unique_ptr<MemoryHolder>> holders;
  for (uint64_t i = 1; i <= 7; ++i) {
    holders.push_back(std::make_unique<MemoryHolder>(*limit, "holder, " + std::to_string(i)));
    limit->Reserve(*holders.back(), i * 16_MiB).value().Commit();
  }
  std::thread([&] {
    ::pthread_setname_np(::pthread_self(), "trainer-3");
    EXPECT_THAT(
        ErrorOf(limit->Reserve(*holders[0], 100_MiB)),
        AllOf(HasSubstr("memory limit: out of memory over max_bytes: asked 100 MiB; in use 448 "
                        "MiB of 512 MiB; anonymous RSS 200 MiB of 1.00 GiB; thread "),
              HasSubstr(" 'trainer-3'; top holders: 'holder, 7' 112 MiB, 'holder, 6' 96.0 MiB, "
                        "'holder, 5' 80.0 MiB, 'holder, 4' 64.0 MiB, 'holder, 3' 48.0 MiB; "
                        "reclaimed: nobody to ask"),
              Not(HasSubstr("holder, 2"))));
  }).join();
  for (const auto& holder : holders) limit->Release(*holder, holder->bytes());
}

TEST(MemoryLimit, PhysicalLimitCountsWhatIsResidentAndWhatIsReserved) {
  FakeMemory memory;
  memory.resident = 300_MiB;
  const auto limit = Limit(0, 512_MiB, &memory);
  MemoryHolder holder(*limit, "weights");
  {
    const MemoryReservation first = limit->Reserve(holder, 200_MiB).value();
    EXPECT_THAT(ErrorOf(limit->Reserve(holder, 13_MiB)),
                AllOf(HasSubstr("over max_physical_bytes: asked 13.0 MiB"),
                      HasSubstr("anonymous RSS 300 MiB of 512 MiB"),
                      HasSubstr("in use 200 MiB of unlimited")));
    EXPECT_TRUE(limit->Reserve(holder, 12_MiB).has_value());
  }
  memory.resident = 513_MiB;
  EXPECT_FALSE(limit->Reserve(holder, 1).has_value());
  EXPECT_EQ(limit->in_use(), 0u) << "a refused request counts nothing";
}

TEST(MemoryLimit, PhysicalLimitThatCannotBeMeasuredIsRefusedAtOnce) {
  FakeMemory memory;
  memory.exact_fails = true;
  EXPECT_THAT(ErrorOf(MemoryLimit::Create({0, 1_GiB}, &memory)),
              AllOf(HasSubstr("max_physical_bytes"), HasSubstr("no rollup here")));
  EXPECT_TRUE(MemoryLimit::Create({1_GiB, 0}, &memory).has_value());
}

TEST(MemoryLimit, AsksHooksInOrderUntilItFits) {
  const auto limit = Limit(100);
  MemoryHolder spare(*limit, "spare");
  MemoryHolder holder(*limit, "weights");
  limit->Reserve(spare, 90).value().Commit();
  std::string asked;
  const auto hook = [&](char name, uint64_t gives) {
    return [&, name, gives](uint64_t wanted) {
      EXPECT_EQ(wanted, 50u);
      asked += name;
      if (gives > 0) limit->Release(spare, gives);
      return gives;
    };
  };
  const auto a = limit->hooks().Add("nothing", hook('a', 0));
  const auto b = limit->hooks().Add("some", hook('b', 60));
  const auto c = limit->hooks().Add("more", hook('c', 10));
  limit->Reserve(holder, 50).value().Commit();
  EXPECT_EQ(asked, "ab") << "the third was not needed";
  EXPECT_EQ(limit->Statistics().reclaimed, 60u);
  EXPECT_EQ(limit->in_use(), 80u);
  limit->Release(spare, 30);
  limit->Release(holder, 50);
}

TEST(MemoryLimit, ErrorSaysWhatWasReclaimed) {
  const auto limit = Limit(100);
  MemoryHolder holder(*limit, "weights");
  const auto a = limit->hooks().Add("workspaces", [](uint64_t) -> uint64_t { return 2048; });
  const auto b = limit->hooks().Add("queue", [](uint64_t) -> uint64_t { return 0; });
  EXPECT_THAT(ErrorOf(limit->Reserve(holder, 101)),
              HasSubstr("top holders: none; reclaimed: workspaces 2.00 KiB, queue 0 B"));
}

TEST(MemoryLimit, AHookMayReserveWithoutBeingAskedAgain) {
  const auto limit = Limit(100);
  MemoryHolder holder(*limit, "weights");
  int calls = 0;
  const auto hook = limit->hooks().Add("copies before it frees", [&](uint64_t) -> uint64_t {
    ++calls;
    EXPECT_FALSE(limit->Reserve(holder, 1000).has_value());
    return 0;
  });
  EXPECT_FALSE(limit->Reserve(holder, 101).has_value());
  EXPECT_EQ(calls, 1);
}

// The count must never be over the limit, not even between a check and its count.
TEST(MemoryLimit, HoldsUnderManyThreadsAndHolders) {
  constexpr uint64_t kMax = 1000;
  constexpr int kThreads = 8;
  const auto limit = Limit(kMax, 1_GiB);
  std::atomic<uint64_t> taken{0};
  std::atomic<uint64_t> refused{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      MemoryHolder holder(*limit, "thread " + std::to_string(t));
      for (uint64_t i = 0; i < 2000; ++i) {
        const uint64_t bytes = 150 + (i * 7 + static_cast<uint64_t>(t)) % 100;
        Expected<MemoryReservation> reservation = limit->Reserve(holder, bytes);
        if (!reservation) {
          refused.fetch_add(1);
          continue;
        }
        const uint64_t now = taken.fetch_add(bytes) + bytes;
        EXPECT_LE(now, kMax);
        std::this_thread::yield();  // so that the others find the room taken
        if (i % 3 == 0) {
          taken.fetch_sub(bytes);
          continue;  // gives the room back without a commit
        }
        reservation->Commit();
        EXPECT_LE(limit->in_use(), kMax);
        taken.fetch_sub(bytes);
        limit->Release(holder, bytes);
      }
      EXPECT_EQ(holder.bytes(), 0u);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(limit->in_use(), 0u);
  EXPECT_GT(refused.load(), 0u) << "the limit was never reached: the test shows nothing";
  EXPECT_TRUE(limit->Statistics().holders.empty());
}

TEST(MemoryLimitDeathTest, AHolderThatEndsWithMemoryAborts) {
  EXPECT_DEATH(
      {
        const auto limit = Limit(100);
        MemoryHolder holder(*limit, "weights");
        limit->Reserve(holder, 10).value().Commit();
      },
      "memory_limit.cc:[0-9]+: broken invariant: .*a memory holder ended while it holds memory");
}

}  // namespace
}  // namespace plimsoll
