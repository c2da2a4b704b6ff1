#include "harness/runner/wire.h"

namespace plimsoll::wire {
namespace {

// One list, so that both directions agree on the order.
template <typename Counters, typename Visitor>
void VisitCounts(Counters& c, Visitor&& visit) {
  using Field = decltype(&c.rss_bytes);
  const Field fields[] = {
      &c.rss_bytes,         &c.rss_anon_bytes,      &c.rss_file_bytes,    &c.rss_shmem_bytes,
      &c.hwm_bytes,         &c.vm_size_bytes,       &c.vm_peak_bytes,     &c.swap_bytes,
      &c.pss_bytes,         &c.private_dirty_bytes, &c.minor_faults,      &c.major_faults,
      &c.threads,           &c.descriptors,         &c.mappings,          &c.cgroup_current_bytes,
      &c.cgroup_peak_bytes, &c.malloc_in_use_bytes, &c.malloc_free_bytes, &c.malloc_mapped_bytes,
  };
  static_assert(sizeof(fields) / sizeof(fields[0]) == kCountFields);
  for (size_t i = 0; i < kCountFields; ++i) visit(i, *fields[i]);
}

}  // namespace

SampleMessage Encode(const Sample& sample) {
  SampleMessage message = {};
  message.iteration = sample.iteration;
  message.hwm_is_per_iteration = sample.process.hwm_is_per_iteration ? 1 : 0;
  message.nanoseconds = sample.nanoseconds;
  VisitCounts(sample.process, [&](size_t i, const Count& count) {
    if (!count.has_value()) return;
    message.present |= uint64_t{1} << i;
    message.counts[i] = *count;
  });
  if (sample.ledger.has_value()) {
    const LedgerCounters& ledger = *sample.ledger;
    message.has_ledger = 1;
    for (size_t kind = 0; kind < kResourceKinds; ++kind) {
      message.held[2 * kind] = ledger.held[kind].bytes;
      message.held[2 * kind + 1] = ledger.held[kind].blocks;
    }
    message.peak_heap_bytes = ledger.peak_heap_bytes;
    message.allocation_calls = ledger.allocation_calls;
    message.untracked_blocks = ledger.untracked_blocks;
    message.harness_bytes = ledger.harness_bytes;
  }
  return message;
}

Sample Decode(const SampleMessage& message) {
  Sample sample;
  sample.iteration = message.iteration;
  sample.nanoseconds = message.nanoseconds;
  sample.process.hwm_is_per_iteration = message.hwm_is_per_iteration != 0;
  VisitCounts(sample.process, [&](size_t i, Count& count) {
    if ((message.present >> i & 1) != 0) count = message.counts[i];
  });
  if (message.has_ledger != 0) {
    LedgerCounters ledger;
    for (size_t kind = 0; kind < kResourceKinds; ++kind) {
      ledger.held[kind] = {message.held[2 * kind], message.held[2 * kind + 1]};
    }
    ledger.peak_heap_bytes = message.peak_heap_bytes;
    ledger.allocation_calls = message.allocation_calls;
    ledger.untracked_blocks = message.untracked_blocks;
    ledger.harness_bytes = message.harness_bytes;
    sample.ledger = ledger;
  }
  return sample;
}

}  // namespace plimsoll::wire
