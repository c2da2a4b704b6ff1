#include "harness/report/examples.h"

#include <string>

#include "base/units.h"

namespace plimsoll {
namespace {

CaseResult Case(const std::string& scenario, const std::string& engine,
                const std::string& allocator, const std::string& environment, Verdict verdict) {
  CaseResult result;
  result.scenario = scenario;
  result.engine = engine;
  result.allocator = allocator;
  result.environment = environment;
  result.name = scenario + "/" + engine + "/" + allocator + "/" + environment;
  result.verdict = verdict;
  return result;
}

// `count` samples; the live heap starts at `heap` and gains `gain` bytes each time.
std::vector<Sample> Samples(uint32_t count, uint64_t heap, uint64_t gain, uint64_t faults) {
  std::vector<Sample> samples;
  for (uint32_t i = 1; i <= count; ++i) {
    Sample sample;
    sample.iteration = i;
    sample.nanoseconds = 1'000'000'000 + i * 20'000'000ull;
    sample.process.rss_bytes = 300_MiB + heap + i * gain;
    sample.process.rss_anon_bytes = 200_MiB + heap + i * gain;
    sample.process.minor_faults = 5000 + i * faults;
    sample.process.major_faults = 0;
    sample.process.threads = 4;
    sample.ledger.emplace();
    sample.ledger->held[0] = {heap + i * gain, 600 + i * (gain != 0)};
    samples.push_back(sample);
  }
  return samples;
}

}  // namespace

Context ExampleContext() {
  Context context;
  context.date = "2026-11-21T08:15:00Z";
  context.host = "example";
  context.fingerprint = {.os = "debian 12",
                         .kernel = "6.1.0-18-amd64",
                         .arch = "x86_64",
                         .libc = "glibc 2.36",
                         .cores = 2,
                         .page_size_bytes = 4096,
                         .thp = "madvise",
                         .compiler = "gcc 12.2.0",
                         .build = "opt",
                         .sanitizer = std::nullopt};
  context.commit = "0123456789abcdef0123456789abcdef01234567";
  context.seed = 1;
  return context;
}

std::vector<CaseResult> ExampleCases() {
  std::vector<CaseResult> cases;

  CaseResult& clean =
      cases.emplace_back(Case("recompile_resnet50", "opencv", "system", "glibc", Verdict::kClean));
  clean.reason = "no block born in the last 102 of 128 iterations outlived 20 more";
  clean.iterations = 128;
  clean.warmup = 8;
  clean.seconds = 31.25;
  clean.growth.minimum_detectable = {
      .bytes_per_iteration = 1, .one_in_iterations = 34, .confidence = 0.95};
  clean.peak = {312_MiB, 210_MiB, 102_MiB, 98_MiB, 1203.5};
  clean.diagnosis = {{"allocator_retention", 12.0 * (1 << 20),
                      "malloc_trim returned 12 MiB of 14 MiB that were free in the heap",
                      "set MALLOC_TRIM_THRESHOLD_ to give free memory back"}};
  clean.lines = {{"peak_rss_bytes", 312.0 * (1 << 20), 450.0 * (1 << 20), "script", true},
                 {"descriptors_gained", 0, 0, "script", true}};
  clean.samples = Samples(136, 144739, 0, 1200);

  CaseResult& leak =
      cases.emplace_back(Case("planted", "reference", "system", "glibc", Verdict::kLeak));
  leak.reason = "64 B per iteration in 1 block stay held from one site, in every iteration";
  leak.iterations = 128;
  leak.warmup = 8;
  leak.seconds = 2.5;
  leak.growth.bytes_per_iteration = 64;
  leak.growth.blocks_per_iteration = 1;
  leak.peak = {208_MiB, 201_MiB, 7_MiB, 200_MiB, 3};
  SiteFinding& site = leak.sites.emplace_back();
  site.site = 17;
  site.bytes_per_iteration = 64;
  site.blocks_per_iteration = 1;
  site.period = 1;
  site.pattern = "every iteration";
  site.stack = {"std::map<int, Entry>::emplace<int&> (stl_map.h:601)",
                "Cache::Remember(int) (corpus/cache.cc:42)", "main (corpus/cache.cc:77)"};
  leak.samples = Samples(136, 200_MiB, 64, 3);

  CaseResult& growing =
      cases.emplace_back(Case("train_shapes", "torch", "system", "glibc", Verdict::kGrowing));
  growing.reason = "152 KiB per iteration were still arriving after 256 iterations";
  growing.iterations = 256;
  growing.warmup = 8;
  growing.seconds = 40.75;
  growing.growth.bytes_per_iteration = 152.0 * 1024;
  growing.growth.blocks_per_iteration = 230;
  growing.peak = {1536_MiB, 1400_MiB, 136_MiB, 70_MiB, 12000};
  growing.suppressed = {{"mapped-weights",
                         "kept on purpose",
                         ResourceKind::kMapping,
                         4096,
                         {"Weights::Map (weights.cc:12)"}}};
  growing.trends = {{"unaccounted", Verdict::kClean,
                     "10 children exclude growth above 512 B per iteration", -3.5, 512, 10, 256}};
  SiteFinding& cache = growing.sites.emplace_back();
  cache.verdict = Verdict::kGrowing;
  cache.site = 4;
  cache.bytes_per_iteration = 152.0 * 1024;
  cache.blocks_per_iteration = 230;
  cache.pattern = "about every iteration";
  cache.stack = {"dnnl::impl::lru_primitive_cache_t::add (libdnnl.so.2+0x1f3a)"};

  CaseResult& over =
      cases.emplace_back(Case("train", "torch", "planner_arena", "glibc+trim", Verdict::kOver));
  over.reason = "the peak is over its line";
  over.iterations = 128;
  over.warmup = 8;
  over.growth.minimum_detectable = {
      .bytes_per_iteration = 1, .one_in_iterations = 34, .confidence = 0.95};
  over.peak.rss_bytes = 460_MiB;
  over.lines = {{"peak_rss_bytes", 460.0 * (1 << 20), 450.0 * (1 << 20), "script", false},
                {"peak_rss_file_bytes", std::nullopt, 1048576, "baseline", false}};

  CaseResult& error =
      cases.emplace_back(Case("crash", "process", "system", "jemalloc", Verdict::kError));
  error.reason = "killed by signal 11 (Segmentation fault) in iteration 3";
  error.iterations = 2;
  error.seconds = 0.5;
  error.last_output = {"loading model", "<jemalloc>: Error & trouble"};

  CaseResult& inconclusive =
      cases.emplace_back(Case("slow", "process", "system", "glibc", Verdict::kInconclusive));
  inconclusive.reason = "only 40 of the 128 iterations that the rule needs fit into the time limit";
  inconclusive.iterations = 40;
  inconclusive.seconds = 1.5;

  CaseResult& skipped =
      cases.emplace_back(Case("train", "torch", "system", "mimalloc", Verdict::kError));
  skipped.skipped = true;
  skipped.reason = "libmimalloc.so.2 is not installed (package libmimalloc2.0)";
  return cases;
}

}  // namespace plimsoll
