#include "harness/verdict/diagnosis.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <utility>

#include "base/units.h"
#include "harness/verdict/statistics.h"

namespace plimsoll {
namespace {

constexpr size_t kLeastSamples = 8;
constexpr double kLeastBytes = 64 << 10;
constexpr double kLeastShare = 0.01;  // of the peak RssAnon
// Retention and the like are worth advice from this share of RssAnon on.
constexpr double kAdviceShare = 0.1;

using Reading = std::function<std::optional<double>(const Sample&)>;

std::optional<double> ToDouble(const Count& count) {
  return count ? std::optional<double>(static_cast<double>(*count)) : std::nullopt;
}

Reading Process(Count ProcessCounters::*member) {
  return [member](const Sample& sample) { return ToDouble(sample.process.*member); };
}

Reading Held(ResourceKind kind, uint64_t HeldCount::*member) {
  return [=](const Sample& sample) -> std::optional<double> {
    if (!sample.ledger) return std::nullopt;
    return static_cast<double>(sample.ledger->held[static_cast<size_t>(kind)].*member);
  };
}

// A counter over the measured iterations; absent when a sample lacks it.
std::optional<std::vector<double>> Series(std::span<const Sample> samples, const Reading& read) {
  std::vector<double> values;
  for (const Sample& sample : samples) {
    const std::optional<double> value = read(sample);
    if (!value) return std::nullopt;
    values.push_back(*value);
  }
  return values;
}

struct Change {
  double first = 0;
  double last = 0;
  double lowest = 0;
  double highest = 0;
  double difference() const { return last - first; }
  bool flat() const { return lowest == highest; }
};

enum class By { kLowest, kMedian };

std::optional<Change> ChangeOf(std::span<const Sample> samples, const Reading& read, By by) {
  const std::optional<std::vector<double>> values = Series(samples, read);
  if (!values) return std::nullopt;
  const auto eighth = static_cast<ptrdiff_t>(values->size() / 8);
  const std::vector<double> first(values->begin(), values->begin() + eighth);
  const std::vector<double> last(values->end() - eighth, values->end());
  const auto level = [&](const std::vector<double>& part) {
    return by == By::kMedian ? Median(part) : *std::min_element(part.begin(), part.end());
  };
  const auto [lowest, highest] = std::minmax_element(values->begin(), values->end());
  return Change{.first = level(first), .last = level(last), .lowest = *lowest, .highest = *highest};
}

std::string Count64(double value) { return std::to_string(std::llround(value)); }

std::string FromTo(const Change& change, const std::function<std::string(double)>& print) {
  return "from " + print(change.first) + " to " + print(change.last);
}

// Collects the parts, leaving out the small ones.
class Report {
 public:
  Report(uint32_t warmup, std::span<const Sample> samples, const EndEvidence& end)
      : warmup_(warmup), samples_(samples), end_(end) {
    rss_anon_ = ChangeOf(samples, Process(&ProcessCounters::rss_anon_bytes), By::kMedian);
    heap_ = ChangeOf(samples, Held(ResourceKind::kHeap, &HeldCount::bytes), By::kLowest);
    malloc_free_ = ChangeOf(samples, Process(&ProcessCounters::malloc_free_bytes), By::kMedian);
  }

  std::vector<Diagnosis> Finish() {
    LiveHeap();
    Retention();
    ThreadCaches();
    Mappings();
    FilePages();
    Stacks();
    Unaccounted();
    std::stable_sort(parts_.begin(), parts_.end(), [](const Diagnosis& a, const Diagnosis& b) {
      return std::abs(a.bytes) > std::abs(b.bytes);
    });
    Counted("descriptors", ResourceKind::kDescriptor, &ProcessCounters::descriptors,
            "close what each iteration opens");
    Counted("threads", ResourceKind::kThread, &ProcessCounters::threads,
            "join or reuse the threads each iteration starts");
    return std::move(parts_);
  }

 private:
  double PeakAnon() const { return rss_anon_ ? rss_anon_->highest : 0; }
  bool Matters(double bytes) const {
    return std::abs(bytes) >= std::max(kLeastBytes, kLeastShare * PeakAnon());
  }
  bool WorthAdvice(double bytes) const { return rss_anon_ && bytes >= kAdviceShare * PeakAnon(); }

