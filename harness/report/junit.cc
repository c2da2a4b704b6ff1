#include "harness/report/junit.h"

#include <algorithm>
#include <cstdio>
#include <pugixml.hpp>
#include <sstream>

#include "harness/report/table.h"
#include "harness/report/terminal.h"
#include "harness/report/text.h"

namespace plimsoll {
namespace {

// XML 1.0 has no way to write most control characters, not even escaped.
void SetAttribute(pugi::xml_node node, const char* name, const std::string& value) {
  node.append_attribute(name).set_value(Printable(value).c_str());
}

std::string Decimal(double value) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.15g", value);
  return text;
}

std::string Seconds(double seconds) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.3f", seconds);
  return text;
}

void AddProperty(pugi::xml_node properties, const char* name, const std::string& value) {
  pugi::xml_node property = properties.append_child("property");
  SetAttribute(property, "name", name);
  SetAttribute(property, "value", value);
}

// Counts of <testsuites> and <testsuite>.
struct Totals {
  size_t tests = 0, failures = 0, errors = 0, skipped = 0;
  double seconds = 0;

  void Add(const CaseResult& result) {
    ++tests;
    seconds += result.seconds;
    if (result.skipped) {
      ++skipped;
    } else if (result.verdict == Verdict::kError) {
      ++errors;
    } else if (result.verdict != Verdict::kClean) {
      ++failures;
    }
  }

  void Set(pugi::xml_node node) const {
    SetAttribute(node, "tests", std::to_string(tests));
    SetAttribute(node, "failures", std::to_string(failures));
    SetAttribute(node, "errors", std::to_string(errors));
    SetAttribute(node, "skipped", std::to_string(skipped));
    SetAttribute(node, "time", Seconds(seconds));
  }
};

void AddCase(pugi::xml_node suite, const CaseResult& result) {
  pugi::xml_node test = suite.append_child("testcase");
  const std::string prefix = result.scenario + "/";
  SetAttribute(test, "name",
               result.name.starts_with(prefix) ? result.name.substr(prefix.size()) : result.name);
  SetAttribute(test, "classname", result.scenario);
  SetAttribute(test, "time", Seconds(result.seconds));

  pugi::xml_node properties = test.append_child("properties");
  AddProperty(properties, "verdict", VerdictText(result));
  AddProperty(properties, "iterations", std::to_string(result.iterations));
  if (const auto& least = result.growth.minimum_detectable) {
    AddProperty(properties, "minimum_detectable_bytes_per_iteration",
                Decimal(least->bytes_per_iteration));
    AddProperty(properties, "minimum_detectable_one_in_iterations",
                Decimal(least->one_in_iterations));
  }
  if (result.peak.rss_bytes) {
    AddProperty(properties, "peak_rss_bytes", std::to_string(*result.peak.rss_bytes));
  }
  if (result.peak.live_heap_bytes) {
    AddProperty(properties, "peak_live_heap_bytes", std::to_string(*result.peak.live_heap_bytes));
  }
  if (result.peak.page_faults_per_iteration) {
    AddProperty(properties, "page_faults_per_iteration",
                Decimal(*result.peak.page_faults_per_iteration));
  }

  if (result.skipped) {
    SetAttribute(test.append_child("skipped"), "message", result.reason);
  } else if (result.verdict != Verdict::kClean) {
    pugi::xml_node failure =
        test.append_child(result.verdict == Verdict::kError ? "error" : "failure");
    SetAttribute(failure, "type", VerdictText(result));
    SetAttribute(failure, "message", result.reason);
    failure.text().set(RenderDetails(result).c_str());
  }
}

}  // namespace

std::string RenderJunit(const Context& context, const std::vector<CaseResult>& cases) {
  pugi::xml_document document;
  pugi::xml_node declaration = document.append_child(pugi::node_declaration);
  SetAttribute(declaration, "version", "1.0");
  SetAttribute(declaration, "encoding", "UTF-8");
  pugi::xml_node suites = document.append_child("testsuites");
  SetAttribute(suites, "name", "plimsoll");
  Totals all;
  for (const CaseResult& result : cases) all.Add(result);
  all.Set(suites);

  // A suite per scenario, in the order of their first cases.
  std::vector<std::string> scenarios;
  for (const CaseResult& result : cases) {
    if (std::find(scenarios.begin(), scenarios.end(), result.scenario) == scenarios.end()) {
      scenarios.push_back(result.scenario);
    }
  }
  for (const std::string& scenario : scenarios) {
    Totals totals;
    for (const CaseResult& result : cases) {
      if (result.scenario == scenario) totals.Add(result);
    }
    pugi::xml_node suite = suites.append_child("testsuite");
    SetAttribute(suite, "name", scenario);
    totals.Set(suite);
    SetAttribute(suite, "timestamp", context.date);
    SetAttribute(suite, "hostname", context.host);
    pugi::xml_node properties = suite.append_child("properties");
    AddProperty(properties, "fingerprint", FingerprintKey(context.fingerprint));
    AddProperty(properties, "commit", context.commit);
    AddProperty(properties, "seed", std::to_string(context.seed));
    for (const CaseResult& result : cases) {
      if (result.scenario == scenario) AddCase(suite, result);
    }
  }
  std::ostringstream text;
  document.save(text, " ", pugi::format_default, pugi::encoding_utf8);
  return text.str();
}

Status WriteJunit(const std::string& path, const Context& context,
                  const std::vector<CaseResult>& cases) {
  return WriteOutput(path, RenderJunit(context, cases));
}

}  // namespace plimsoll
