#ifndef HARNESS_VERDICT_SYNTHETIC_H_
#define HARNESS_VERDICT_SYNTHETIC_H_

// Programs with known memory behaviour, for tests and operating characteristics: leaks, and
// bounded patterns that must never be called leaks. One thread per object; no I/O, no clock.

#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "harness/sample.h"
#include "harness/verdict/rule.h"

namespace plimsoll {

// What a ledger would hold for a program that allocates and frees as told.
class SyntheticLedger {
 public:
  struct Block {
    ResourceKind kind = ResourceKind::kHeap;
    uint32_t site = 0;
    uint32_t epoch = 0;
    uint64_t bytes = 0;
  };

  // Added to the site numbers of Allocate from now on: a program of many programs.
  void SetSiteBase(uint32_t base) { site_base_ = base; }
  // The epoch that new blocks are born in.
  void SetEpoch(uint32_t epoch) { epoch_ = epoch; }
  Block Allocate(uint32_t site, uint64_t bytes, ResourceKind kind = ResourceKind::kHeap);
  // REQUIRES: `block` came from Allocate and was not freed.
  void Free(const Block& block);
  // Lowers each site's floor to what it holds now.
  void ObserveFloors();
  // Starts new floors.
  Snapshot TakeSnapshot();
  // Of all sites, by kind.
  const LedgerCounters& Counters() const { return counters_; }

 private:
  struct Site {
    HeldCount live;
    HeldCount floor;
    bool floor_seen = false;
    std::map<uint32_t, HeldCount> epochs;
  };
  LedgerCounters counters_;
  uint32_t epoch_ = 0;
  uint32_t site_base_ = 0;
  // By kind and site.
  std::map<uint64_t, Site> sites_;
};

using Random = std::mt19937_64;

// One iteration of a program: called once per epoch, from 1 on.
using Iteration = std::function<void(SyntheticLedger& ledger, uint32_t epoch, Random& random)>;

struct Pattern {
  std::string name = {};
  bool leaks = false;
  double rate = 0;  // leaking: share of the iterations that leak, 0 when it has none
  // A fresh program; it may draw its own parameters.
  std::function<Iteration(Random& random)> start = {};
  uint32_t input_cycle = 0;  // to be declared to the rule
};

// The patterns of the survivor rule's operating characteristics.
const std::vector<Pattern>& SurvivorPatterns();
// REQUIRES: `name` is one of them.
const Pattern& SurvivorPattern(const std::string& name);

struct SyntheticRun {
  std::vector<Snapshot> snapshots;   // at Looks(rule)
  std::vector<uint64_t> live_bytes;  // at each iteration's end, warm-up included
  std::vector<uint64_t> live_blocks;
};

// Runs `pattern` for warm-up and budget. Equal seeds give equal runs.
SyntheticRun RunPattern(const Rule& rule, const Pattern& pattern, uint64_t seed);

}  // namespace plimsoll

#endif  // HARNESS_VERDICT_SYNTHETIC_H_