  void Add(const char* kind, double bytes, std::string evidence, std::string advice) {
    parts_.push_back({.kind = kind,
                      .bytes = bytes,
                      .evidence = std::move(evidence),
                      .advice = std::move(advice)});
  }

  void LiveHeap() {
    if (!heap_) return;
    const auto blocks =
        ChangeOf(samples_, Held(ResourceKind::kHeap, &HeldCount::blocks), By::kLowest);
    std::string evidence;
    if (heap_->flat() && blocks->flat()) {
      evidence = "live heap is " + Count64(heap_->last) + " B in " + Count64(blocks->last) +
                 " blocks at the end of every iteration since " + std::to_string(warmup_ + 1);
      if (rss_anon_ && !rss_anon_->flat()) {
        evidence += ": settled, while RssAnon wanders between " + FormatBytes(rss_anon_->lowest) +
                    " and " + FormatBytes(rss_anon_->highest);
      }
    } else {
      evidence = "live heap went " + FromTo(*heap_, FormatBytes) + ", " + FromTo(*blocks, Count64) +
                 " blocks";
      if (heap_->difference() <= 0 && rss_anon_) {
        evidence += ", while RssAnon went " + FromTo(*rss_anon_, FormatBytes);
      }
    }
    const bool grew = Matters(heap_->difference()) && heap_->difference() > 0;
    Add("live_heap", heap_->difference(), std::move(evidence),
        grew ? "free what the sites below hold, or bound it" : "");
  }

  void Retention() {
    const auto before = ToDouble(end_.rss_anon_before_purge_bytes);
    const auto after = ToDouble(end_.rss_anon_after_purge_bytes);
    if (before && after) {
      const double returned = *before - *after;
      if (returned > 0 && Matters(returned)) {
        Add("allocator_retention", returned,
            end_.purge + " gave " + FormatBytes(returned) + " back: RssAnon " +
                FormatBytes(*before) + " to " + FormatBytes(*after),
            WorthAdvice(returned)
                ? "purge after large releases, lower the trim threshold, or try another malloc"
                : "");
      }
      if (heap_ && malloc_free_) {
        // What malloc has free and the purge could not give back: between live blocks.
        const double resident = std::max(0.0, *after - heap_->last);
        const double fragments = std::min(resident, malloc_free_->last - std::max(0.0, returned));
        if (fragments > 0 && Matters(fragments)) {
          Add("fragmentation", fragments,
              "after " + end_.purge + " up to " + FormatBytes(fragments) +
                  " of malloc's free memory stay resident around " + FormatBytes(heap_->last) +
                  " of live heap",
              WorthAdvice(fragments) ? "try a malloc with size classes (jemalloc, mimalloc)" : "");
        }
      }
    } else if (malloc_free_ && Matters(malloc_free_->last)) {
      Add("allocator_retention", malloc_free_->last,
          "malloc has " + FormatBytes(malloc_free_->last) + " free (first " +
              FormatBytes(malloc_free_->first) + "); no purge was tried",
          "");
    }
  }

  void ThreadCaches() {
    double free_elsewhere = 0;
    for (size_t i = 1; i < end_.arenas.size(); ++i) {
      free_elsewhere += static_cast<double>(end_.arenas[i].free_bytes);
    }
    if (Matters(free_elsewhere)) {
      Add("thread_caches", free_elsewhere,
          std::to_string(end_.arenas.size()) + " arenas; those of the threads keep " +
              FormatBytes(free_elsewhere) + " free",
          WorthAdvice(free_elsewhere) ? "fewer arenas: MALLOC_ARENA_MAX=1 or 2" : "");
      return;
    }
    const auto in_use =
        ChangeOf(samples_, Process(&ProcessCounters::malloc_in_use_bytes), By::kMedian);
    if (!in_use || !heap_) return;
    const double cached = in_use->last - heap_->last;
    if (cached > 0 && Matters(cached)) {
      Add("thread_caches", cached,
          "malloc counts " + FormatBytes(in_use->last) + " in use, the program holds " +
              FormatBytes(heap_->last) + ": thread caches and block headers",
          "");
    }
  }

