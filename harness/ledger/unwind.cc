#include "harness/ledger/unwind.h"

#include <pthread.h>
#include <unistd.h>

#include <atomic>

#include "harness/ledger/own_memory.h"
#include "harness/ledger/unwind_rules.h"

// Where the loader found the first thread's stack to begin.
extern "C" void* __libc_stack_end;

namespace plimsoll::ledger {
namespace {

using Cfa = UnwindRule::Cfa;
using Saved = UnwindRule::Saved;

// A rule in 64 bits, never 0.
uint64_t Pack(const UnwindRule& rule) {
  return uint64_t{1} << 63 | uint64_t{static_cast<uint8_t>(rule.cfa)} << 56 |
         uint64_t{static_cast<uint8_t>(rule.rbp)} << 48 |
         uint64_t{static_cast<uint16_t>(rule.rbp_offset)} << 32 |
         static_cast<uint32_t>(rule.cfa_offset);
}

UnwindRule Unpack(uint64_t packed) {
  return {.cfa = static_cast<Cfa>(packed >> 56 & 0x7F),
          .rbp = static_cast<Saved>(packed >> 48 & 0xFF),
          .cfa_offset = static_cast<int32_t>(packed),
          .rbp_offset = static_cast<int16_t>(packed >> 32)};
}

// Return address -> rule, shared by all threads. `check` is the address xor the rule, so
// that a reader notices two writers' halves; what is lost is looked up again.
struct Entry {
  std::atomic<uint64_t> check, rule;
};
constexpr size_t kWays = 4;  // a cache line
constexpr int kSetBits = 14;
OwnArray<Entry> entries;
std::atomic<uint32_t> next_way{0};

inline uint64_t RuleOf(uint64_t return_address) {
  Entry* all = entries.IfMapped();
  Entry* set = nullptr;
  if (__builtin_expect(all != nullptr, 1)) {
    set = all + (return_address * 0x9E3779B97F4A7C15u >> (64 - kSetBits)) * kWays;
    for (size_t way = 0; way < kWays; ++way) {
      const uint64_t rule = set[way].rule.load(std::memory_order_relaxed);
      if ((set[way].check.load(std::memory_order_relaxed) ^ rule) == return_address) return rule;
    }
  }
  // Of the call, which may be its function's last instruction.
  const uint64_t rule = Pack(FindUnwindRule(return_address - 1));
  if (set == nullptr) {
    entries.Get(kWays << kSetBits);
    return rule;
  }
  size_t way = 0;
  while (way < kWays && set[way].rule.load(std::memory_order_relaxed) != 0) ++way;
  if (way == kWays) way = next_way.fetch_add(1, std::memory_order_relaxed) % kWays;
  if (way == 0) AddOwnBytes(sizeof(Entry) * kWays);
  set[way].rule.store(rule, std::memory_order_relaxed);
  set[way].check.store(rule ^ return_address, std::memory_order_relaxed);
  return rule;
}

// One past the highest address of this thread's stack: the thread's control block stands
// at its upper end. 0 on a stack of the program's own making (a coroutine's).
inline uint64_t StackEnd(uint64_t stack_pointer) {
  constexpr uint64_t kLargestStack = uint64_t{1} << 30;
  const auto thread = static_cast<uint64_t>(pthread_self());
  if (stack_pointer < thread && thread - stack_pointer < kLargestStack) return thread;
  const auto first = reinterpret_cast<uint64_t>(__libc_stack_end);
  if (stack_pointer < first && first - stack_pointer < kLargestStack) return first;
  return 0;
}

inline uint64_t Load(uint64_t address) { return *reinterpret_cast<const uint64_t*>(address); }

}  // namespace

__attribute__((no_sanitize("address"))) void CaptureStack(const void* frame, size_t capacity,
                                                          Stack* stack) {
  auto rbp = reinterpret_cast<uint64_t>(frame);
  uint64_t rsp = rbp + 16;
  uint64_t return_address = Load(rbp + 8);
  rbp = Load(rbp);
  // On a stack of unknown extent only .eh_frame is followed.
  const uint64_t known_end = StackEnd(rsp);
  const uint64_t end = known_end != 0 ? known_end : ~uint64_t{0};
  const auto readable = [&](uint64_t address) {
    return address >= rsp && address <= end - 8 && (address & 7) == 0;
  };
  size_t count = 0;
  uint64_t hash = 0;
  while (true) {
    stack->addresses[count++] = return_address;
    hash = (hash ^ return_address) * 0xFF51AFD7ED558CCDu;
    hash ^= hash >> 29;
    if (count == capacity) break;
    const UnwindRule rule = Unpack(RuleOf(return_address));
    uint64_t cfa;
    Saved saved = rule.rbp;
    int64_t rbp_offset = rule.rbp_offset;
    if (rule.cfa == Cfa::kStackPointer) {
      cfa = rsp + static_cast<uint64_t>(int64_t{rule.cfa_offset});
    } else if (rule.cfa == Cfa::kFramePointer) {
      cfa = rbp + static_cast<uint64_t>(int64_t{rule.cfa_offset});
    } else if (rule.cfa == Cfa::kIndirect) {
      const uint64_t place = rbp + static_cast<uint64_t>(int64_t{rule.cfa_offset});
      if (!readable(place)) break;
      cfa = Load(place);
    } else if (rule.cfa == Cfa::kUnknown) {
      if (known_end == 0 || !readable(rbp)) break;
      cfa = rbp + 16;
      saved = Saved::kAtCfa;
      rbp_offset = -16;
    } else {
      break;
    }
    // Upwards, and on the stack: a wrong register leads nowhere else.
    if (cfa <= rsp || !readable(cfa - 8)) break;
    if (saved != Saved::kSame) {
      const uint64_t place =
          (saved == Saved::kAtCfa ? cfa : rbp) + static_cast<uint64_t>(rbp_offset);
      if (!readable(place)) break;
      rbp = Load(place);
    }
    return_address = Load(cfa - 8);
    if (return_address == 0) break;
    rsp = cfa;
  }
  stack->count = count;
  stack->hash = hash;
}

void ForgetUnwindRules() {
  Entry* all = entries.IfMapped();
  for (size_t i = 0; all != nullptr && i < kWays << kSetBits; ++i) {
    if (all[i].rule.load(std::memory_order_relaxed) == 0) continue;
    all[i].check.store(0, std::memory_order_relaxed);
    all[i].rule.store(0, std::memory_order_relaxed);
  }
}

}  // namespace plimsoll::ledger
