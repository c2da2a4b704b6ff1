// A shared object that holds nothing but the probe, for freestanding_test.

#include "harness/probe/process_probe.h"

extern "C" int plimsoll_probe_only() {
  plimsoll::ProcessProbe probe = plimsoll::ProcessProbe::ForSelf();
  return probe.Sample(plimsoll::SampleLevel::kFull).rss_bytes.has_value();
}
