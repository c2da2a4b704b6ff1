#include <gtest/gtest.h>

#include <random>
#include <span>
#include <string>

#include "allocators/mmap_loader/fuzz/targets.h"

namespace plimsoll::weights {
namespace {

bool Accepts(const FuzzTarget& target, std::string_view bytes) {
  return target.run(std::as_bytes(std::span(bytes.data(), bytes.size())));
}

TEST(FuzzSeeds, AreAccepted) {
  EXPECT_EQ(FuzzTargets().size(), 6u);
  for (const FuzzTarget& target : FuzzTargets()) {
    for (const std::string& seed : target.seeds()) EXPECT_TRUE(Accepts(target, seed)) << target.name;
  }
}

// What a fuzzer would try first: every prefix, and every byte changed. The targets
// themselves abort when a parser breaks a promise.
TEST(FuzzSeeds, PrefixesAndChangedBytes) {
  for (const FuzzTarget& target : FuzzTargets()) {
    int refused = 0;
    for (const std::string& seed : target.seeds()) {
      for (size_t size = 0; size < seed.size(); ++size) {
        refused += !Accepts(target, std::string_view(seed).substr(0, size));
      }
      std::string changed = seed;
      for (size_t at = 0; at < seed.size(); ++at) {
        for (const int value : {0, 1, 0x7f, 0x80, 0xff, seed[at] ^ 1, seed[at] + 1, int{'"'}}) {
          changed[at] = static_cast<char>(value);
          refused += !Accepts(target, changed);
        }
        changed[at] = seed[at];
      }
    }
    EXPECT_GT(refused, 100) << target.name;
  }
}

TEST(FuzzSeeds, RandomEdits) {
  std::mt19937 random(1);
  for (const FuzzTarget& target : FuzzTargets()) {
    for (const std::string& seed : target.seeds()) {
      for (int round = 0; round < 500; ++round) {
        std::string edited = seed;
        for (int edit = 0; edit < 4 && !edited.empty(); ++edit) {
          const size_t at = random() % edited.size();
          switch (random() % 3) {
            case 0:
              edited[at] = static_cast<char>(random());
              break;
            case 1:
              edited.erase(at, random() % 9);
              break;
            default:
              edited.insert(at, seed, random() % seed.size(), random() % 17);
          }
        }
        (void)Accepts(target, edited);
      }
    }
  }
}

}  // namespace
}  // namespace plimsoll::weights
