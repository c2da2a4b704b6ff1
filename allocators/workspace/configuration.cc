#include "allocators/workspace/configuration.h"

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <utility>
#include <vector>

#include "base/units.h"

namespace plimsoll {
namespace {

constexpr std::string_view kWhere = "workspace configuration";
constexpr double kTwoTo63 = 9223372036854775808.0;

template <typename Policy>
struct PolicyName {
  std::string_view name;
  Policy policy;
};

constexpr std::array<PolicyName<AllocationPolicy>, 2> kAllocationNames = {
    {{"STRICT", AllocationPolicy::kStrict}, {"OVERALLOCATE", AllocationPolicy::kOverallocate}}};
constexpr std::array<PolicyName<LearningPolicy>, 3> kLearningNames = {
    {{"NONE", LearningPolicy::kNone},
     {"FIRST_LOOP", LearningPolicy::kFirstLoop},
     {"OVER_TIME", LearningPolicy::kOverTime}}};
constexpr std::array<PolicyName<ResetPolicy>, 2> kResetNames = {
    {{"BLOCK_LEFT", ResetPolicy::kBlockLeft},
     {"ENDOFBUFFER_REACHED", ResetPolicy::kEndOfBufferReached}}};
constexpr std::array<PolicyName<SpillPolicy>, 3> kSpillNames = {
    {{"EXTERNAL", SpillPolicy::kExternal},
     {"REALLOCATE", SpillPolicy::kReallocate},
     {"FAIL", SpillPolicy::kFail}}};
constexpr std::array<PolicyName<MirroringPolicy>, 2> kMirroringNames = {
    {{"HOST_ONLY", MirroringPolicy::kHostOnly}, {"FULL", MirroringPolicy::kFull}}};
constexpr std::array<PolicyName<LocationPolicy>, 2> kLocationNames = {
    {{"RAM", LocationPolicy::kRam}, {"MMAP", LocationPolicy::kMmap}}};

template <typename Policy, size_t N>
std::string NameOf(const std::array<PolicyName<Policy>, N>& names, Policy policy) {
  for (const auto& known : names) {
    if (known.policy == policy) return std::string(known.name);
  }
  return "?";
}

template <typename Policy, size_t N>
Expected<Policy> ParsePolicy(const std::array<PolicyName<Policy>, N>& names, std::string_view field,
                             std::string_view text) {
  std::string allowed = "expected";
  for (const auto& known : names) {
    if (known.name == text) return known.policy;
    if (known.policy != names.front().policy) allowed += " or";
    allowed += " " + std::string(known.name);
  }
  return BadValue(kWhere, field, text, allowed);
}

std::string NumberText(double number) {
  std::array<char, 32> text;
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() ? std::string(text.data(), end) : "?";
}

template <typename Number>
bool ParseWhole(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

struct FieldText {
  std::string_view name;
  std::string value;
};

std::vector<FieldText> Fields(const WorkspaceConfiguration& c) {
  return {{"initial_size", std::to_string(c.initial_size())},
          {"min_size", std::to_string(c.min_size())},
          {"max_size", std::to_string(c.max_size())},
          {"overallocation_limit", NumberText(c.overallocation_limit())},
          {"cycles_before_initialization", std::to_string(c.cycles_before_initialization())},
          {"alignment", std::to_string(c.alignment())},
          {"allocation", NameOf(kAllocationNames, c.allocation())},
          {"learning", NameOf(kLearningNames, c.learning())},
          {"reset", NameOf(kResetNames, c.reset())},
          {"spill", NameOf(kSpillNames, c.spill())},
          {"mirroring", NameOf(kMirroringNames, c.mirroring())},
          {"location", NameOf(kLocationNames, c.location())},
          {"mmap_path", c.mmap_path()},
          {"temporary_directory", c.temporary_directory()}};
}

Status CheckSize(std::string_view field, int64_t bytes) {
  if (bytes >= 0) return {};
  return BadValue(kWhere, field, std::to_string(bytes), "expected bytes from 0 to 2^63 - 1");
}

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// What each policy needs of the others. Reads the finished configuration, so that a
// default is held to the same rules as a value that was set.
Status CheckCombination(const WorkspaceConfiguration& c) {
  const bool mmap = c.location() == LocationPolicy::kMmap;
  const bool learns = c.learning() != LearningPolicy::kNone;
  if (!mmap && !c.mmap_path().empty()) {
    return BadValue(kWhere, "mmap_path", c.mmap_path(), "only with location MMAP");
  }
  if (!mmap && !c.temporary_directory().empty()) {
    return BadValue(kWhere, "temporary_directory", c.temporary_directory(),
                    "only with location MMAP");
  }
  if (!c.mmap_path().empty() && !c.temporary_directory().empty()) {
    return BadValue(kWhere, "temporary_directory", c.temporary_directory(),
                    "not together with mmap_path, which already names the file");
  }
  if (mmap && learns) {
    return BadValue(kWhere, "learning", NameOf(kLearningNames, c.learning()),
                    "expected NONE with location MMAP: the file has its size from the start");
  }
  if (mmap && c.initial_size() == 0 && c.mmap_path().empty()) {
    return BadValue(kWhere, "initial_size", "0",
                    "expected at least 1 byte for a temporary file with location MMAP");
  }
  if (c.learning() == LearningPolicy::kOverTime && c.cycles_before_initialization() == 0) {
    return BadValue(kWhere, "cycles_before_initialization", "0",
                    "expected at least 1 with learning OVER_TIME");
  }
  if (c.learning() != LearningPolicy::kOverTime && c.cycles_before_initialization() != 0) {
    return BadValue(kWhere, "cycles_before_initialization",
                    std::to_string(c.cycles_before_initialization()),
                    "only with learning OVER_TIME");
  }
  if (!mmap && c.spill() == SpillPolicy::kFail && c.initial_size() == 0) {
    return BadValue(kWhere, "spill", "FAIL",
                    "expected initial_size above 0: the first cycle would have no room at all");
  }
  if (!c.circular()) return {};
  if (c.allocation() == AllocationPolicy::kOverallocate && c.overallocation_limit() < 1.0) {
    return BadValue(kWhere, "overallocation_limit", NumberText(c.overallocation_limit()),
                    "expected at least 1 (two blocks) with reset ENDOFBUFFER_REACHED and "
                    "allocation OVERALLOCATE");
  }
  if (!mmap && c.initial_size() > 0 && learns) {
    return BadValue(kWhere, "initial_size", std::to_string(c.initial_size()),
                    "expected 0 with reset ENDOFBUFFER_REACHED and learning " +
                        NameOf(kLearningNames, c.learning()) + ": the block is what is learned");
  }
  if (!mmap && c.initial_size() == 0 && !learns) {
    return BadValue(kWhere, "initial_size", "0",
                    "expected above 0 with reset ENDOFBUFFER_REACHED and learning NONE: without "
                    "a buffer there is no wrap that would free what was spilled");
  }
  if (c.spill() == SpillPolicy::kReallocate && !learns) {
    return BadValue(kWhere, "spill", "REALLOCATE",
                    "expected EXTERNAL or FAIL with reset ENDOFBUFFER_REACHED and learning NONE: "
                    "only a learned block can be learned again");
  }
  return {};
}

}  // namespace

std::string WorkspaceConfiguration::ToText() const {
  std::string text;
  for (const FieldText& field : Fields(*this)) {
    if (field.value.empty()) continue;
    if (!text.empty()) text += ", ";
    text += std::string(field.name) + "=" + field.value;
  }
  return text;
}

std::string WorkspaceConfiguration::DifferencesFrom(const WorkspaceConfiguration& there) const {
  const std::vector<FieldText> ours = Fields(*this);
  const std::vector<FieldText> theirs = Fields(there);
  std::string text;
  for (size_t i = 0; i < ours.size(); ++i) {
    if (ours[i].value == theirs[i].value) continue;
    if (!text.empty()) text += "; ";
    text +=
        std::string(ours[i].name) + ": '" + ours[i].value + "' against '" + theirs[i].value + "'";
  }
  return text;
}

WorkspaceConfigurationBuilder& WorkspaceConfigurationBuilder::InitialSize(int64_t bytes) {
  initial_size_ = bytes;
  return *this;
}

WorkspaceConfigurationBuilder& WorkspaceConfigurationBuilder::MinSize(int64_t bytes) {
  min_size_ = bytes;
  return *this;
}

WorkspaceConfigurationBuilder& WorkspaceConfigurationBuilder::MaxSize(int64_t bytes) {
  max_size_ = bytes;
  return *this;
}

WorkspaceConfigurationBuilder& WorkspaceConfigurationBuilder::OverallocationLimit(double share) {
  overallocation_limit_ = share;
  return *this;
}

WorkspaceConfigurationBuilder& WorkspaceConfigurationBuilder::CyclesBeforeInitialization(
    int64_t cycles) {
  cycles_before_initialization_ = cycles;
  return *this;
}

WorkspaceConfigurationBuilder& WorkspaceConfigurationBuilder::Alignment(int64_t bytes) {
  alignment_ = bytes;
  return *this;
}

WorkspaceConfigurationBuilder& WorkspaceConfigurationBuilder::Allocation(AllocationPolicy policy) {
  policies_.allocation_ = policy;
  return *this;
}

WorkspaceConfigurationBuilder& WorkspaceConfigurationBuilder::Learning(LearningPolicy policy) {
  learning_ = policy;
  return *this;
}

WorkspaceConfigurationBuilder& WorkspaceConfigurationBuilder::Reset(ResetPolicy policy) {
  policies_.reset_ = policy;
  return *this;
}

WorkspaceConfigurationBuilder& WorkspaceConfigurationBuilder::Spill(SpillPolicy policy) {
  policies_.spill_ = policy;
  return *this;
}

WorkspaceConfigurationBuilder& WorkspaceConfigurationBuilder::Mirroring(MirroringPolicy policy) {
  policies_.mirroring_ = policy;
  return *this;
}

WorkspaceConfigurationBuilder& WorkspaceConfigurationBuilder::Location(LocationPolicy policy) {
  policies_.location_ = policy;
  return *this;
}

WorkspaceConfigurationBuilder& WorkspaceConfigurationBuilder::MmapPath(std::string path) {
  policies_.mmap_path_ = std::move(path);
  return *this;
}

WorkspaceConfigurationBuilder& WorkspaceConfigurationBuilder::TemporaryDirectory(std::string path) {
  policies_.temporary_directory_ = std::move(path);
  return *this;
}

Status WorkspaceConfigurationBuilder::Set(std::string_view name, std::string_view value) {
  const auto set_size = [&](int64_t& size) -> Status {
    const Expected<uint64_t> bytes = ParseBytes(value);
    if (!bytes)
      return Fail(std::string(kWhere) + ": " + std::string(name) + ": " + bytes.error().message);
    size = static_cast<int64_t>(*bytes);
    return {};
  };
  const auto set_policy = [&](const auto& names, auto& policy) -> Status {
    const auto parsed = ParsePolicy(names, name, value);
    if (!parsed) return tl::unexpected<Error>(parsed.error());
    policy = *parsed;
    return {};
  };
  if (name == "initial_size") return set_size(initial_size_);
  if (name == "min_size") return set_size(min_size_);
  if (name == "max_size") return set_size(max_size_);
  if (name == "alignment") return set_size(alignment_);
  if (name == "overallocation_limit") {
    if (ParseWhole(value, overallocation_limit_)) return {};
    return BadValue(kWhere, name, value, "expected a share such as 0.3");
  }
  if (name == "cycles_before_initialization") {
    if (ParseWhole(value, cycles_before_initialization_)) return {};
    return BadValue(kWhere, name, value, "expected a count such as 3");
  }
  if (name == "allocation") return set_policy(kAllocationNames, policies_.allocation_);
  if (name == "learning") return set_policy(kLearningNames, learning_);
  if (name == "reset") return set_policy(kResetNames, policies_.reset_);
  if (name == "spill") return set_policy(kSpillNames, policies_.spill_);
  if (name == "mirroring") return set_policy(kMirroringNames, policies_.mirroring_);
  if (name == "location") return set_policy(kLocationNames, policies_.location_);
  if (name == "mmap_path") {
    policies_.mmap_path_ = value;
    return {};
  }
  if (name == "temporary_directory") {
    policies_.temporary_directory_ = value;
    return {};
  }
  std::string allowed = "expected one of";
  for (const FieldText& field : Fields(policies_)) allowed += " " + std::string(field.name);
  return BadValue(kWhere, "field", name, allowed);
}

Expected<WorkspaceConfiguration> WorkspaceConfigurationBuilder::Build() const {
  for (const auto& [field, bytes] :
       {std::pair<std::string_view, int64_t>{"initial_size", initial_size_},
        {"min_size", min_size_},
        {"max_size", max_size_}}) {
    if (Status size = CheckSize(field, bytes); !size) return tl::unexpected<Error>(size.error());
  }
  if (max_size_ > 0 && min_size_ > max_size_) {
    return BadValue(kWhere, "min_size", std::to_string(min_size_),
                    "expected at most max_size (" + std::to_string(max_size_) + ")");
  }
  if (max_size_ > 0 && initial_size_ > max_size_) {
    return BadValue(kWhere, "initial_size", std::to_string(initial_size_),
                    "expected at most max_size (" + std::to_string(max_size_) + ")");
  }
  if (!std::isfinite(overallocation_limit_) || overallocation_limit_ < 0) {
    return BadValue(kWhere, "overallocation_limit", NumberText(overallocation_limit_),
                    "expected a finite share of at least 0");
  }
  if (policies_.allocation_ == AllocationPolicy::kOverallocate &&
      !(static_cast<double>(initial_size_) * (1 + overallocation_limit_) < kTwoTo63)) {
    return BadValue(kWhere, "overallocation_limit", NumberText(overallocation_limit_),
                    "expected initial_size (" + std::to_string(initial_size_) +
                        ") times (1 + overallocation_limit) below 2^63");
  }
  if (cycles_before_initialization_ < 0) {
    return BadValue(kWhere, "cycles_before_initialization",
                    std::to_string(cycles_before_initialization_), "expected at least 0");
  }
  if (alignment_ < 8 || alignment_ > 4096 ||
      !std::has_single_bit(static_cast<uint64_t>(alignment_))) {
    return BadValue(kWhere, "alignment", std::to_string(alignment_),
                    "expected a power of two from 8 to 4096");
  }
  WorkspaceConfiguration built = policies_;
  built.initial_size_ = static_cast<uint64_t>(initial_size_);
  built.min_size_ = static_cast<uint64_t>(min_size_);
  built.max_size_ = static_cast<uint64_t>(max_size_);
  built.overallocation_limit_ = overallocation_limit_;
  built.cycles_before_initialization_ = static_cast<uint64_t>(cycles_before_initialization_);
  built.alignment_ = static_cast<uint64_t>(alignment_);
  const bool nothing_to_learn =
      built.location_ == LocationPolicy::kMmap || (built.circular() && built.initial_size_ > 0);
  built.learning_ =
      learning_.value_or(nothing_to_learn ? LearningPolicy::kNone : LearningPolicy::kFirstLoop);
  if (Status combination = CheckCombination(built); !combination) {
    return tl::unexpected<Error>(combination.error());
  }
  return built;
}

Expected<WorkspaceConfiguration> ParseWorkspaceConfiguration(std::string_view text) {
  WorkspaceConfigurationBuilder builder;
  std::string_view rest = Trimmed(text);
  while (!rest.empty()) {
    const size_t comma = rest.find(',');
    const std::string_view field = Trimmed(rest.substr(0, comma));
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    const size_t equals = field.find('=');
    if (equals == std::string_view::npos) {
      return BadValue(kWhere, "", field, "expected fields such as 'initial_size=10MiB'");
    }
    if (Status set =
            builder.Set(Trimmed(field.substr(0, equals)), Trimmed(field.substr(equals + 1)));
        !set) {
      return tl::unexpected<Error>(set.error());
    }
  }
  return builder.Build();
}

}  // namespace plimsoll
