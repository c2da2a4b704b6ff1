#include "tools/run_command.h"

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "harness/gate/lines.h"
#include "harness/runner/environment.h"
#include "harness/runner/parent.h"
#include "scenarios/script/resolve.h"
#include "scenarios/script/script.h"
#include "tools/exit_status.h"
#include "tools/installation.h"

namespace plimsoll {
int Run(const std::vector<std::string>& paths) {
  auto scripts = FindScripts(paths);
  if (!scripts) { printf("%s\n", scripts.error().message.c_str()); return 2; }
  std::vector<CaseResult> results;
  for (auto& s : *scripts) {
    auto cases = LoadScript(s);
    if (!cases) { printf("%s\n", cases.error().message.c_str()); return 2; }
    for (auto& c : *cases) {
      CaseSpec spec;
      spec.scenario = c.scenario; spec.engine = c.engine; spec.allocator = c.allocator;
      spec.environment = *FindEnvironment(c.environment);
      spec.rule.warmup = c.warmup; spec.rule.max_iterations = c.iterations;
      auto config = ResolveConfig(c);
      if (!config) { printf("%s\n", config.error().message.c_str()); return 2; }
      std::ofstream("/tmp/config.json") << *config;
      spec.command = {*EngineBinary(c.engine), "/tmp/config.json"};
      CaseObserver obs;
      auto r = RunCase(spec, *LedgerLibrary(), obs);
      HoldLines(r, c.lines);
      printf("%s %s n=%u %.1fs %s rss=%lu faults=%f\n", r.name.c_str(), VerdictName(r.verdict), r.iterations, r.seconds, r.reason.c_str(), r.peak.rss_bytes.value_or(0), r.peak.page_faults_per_iteration.value_or(-1));
      for (auto& f : r.sites) { printf("  %s %.1f B %s\n", ResourceKindName(f.kind), f.bytes_per_iteration, f.pattern.c_str()); for (auto& l : f.stack) printf("     %s\n", l.c_str()); }
      for (auto& l : r.last_output) printf("  | %s\n", l.c_str());
      results.push_back(r);
    }
  }
  return ExitStatusOf(results);
}
void AddRunCommand(CLI::App& app, int& status) {
  auto* sub = app.add_subcommand("run", "run");
  auto paths = std::make_shared<std::vector<std::string>>();
  sub->add_option("PATH", *paths)->required();
  sub->callback([paths, &status] { status = Run(*paths); });
}
void AddListCommand(CLI::App&, int&) {}
}
