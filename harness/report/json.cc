#include "harness/report/json.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "harness/report/json_reader.h"
#include "harness/report/terminal.h"

namespace plimsoll {
namespace {

// Keeps the keys in the order they are written below, which is the order people read.
using Json = nlohmann::ordered_json;

constexpr int kSchemaVersion = 1;

Json Number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

template <typename T>
Json OrNull(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}
Json OrNull(const std::optional<double>& value) { return value ? Number(*value) : Json(nullptr); }

Json OrNull(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

// The samples' columns: name, and value of one sample.
struct SampleColumn {
  const char* name;
  Count (*get)(const Sample&);
  void (*set)(Sample&, uint64_t);
};

template <Count ProcessCounters::*kCounter>
constexpr SampleColumn ProcessColumn(const char* name) {
  return {name, [](const Sample& sample) { return sample.process.*kCounter; },
          [](Sample& sample, uint64_t value) { sample.process.*kCounter = value; }};
}

LedgerCounters& Ledger(Sample& sample) {
  return sample.ledger ? *sample.ledger : sample.ledger.emplace();
}

constexpr size_t kHeap = static_cast<size_t>(ResourceKind::kHeap);

constexpr SampleColumn kColumns[] = {
    {"iteration", [](const Sample& sample) { return Count(sample.iteration); },
     [](Sample& sample, uint64_t value) { sample.iteration = static_cast<uint32_t>(value); }},
    {"nanoseconds", [](const Sample& sample) { return Count(sample.nanoseconds); },
     [](Sample& sample, uint64_t value) { sample.nanoseconds = value; }},
    {"live_heap_bytes",
     [](const Sample& sample) {
       return sample.ledger ? Count(sample.ledger->held[kHeap].bytes) : std::nullopt;
     },
     [](Sample& sample, uint64_t value) { Ledger(sample).held[kHeap].bytes = value; }},
    {"live_heap_blocks",
     [](const Sample& sample) {
       return sample.ledger ? Count(sample.ledger->held[kHeap].blocks) : std::nullopt;
     },
     [](Sample& sample, uint64_t value) { Ledger(sample).held[kHeap].blocks = value; }},
    {"peak_heap_bytes",
     [](const Sample& sample) {
       return sample.ledger ? Count(sample.ledger->peak_heap_bytes) : std::nullopt;
     },
     [](Sample& sample, uint64_t value) { Ledger(sample).peak_heap_bytes = value; }},
    ProcessColumn<&ProcessCounters::rss_bytes>("rss_bytes"),
    ProcessColumn<&ProcessCounters::rss_anon_bytes>("rss_anon_bytes"),
    ProcessColumn<&ProcessCounters::rss_file_bytes>("rss_file_bytes"),
    ProcessColumn<&ProcessCounters::hwm_bytes>("hwm_bytes"),
    ProcessColumn<&ProcessCounters::minor_faults>("minor_faults"),
    ProcessColumn<&ProcessCounters::major_faults>("major_faults"),
    ProcessColumn<&ProcessCounters::threads>("threads"),
    ProcessColumn<&ProcessCounters::descriptors>("descriptors"),
    ProcessColumn<&ProcessCounters::mappings>("mappings"),
};

Json SamplesToJson(const std::vector<Sample>& samples) {
  Json columns = Json::object();
  for (const SampleColumn& column : kColumns) {
    Json values = Json::array();
    for (const Sample& sample : samples) values.push_back(OrNull(column.get(sample)));
    columns[column.name] = std::move(values);
  }
  return columns;
}

Json ContextToJson(const Context& context) {
  const Fingerprint& fingerprint = context.fingerprint;
  return {{"date", context.date},
          {"host", context.host},
          {"fingerprint",
           {{"os", fingerprint.os},
            {"kernel", fingerprint.kernel},
            {"arch", fingerprint.arch},
            {"libc", fingerprint.libc},
            {"cores", fingerprint.cores},
            {"page_size_bytes", fingerprint.page_size_bytes},
            {"thp", OrNull(fingerprint.thp)},
            {"compiler", fingerprint.compiler},
            {"build", fingerprint.build},
            {"sanitizer", OrNull(fingerprint.sanitizer)}}},
          {"commit", OrNull(context.commit)},
          {"seed", context.seed}};
}

Json GrowthToJson(const Growth& growth) {
  Json least = nullptr;
  if (growth.minimum_detectable) {
    least = {{"bytes_per_iteration", Number(growth.minimum_detectable->bytes_per_iteration)},
             {"one_in_iterations", Number(growth.minimum_detectable->one_in_iterations)},
             {"confidence", Number(growth.minimum_detectable->confidence)}};
  }
  return {{"bytes_per_iteration", Number(growth.bytes_per_iteration)},
          {"blocks_per_iteration", Number(growth.blocks_per_iteration)},
          {"minimum_detectable", std::move(least)}};
}

Json CaseToJson(const CaseResult& result) {
  // A run that came to no verdict on growth says nothing about it.
  const bool judged = !result.skipped && result.verdict != Verdict::kError;
  Json json = {
      {"name", result.name},
      {"scenario", result.scenario},
      {"engine", result.engine},
      {"allocator", result.allocator},
      {"environment", result.environment},
      {"verdict", result.skipped ? Json(nullptr) : Json(VerdictName(result.verdict))},
      {"skipped", result.skipped},
      {"reason", result.reason},
      {"iterations", result.iterations},
      {"warmup", result.warmup},
      {"seconds", Number(result.seconds)},
      {"growth", judged ? GrowthToJson(result.growth) : Json(nullptr)},
      {"peak",
       {{"rss_bytes", OrNull(result.peak.rss_bytes)},
        {"rss_anon_bytes", OrNull(result.peak.rss_anon_bytes)},
        {"rss_file_bytes", OrNull(result.peak.rss_file_bytes)},
        {"live_heap_bytes", OrNull(result.peak.live_heap_bytes)},
        {"page_faults_per_iteration", OrNull(result.peak.page_faults_per_iteration)}}},
      {"diagnosis", Json::array()},
      {"sites", Json::array()},
      {"suppressed", Json::array()},
      {"trends", Json::array()},
      {"lines", Json::array()},
      {"last_output", result.last_output},
      {"samples", SamplesToJson(result.samples)},
  };
  for (const Diagnosis& diagnosis : result.diagnosis) {
    json["diagnosis"].push_back({{"kind", diagnosis.kind},
                                 {"bytes", Number(diagnosis.bytes)},
                                 {"evidence", diagnosis.evidence},
                                 {"advice", OrNull(diagnosis.advice)}});
  }
  for (const SiteFinding& site : result.sites) {
    json["sites"].push_back({{"kind", ResourceKindName(site.kind)},
                             {"verdict", VerdictName(site.verdict)},
                             {"bytes_per_iteration", Number(site.bytes_per_iteration)},
                             {"blocks_per_iteration", Number(site.blocks_per_iteration)},
                             {"period", OrNull(site.period)},
                             {"pattern", OrNull(site.pattern)},
                             {"stack", site.stack}});
  }
  for (const SuppressedSite& site : result.suppressed) {
    json["suppressed"].push_back({{"name", site.name},
                                  {"reason", site.reason},
                                  {"kind", ResourceKindName(site.kind)},
                                  {"bytes_per_iteration", Number(site.bytes_per_iteration)},
                                  {"stack", site.stack}});
  }
  for (const TrendResult& trend : result.trends) {
    json["trends"].push_back(
        {{"metric", trend.metric},
         {"verdict", VerdictName(trend.verdict)},
         {"reason", trend.reason},
         {"bytes_per_iteration", Number(trend.bytes_per_iteration)},
         {"upper_bytes_per_iteration", Number(trend.upper_bytes_per_iteration)},
         {"children", trend.children},
         {"iterations", trend.iterations}});
  }
  for (const LineResult& line : result.lines) {
    json["lines"].push_back({{"metric", line.metric},
                             {"value", OrNull(line.value)},
                             {"limit", Number(line.limit)},
                             {"source", line.source},
                             {"holds", line.holds}});
  }
  return json;
}

// Values that hold no others stand on one line: a column of samples, a peak.
void Print(const Json& value, size_t depth, std::string& out) {
  const bool nested = std::any_of(value.begin(), value.end(), [](const Json& item) {
    return item.is_structured() && !item.empty();
  });
  if (!value.is_structured() || !nested) {
    out += value.dump(-1, ' ', false, Json::error_handler_t::replace);
    return;
  }
  const std::string indent(depth + 1, ' ');
  out += value.is_object() ? "{\n" : "[\n";
  bool first = true;
  for (const auto& item : value.items()) {
    out += (first ? "" : ",\n") + indent;
    if (value.is_object()) out += Json(item.key()).dump() + ": ";
    Print(item.value(), depth + 1, out);
    first = false;
  }
  out += "\n" + indent.substr(1) + (value.is_object() ? "}" : "]");
}

Fingerprint ReadFingerprint(const JsonReader& json) {
  return {.os = json["os"].Text(),
          .kernel = json["kernel"].Text(),
          .arch = json["arch"].Text(),
          .libc = json["libc"].Text(),
          .cores = json["cores"].Count32(),
          .page_size_bytes = json["page_size_bytes"].Whole(),
          .thp = json["thp"].IsNull() ? "" : json["thp"].Text(),
          .compiler = json["compiler"].Text(),
          .build = json["build"].Text(),
          .sanitizer = json["sanitizer"].IsNull()
                           ? std::nullopt
                           : std::optional<std::string>(json["sanitizer"].Text())};
}

Context ReadContext(const JsonReader& json) {
  Context context;
  context.date = json["date"].Text();
  context.host = json["host"].Text();
  context.fingerprint = ReadFingerprint(json["fingerprint"]);
  if (!json["commit"].IsNull()) context.commit = json["commit"].Text();
  context.seed = json["seed"].Whole();
  return context;
}

Verdict ReadVerdict(const JsonReader& json) {
  constexpr Verdict kVerdicts[] = {Verdict::kClean, Verdict::kLeak,         Verdict::kGrowing,
                                   Verdict::kOver,  Verdict::kInconclusive, Verdict::kError};
  const std::string name = json.Text();
  std::string allowed;
  for (const Verdict verdict : kVerdicts) {
    if (name == VerdictName(verdict)) return verdict;
    allowed += (allowed.empty() ? "expected " : " or ") + std::string(VerdictName(verdict));
  }
  json.Refuse(allowed);
  return Verdict::kError;
}

ResourceKind ReadKind(const JsonReader& json) {
  const std::string name = json.Text();
  std::string allowed;
  for (size_t i = 0; i < kResourceKinds; ++i) {
    const auto kind = static_cast<ResourceKind>(i);
    if (name == ResourceKindName(kind)) return kind;
    allowed += (allowed.empty() ? "expected " : " or ") + std::string(ResourceKindName(kind));
  }
  json.Refuse(allowed);
  return ResourceKind::kHeap;
}

Growth ReadGrowth(const JsonReader& json) {
  Growth growth;
  growth.bytes_per_iteration = json["bytes_per_iteration"].Real();
  growth.blocks_per_iteration = json["blocks_per_iteration"].Real();
  const JsonReader least = json["minimum_detectable"];
  if (!least.IsNull()) {
    growth.minimum_detectable = {.bytes_per_iteration = least["bytes_per_iteration"].Real(),
                                 .one_in_iterations = least["one_in_iterations"].Real(),
                                 .confidence = least["confidence"].Real()};
  }
  return growth;
}

std::vector<Sample> ReadSamples(const JsonReader& json) {
  const size_t count = json["iteration"].Size();
  std::vector<Sample> samples(count);
  for (const SampleColumn& column : kColumns) {
    const JsonReader values = json[column.name];
    if (values.Size() != count) values.Refuse("expected as many values as in 'iteration'");
    for (size_t i = 0; i < count && i < values.Size(); ++i) {
      if (!values[i].IsNull()) column.set(samples[i], values[i].Whole());
    }
  }
  return samples;
}

CaseResult ReadCase(const JsonReader& json) {
  CaseResult result;
  result.name = json["name"].Text();
  result.scenario = json["scenario"].Text();
  result.engine = json["engine"].Text();
  result.allocator = json["allocator"].Text();
  result.environment = json["environment"].Text();
  result.skipped = json["skipped"].Truth();
  if (!result.skipped) result.verdict = ReadVerdict(json["verdict"]);
  result.reason = json["reason"].Text();
  result.iterations = json["iterations"].Count32();
  result.warmup = json["warmup"].Count32();
  result.seconds = json["seconds"].Real();
  if (!json["growth"].IsNull()) result.growth = ReadGrowth(json["growth"]);
  const JsonReader peak = json["peak"];
  result.peak = {peak["rss_bytes"].MaybeWhole(), peak["rss_anon_bytes"].MaybeWhole(),
                 peak["rss_file_bytes"].MaybeWhole(), peak["live_heap_bytes"].MaybeWhole(),
                 peak["page_faults_per_iteration"].MaybeReal()};
  json["diagnosis"].ForEach([&](const JsonReader& item) {
    result.diagnosis.push_back({item["kind"].Text(), item["bytes"].Real(), item["evidence"].Text(),
                                item["advice"].IsNull() ? "" : item["advice"].Text()});
  });
  json["sites"].ForEach([&](const JsonReader& item) {
    SiteFinding& site = result.sites.emplace_back();
    site.kind = ReadKind(item["kind"]);
    site.verdict = ReadVerdict(item["verdict"]);
    site.bytes_per_iteration = item["bytes_per_iteration"].Real();
    site.blocks_per_iteration = item["blocks_per_iteration"].Real();
    if (!item["period"].IsNull()) site.period = item["period"].Count32();
    if (!item["pattern"].IsNull()) site.pattern = item["pattern"].Text();
    item["stack"].ForEach([&](const JsonReader& frame) { site.stack.push_back(frame.Text()); });
  });
  json["suppressed"].ForEach([&](const JsonReader& item) {
    SuppressedSite& site = result.suppressed.emplace_back();
    site.name = item["name"].Text();
    site.reason = item["reason"].Text();
    site.kind = ReadKind(item["kind"]);
    site.bytes_per_iteration = item["bytes_per_iteration"].Real();
    item["stack"].ForEach([&](const JsonReader& frame) { site.stack.push_back(frame.Text()); });
  });
  json["trends"].ForEach([&](const JsonReader& item) {
    result.trends.push_back({item["metric"].Text(), ReadVerdict(item["verdict"]),
                             item["reason"].Text(), item["bytes_per_iteration"].Real(),
                             item["upper_bytes_per_iteration"].Real(), item["children"].Count32(),
                             item["iterations"].Count32()});
  });
  json["lines"].ForEach([&](const JsonReader& item) {
    result.lines.push_back({item["metric"].Text(), item["value"].MaybeReal(), item["limit"].Real(),
                            item["source"].Text(), item["holds"].Truth()});
  });
  json["last_output"].ForEach(
      [&](const JsonReader& line) { result.last_output.push_back(line.Text()); });
  result.samples = ReadSamples(json["samples"]);
  return result;
}

}  // namespace

std::string RenderJson(const Context& context, const std::vector<CaseResult>& cases) {
  Json document = {{"schema_version", kSchemaVersion},
                   {"context", ContextToJson(context)},
                   {"cases", Json::array()}};
  for (const CaseResult& result : cases) document["cases"].push_back(CaseToJson(result));
  std::string text;
  Print(document, 0, text);
  return text + "\n";
}

Status WriteJson(const std::string& path, const Context& context,
                 const std::vector<CaseResult>& cases) {
  return WriteOutput(path, RenderJson(context, cases));
}

Expected<Results> ParseResults(std::string_view text, std::string_view where) {
  JsonDocument document(text, where);
  const JsonReader root = document.root();
  if (root["schema_version"].Whole() != kSchemaVersion) {
    root["schema_version"].Refuse("expected " + std::to_string(kSchemaVersion));
  }
  Results results;
  results.context = ReadContext(root["context"]);
  root["cases"].ForEach([&](const JsonReader& item) { results.cases.push_back(ReadCase(item)); });
  if (document.error()) return tl::unexpected<Error>(*document.error());
  return results;
}

Expected<Results> ReadJson(const std::string& path) {
  return ReadFile(path).and_then([&](const std::string& text) { return ParseResults(text, path); });
}

}  // namespace plimsoll
