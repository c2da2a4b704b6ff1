#include "allocators/memory_limit/memory_limit.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/check.h"
#include "base/units.h"

namespace plimsoll {
namespace {

constexpr std::string_view kWhere = "memory limit";
constexpr size_t kTopHolders = 5;
// How far the quick reading of anonymous memory may be from the exact one.
constexpr uint64_t kApproximation = 16_MiB;

std::string Bytes(uint64_t bytes) { return FormatBytes(static_cast<double>(bytes)); }

std::string ThreadText() {
  char name[16] = "";
  ::pthread_getname_np(::pthread_self(), name, sizeof(name));
  return std::to_string(::syscall(SYS_gettid)) + " '" + name + "'";
}

Status SetSize(std::string_view where, std::string_view name, std::string_view text,
               uint64_t& bytes) {
  const Expected<uint64_t> parsed = ParseBytes(text);
  if (!parsed) {
    return Fail(std::string(where) + ": " + std::string(name) + ": " + parsed.error().message);
  }
  bytes = *parsed;
  return {};
}

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

}  // namespace

Expected<MemoryLimitOptions> MemoryLimitOptions::Parse(std::string_view text) {
  MemoryLimitOptions options;
  std::string_view rest = Trimmed(text);
  while (!rest.empty()) {
    const size_t comma = rest.find(',');
    const std::string_view field = Trimmed(rest.substr(0, comma));
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    const size_t equals = field.find('=');
    const std::string_view name = Trimmed(field.substr(0, equals));
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : Trimmed(field.substr(equals + 1));
    Status set = BadValue(kWhere, "field", name, "expected max_bytes or max_physical_bytes");
    if (name == "max_bytes") set = SetSize(kWhere, name, value, options.max_bytes);
    if (name == "max_physical_bytes") {
      set = SetSize(kWhere, name, value, options.max_physical_bytes);
    }
    if (!set) return tl::unexpected<Error>(set.error());
  }
  return options;
}

Expected<MemoryLimitOptions> MemoryLimitOptions::FromEnvironment() {
  MemoryLimitOptions options;
  for (const auto& [name, bytes] : {std::pair{"PLIMSOLL_MAX_BYTES", &options.max_bytes},
                                    {"PLIMSOLL_MAX_PHYSICAL_BYTES", &options.max_physical_bytes}}) {
    const char* text = std::getenv(name);
    if (text == nullptr || *text == '\0') continue;
    if (Status set = SetSize("environment", name, text, *bytes); !set) {
      return tl::unexpected<Error>(set.error());
    }
  }
  return options;
}

MemoryHolder::MemoryHolder(MemoryLimit& limit, std::string name)
    : limit_(limit), name_(std::move(name)) {
  const std::lock_guard lock(limit_.holders_mutex_);
  place_ = limit_.holders_.insert(limit_.holders_.end(), this);
}

MemoryHolder::~MemoryHolder() {
  PLIMSOLL_CHECK(bytes() == 0, "a memory holder ended while it holds memory");
  const std::lock_guard lock(limit_.holders_mutex_);
  limit_.holders_.erase(place_);
}

MemoryReservation::MemoryReservation(MemoryLimit* limit, std::span<const MemoryCharge> charges,
                                     uint64_t total)
    : limit_(limit), total_(total), count_(charges.size()) {
  if (count_ <= kInline) {
    std::copy(charges.begin(), charges.end(), few_);
  } else {
    many_.assign(charges.begin(), charges.end());
  }
}

MemoryReservation::MemoryReservation(MemoryReservation&& other) noexcept
    : limit_(std::exchange(other.limit_, nullptr)),
      total_(other.total_),
      count_(other.count_),
      many_(std::move(other.many_)) {
  std::copy_n(other.few_, kInline, few_);
}

MemoryReservation::~MemoryReservation() {
  if (limit_ != nullptr) limit_->GiveBack(total_, /*pending=*/true);
}

void MemoryReservation::Commit() {
  if (limit_ == nullptr) return;
  const MemoryCharge* charges = count_ <= kInline ? few_ : many_.data();
  for (size_t i = 0; i < count_; ++i) {
    charges[i].holder->bytes_.fetch_add(charges[i].bytes, std::memory_order_relaxed);
  }
  if (limit_->options_.max_physical_bytes > 0) {
    const std::lock_guard lock(limit_->physical_mutex_);
    limit_->pending_ -= total_;
  }
  limit_ = nullptr;
}

Expected<std::unique_ptr<MemoryLimit>> MemoryLimit::Create(const MemoryLimitOptions& options,
                                                           AnonymousMemory* memory) {
  std::unique_ptr<MemoryLimit> limit(new MemoryLimit(options, memory));
  if (options.max_physical_bytes > 0) {
    for (const Expected<uint64_t>& measured :
         {limit->memory_.Approximate(), limit->memory_.Exact()}) {
      if (measured) continue;
      return Fail("memory limit: max_physical_bytes: anonymous memory cannot be measured: " +
                  measured.error().message);
    }
  }
  return limit;
}

MemoryLimit::MemoryLimit(const MemoryLimitOptions& options, AnonymousMemory* memory)
    : options_(options), memory_(memory != nullptr ? *memory : proc_) {}

MemoryLimit::~MemoryLimit() {
  PLIMSOLL_CHECK(holders_.empty(), "a memory limit ended before its holders");
}

Expected<MemoryReservation> MemoryLimit::Reserve(MemoryHolder& holder, uint64_t bytes) {
  const MemoryCharge charge{&holder, bytes};
  return Reserve(std::span(&charge, 1));
}

Expected<MemoryReservation> MemoryLimit::Reserve(std::span<const MemoryCharge> charges) {
  uint64_t total = 0;
  for (const MemoryCharge& charge : charges) {
    if (charge.bytes > static_cast<uint64_t>(INT64_MAX) - total) {
      refused_.fetch_add(1, std::memory_order_relaxed);
      return Fail("memory limit: request of more than 2^63 - 1 bytes by '" + charge.holder->name() +
                  "'");
    }
    total += charge.bytes;
  }
  Obstacle obstacle = Take(total);
  if (obstacle != Obstacle::kNone) {
    const std::vector<ReclaimHooks::Yield> yields = hooks_.Run(total, [&] {
      obstacle = Take(total);
      return obstacle == Obstacle::kNone;
    });
    if (!yields.empty()) reclaims_.fetch_add(1, std::memory_order_relaxed);
    for (const ReclaimHooks::Yield& yield : yields) {
      reclaimed_.fetch_add(yield.bytes, std::memory_order_relaxed);
    }
    if (obstacle != Obstacle::kNone) {
      refused_.fetch_add(1, std::memory_order_relaxed);
      return tl::unexpected<Error>(Refusal(obstacle, total, yields));
    }
  }
  return MemoryReservation(this, charges, total);
}

void MemoryLimit::Release(MemoryHolder& holder, uint64_t bytes) {
  const uint64_t before = holder.bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  PLIMSOLL_CHECK(before >= bytes, "a holder released more than it holds");
  GiveBack(bytes, /*pending=*/false);
}

MemoryLimit::Obstacle MemoryLimit::Take(uint64_t total) {
  uint64_t before = in_use_.load(std::memory_order_relaxed);
  do {
    if (options_.max_bytes > 0 &&
        (before > options_.max_bytes || total > options_.max_bytes - before)) {
      return Obstacle::kBytes;
    }
  } while (!in_use_.compare_exchange_weak(before, before + total, std::memory_order_relaxed));
  if (options_.max_physical_bytes > 0) {
    const Obstacle obstacle = TakePhysical(total);
    if (obstacle != Obstacle::kNone) {
      GiveBack(total, /*pending=*/false);
      return obstacle;
    }
  }
  uint64_t peak = peak_.load(std::memory_order_relaxed);
  while (peak < before + total &&
         !peak_.compare_exchange_weak(peak, before + total, std::memory_order_relaxed)) {
  }
  return Obstacle::kNone;
}

MemoryLimit::Obstacle MemoryLimit::TakePhysical(uint64_t total) {
  const auto fits = [&](uint64_t resident) {
    const uint64_t max = options_.max_physical_bytes;
    return resident <= max && pending_ <= max - resident && total <= max - resident - pending_;
  };
  const std::lock_guard lock(physical_mutex_);
  Expected<uint64_t> resident = memory_.Approximate();
  // Near the line, the quick reading decides nothing.
  if (resident && !fits(*resident + kApproximation)) resident = memory_.Exact();
  if (!resident) return Obstacle::kUnmeasured;
  if (!fits(*resident)) return Obstacle::kPhysical;
  pending_ += total;
  return Obstacle::kNone;
}

void MemoryLimit::GiveBack(uint64_t total, bool pending) {
  in_use_.fetch_sub(total, std::memory_order_relaxed);
  if (pending && options_.max_physical_bytes > 0) {
    const std::lock_guard lock(physical_mutex_);
    pending_ -= total;
  }
}

MemoryLimitStatistics MemoryLimit::Statistics() const {
  MemoryLimitStatistics statistics;
  statistics.in_use = in_use();
  statistics.peak = peak_.load(std::memory_order_relaxed);
  statistics.reclaims = reclaims_.load(std::memory_order_relaxed);
  statistics.reclaimed = reclaimed_.load(std::memory_order_relaxed);
  statistics.refused = refused_.load(std::memory_order_relaxed);
  statistics.holders = HoldersBySize();
  return statistics;
}

std::vector<MemoryLimitStatistics::Holder> MemoryLimit::HoldersBySize() const {
  std::vector<MemoryLimitStatistics::Holder> holders;
  {
    const std::lock_guard lock(holders_mutex_);
    holders.reserve(holders_.size());
    for (const MemoryHolder* holder : holders_) {
      holders.push_back({holder->name(), holder->bytes()});
    }
  }
  std::stable_sort(holders.begin(), holders.end(),
                   [](const auto& a, const auto& b) { return a.bytes > b.bytes; });
  return holders;
}

Error MemoryLimit::Refusal(Obstacle obstacle, uint64_t total,
                           const std::vector<ReclaimHooks::Yield>& yields) {
  const Expected<uint64_t> resident = memory_.Exact();
  const auto limit_text = [](uint64_t limit) { return limit == 0 ? "unlimited" : Bytes(limit); };
  std::string text = "memory limit: out of memory over ";
  text += obstacle == Obstacle::kBytes ? "max_bytes" : "max_physical_bytes";
  if (obstacle == Obstacle::kUnmeasured) text += " (anonymous memory cannot be measured)";
  text += ": asked " + Bytes(total) + "; in use " + Bytes(in_use()) + " of " +
          limit_text(options_.max_bytes) + "; anonymous RSS " +
          (resident ? Bytes(*resident) : "unknown") + " of " +
          limit_text(options_.max_physical_bytes) + "; thread " + ThreadText() + "; top holders: ";
  std::vector<MemoryLimitStatistics::Holder> top = HoldersBySize();
  top.resize(std::min(top.size(), kTopHolders));
  std::erase_if(top, [](const auto& holder) { return holder.bytes == 0; });
  for (const MemoryLimitStatistics::Holder& holder : top) {
    text += "'" + holder.name + "' " + Bytes(holder.bytes) + (&holder == &top.back() ? "" : ", ");
  }
  if (top.empty()) text += "none";
  text += "; reclaimed: ";
  for (const ReclaimHooks::Yield& yield : yields) {
    text += yield.name + " " + Bytes(yield.bytes) + (&yield == &yields.back() ? "" : ", ");
  }
  if (yields.empty()) text += "nobody to ask";
  return Error{std::move(text)};
}

}  // namespace plimsoll
