#include "harness/verdict/diagnosis.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

namespace plimsoll {
namespace {

constexpr uint64_t kMega = 1 << 20;

// 128 iterations after 8 of warm-up; `change` edits the sample of each.
std::vector<Sample> Samples(const std::function<void(Sample&, uint64_t i)>& change) {
  std::vector<Sample> samples;
  for (uint32_t i = 1; i <= 136; ++i) {
    Sample sample;
    sample.iteration = i;
    sample.process.rss_anon_bytes = 100 * kMega;
    sample.process.rss_file_bytes = 20 * kMega;
    sample.process.descriptors = 5;
    sample.process.threads = 2;
    sample.process.malloc_free_bytes = 0;
    sample.ledger = LedgerCounters();
    sample.ledger->held[static_cast<size_t>(ResourceKind::kHeap)] = {.bytes = 144739,
                                                                     .blocks = 667};
    // Warm-up is wild and must not be seen.
    if (i <= 8) sample.process.rss_anon_bytes = 7;
    if (i > 8) change(sample, i);
    samples.push_back(sample);
  }
  return samples;
}

HeldCount& Held(Sample& sample, ResourceKind kind) {
  return sample.ledger->held[static_cast<size_t>(kind)];
}

const Diagnosis* Find(const std::vector<Diagnosis>& parts, const std::string& kind) {
  const auto found = std::find_if(parts.begin(), parts.end(),
                                  [&](const Diagnosis& part) { return part.kind == kind; });
  return found == parts.end() ? nullptr : &*found;
}

TEST(Diagnose, SettledHeapWhileRssWanders) {
  const auto parts = Diagnose(8, Samples([](Sample& sample, uint64_t i) {
                                sample.process.rss_anon_bytes = (100 + i % 7) * kMega;
                              }),
                              {});
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_EQ(parts[0].kind, "live_heap");
  EXPECT_EQ(parts[0].bytes, 0);
  EXPECT_EQ(parts[0].evidence,
            "live heap is 144739 B in 667 blocks at the end of every iteration since 9: settled, "
            "while RssAnon wanders between 100 MiB and 106 MiB");
  EXPECT_EQ(parts[0].advice, "");
}

TEST(Diagnose, NothingFromTooFewSamples) {
  const std::vector<Sample> samples = Samples([](Sample&, uint64_t) {});
  EXPECT_TRUE(Diagnose(8, std::span(samples).first(15), {}).empty());
  EXPECT_FALSE(Diagnose(8, std::span(samples).first(16), {}).empty());
  EXPECT_TRUE(Diagnose(8, {}, {}).empty());
}

TEST(Diagnose, GrowingHeapIsFirst) {
  const auto parts =
      Diagnose(8, Samples([](Sample& sample, uint64_t i) {
                 Held(sample, ResourceKind::kHeap) = {.bytes = i * kMega, .blocks = i};
                 sample.process.rss_anon_bytes = (100 + i) * kMega;
               }),
               {});
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_EQ(parts[0].kind, "live_heap");
  // The lowest of the first eighth is iteration 9's, of the last iteration 121's.
  EXPECT_EQ(parts[0].bytes, 112.0 * kMega);
  EXPECT_EQ(parts[0].evidence, "live heap went from 9.00 MiB to 121 MiB, from 9 to 121 blocks");
  EXPECT_NE(parts[0].advice, "");
}

TEST(Diagnose, PurgeTellsRetentionFromFragmentation) {
  const auto samples =
      Samples([](Sample& sample, uint64_t) { sample.process.malloc_free_bytes = 70 * kMega; });
  EndEvidence end;
  end.purge = "malloc_trim(0)";
  end.rss_anon_before_purge_bytes = 100 * kMega;
  end.rss_anon_after_purge_bytes = 55 * kMega;
  const auto parts = Diagnose(8, samples, end);
  const Diagnosis* retention = Find(parts, "allocator_retention");
  ASSERT_NE(retention, nullptr);
  EXPECT_EQ(retention->bytes, 45.0 * kMega);
  EXPECT_EQ(retention->evidence, "malloc_trim(0) gave 45.0 MiB back: RssAnon 100 MiB to 55.0 MiB");
  EXPECT_NE(retention->advice, "");
  const Diagnosis* fragments = Find(parts, "fragmentation");
  ASSERT_NE(fragments, nullptr);
  EXPECT_EQ(fragments->bytes, 25.0 * kMega);
  EXPECT_EQ(parts[0].kind, "allocator_retention");

  // Without a purge only what malloc says is known, and no advice is earned.
  const auto unpurged = Diagnose(8, samples, {});
  ASSERT_NE(Find(unpurged, "allocator_retention"), nullptr);
  EXPECT_EQ(Find(unpurged, "allocator_retention")->bytes, 70.0 * kMega);
  EXPECT_EQ(Find(unpurged, "allocator_retention")->advice, "");
  EXPECT_EQ(Find(unpurged, "fragmentation"), nullptr);
}

TEST(Diagnose, SmallAmountsAreLeftOut) {
  EndEvidence end;
  end.purge = "malloc_trim(0)";
  end.rss_anon_before_purge_bytes = 100 * kMega;
  end.rss_anon_after_purge_bytes = 100 * kMega - 900 * 1024;  // below a hundredth
  EXPECT_EQ(Diagnose(8, Samples([](Sample&, uint64_t) {}), end).size(), 1u);
  end.rss_anon_after_purge_bytes = 100 * kMega - 1100 * 1024;
  EXPECT_EQ(Diagnose(8, Samples([](Sample&, uint64_t) {}), end).size(), 2u);
}

TEST(Diagnose, ArenasAndThreadCaches) {
  const auto samples =
      Samples([](Sample& sample, uint64_t) { sample.process.malloc_in_use_bytes = 8 * kMega; });
  const auto cached = Diagnose(8, samples, {});
  ASSERT_NE(Find(cached, "thread_caches"), nullptr);
  EXPECT_EQ(Find(cached, "thread_caches")->bytes, 8.0 * kMega - 144739);
  EndEvidence end;
  end.arenas = {{.system_bytes = 50 * kMega, .free_bytes = 40 * kMega},
                {.system_bytes = 9 * kMega, .free_bytes = 8 * kMega},
                {.system_bytes = 9 * kMega, .free_bytes = 7 * kMega}};
  const auto arenas = Diagnose(8, samples, end);
  ASSERT_NE(Find(arenas, "thread_caches"), nullptr);
  EXPECT_EQ(Find(arenas, "thread_caches")->bytes, 15.0 * kMega);
  EXPECT_EQ(Find(arenas, "thread_caches")->evidence,
            "3 arenas; those of the threads keep 15.0 MiB free");
  EXPECT_EQ(Find(arenas, "thread_caches")->advice, "fewer arenas: MALLOC_ARENA_MAX=1 or 2");
}

TEST(Diagnose, FilePagesAreNamedAndNeverAdvised) {
  const auto parts = Diagnose(8, Samples([](Sample& sample, uint64_t i) {
                                sample.process.rss_file_bytes = (20 + i) * kMega;
                              }),
                              {});
  ASSERT_NE(Find(parts, "file_pages"), nullptr);
  EXPECT_GT(Find(parts, "file_pages")->bytes, 0);
  EXPECT_EQ(Find(parts, "file_pages")->advice, "");
  EXPECT_EQ(Find(parts, "unaccounted"), nullptr);
}

TEST(Diagnose, MappingsDescriptorsThreadsStacks) {
  EndEvidence end;
  end.stack_bytes = 16 * kMega;
  const auto parts =
      Diagnose(8, Samples([](Sample& sample, uint64_t i) {
                 Held(sample, ResourceKind::kMapping) = {.bytes = i * kMega, .blocks = i};
                 sample.process.descriptors = 5 + i;
                 sample.process.threads = 2 + i;
               }),
               end);
  ASSERT_NE(Find(parts, "mappings"), nullptr);
  EXPECT_EQ(Find(parts, "mappings")->bytes, 112.0 * kMega);
  ASSERT_NE(Find(parts, "descriptors"), nullptr);
  EXPECT_EQ(Find(parts, "descriptors")->bytes, 112);
  EXPECT_EQ(Find(parts, "descriptors")->evidence, "descriptors went from 14 to 126 (kernel)");
  ASSERT_NE(Find(parts, "threads"), nullptr);
  EXPECT_EQ(Find(parts, "threads")->bytes, 112);
  ASSERT_NE(Find(parts, "stacks"), nullptr);
  EXPECT_EQ(Find(parts, "stacks")->bytes, 16.0 * kMega);
}

TEST(Diagnose, UnaccountedIsWhatNothingExplains) {
  const auto grow = [](uint64_t unseen) {
    return Samples([unseen](Sample& sample, uint64_t i) {
      sample.process.rss_anon_bytes = (100 + (3 + unseen) * i) * kMega;
      Held(sample, ResourceKind::kHeap) = {.bytes = i * kMega, .blocks = i};
      Held(sample, ResourceKind::kMapping) = {.bytes = i * kMega, .blocks = i};
      sample.process.malloc_free_bytes = i * kMega;
    });
  };
  EXPECT_EQ(Find(Diagnose(8, grow(0), {}), "unaccounted"), nullptr);
  const auto parts = Diagnose(8, grow(2), {});
  ASSERT_NE(Find(parts, "unaccounted"), nullptr);
  EXPECT_EQ(Find(parts, "unaccounted")->bytes, 2.0 * 112 * kMega);
}

TEST(Diagnose, WhatWasNotMeasuredIsAbsent) {
  const auto samples = Samples([](Sample& sample, uint64_t) {
    sample.process = {};
    sample.ledger.reset();
  });
  EndEvidence end;
  end.stack_bytes = 16 * kMega;
  EXPECT_TRUE(Diagnose(8, samples, end).empty());
}

}  // namespace
}  // namespace plimsoll