  void Mappings() {
    const auto bytes =
        ChangeOf(samples_, Held(ResourceKind::kMapping, &HeldCount::bytes), By::kLowest);
    const auto blocks =
        ChangeOf(samples_, Held(ResourceKind::kMapping, &HeldCount::blocks), By::kLowest);
    if (bytes && Matters(bytes->difference())) {
      Add("mappings", bytes->difference(),
          "mapped memory went " + FromTo(*bytes, FormatBytes) + ", " + FromTo(*blocks, Count64) +
              " mappings",
          bytes->difference() > 0 ? "unmap what each iteration maps" : "");
    }
  }

  void FilePages() {
    const auto file = ChangeOf(samples_, Process(&ProcessCounters::rss_file_bytes), By::kMedian);
    if (file && Matters(file->difference())) {
      Add("file_pages", file->difference(),
          "RssFile went " + FromTo(*file, FormatBytes) +
              ": pages of files, which the kernel takes back when it needs them",
          "");
    }
  }

  void Stacks() {
    const auto threads = ChangeOf(samples_, Process(&ProcessCounters::threads), By::kMedian);
    if (!end_.stack_bytes || !threads) return;
    const auto bytes = static_cast<double>(*end_.stack_bytes);
    if (!Matters(bytes)) return;
    Add("stacks", bytes,
        "the stacks of " + Count64(threads->last) + " threads hold " + FormatBytes(bytes), "");
  }

  void Unaccounted() {
    const auto mapped =
        ChangeOf(samples_, Held(ResourceKind::kMapping, &HeldCount::bytes), By::kLowest);
    if (!rss_anon_ || !heap_ || !mapped) return;
    const double kept = malloc_free_ ? malloc_free_->difference() : 0;
    const auto harness = ChangeOf(
        samples_,
        [](const Sample& sample) -> std::optional<double> {
          if (!sample.ledger) return std::nullopt;
          return static_cast<double>(sample.ledger->harness_bytes);
        },
        By::kLowest);
    const double own = harness ? harness->difference() : 0;
    const double explained = heap_->difference() + mapped->difference() + kept + own;
    const double rest = rss_anon_->difference() - std::max(0.0, explained);
    if (rest <= 0 || !Matters(rest)) return;
    Add("unaccounted", rest,
        "RssAnon grew by " + FormatBytes(rss_anon_->difference()) + ", live heap by " +
            FormatBytes(heap_->difference()) + ", mappings by " +
            FormatBytes(mapped->difference()) +
            (malloc_free_ ? ", malloc's free memory by " + FormatBytes(kept) : ""),
        "judge it over several processes (--children=10): it is memory the ledger does not see");
  }

  // From the ledger, else from the kernel.
  void Counted(const char* kind, ResourceKind resource, Count ProcessCounters::*member,
               const char* advice) {
    const auto kernel = ChangeOf(samples_, Process(member), By::kLowest);
    const auto ledger = ChangeOf(samples_, Held(resource, &HeldCount::blocks), By::kLowest);
    const bool use_kernel = kernel && kernel->difference() != 0;
    const std::optional<Change>& change = use_kernel ? kernel : ledger;
    if (!change || change->difference() == 0) return;
    Add(kind, change->difference(),
        std::string(kind) + " went " + FromTo(*change, Count64) +
            (use_kernel ? " (kernel)" : " (ledger)"),
        change->difference() > 0 ? advice : "");
  }

  uint32_t warmup_;
  std::span<const Sample> samples_;
  const EndEvidence& end_;
  std::optional<Change> rss_anon_;
  std::optional<Change> heap_;
  std::optional<Change> malloc_free_;
  std::vector<Diagnosis> parts_;
};

}  // namespace

std::vector<Diagnosis> Diagnose(uint32_t warmup, std::span<const Sample> samples,
                                const EndEvidence& end) {
  while (!samples.empty() && samples.front().iteration <= warmup) samples = samples.subspan(1);
  if (samples.size() < kLeastSamples) return {};
  return Report(warmup, samples, end).Finish();
}

}  // namespace plimsoll
