#include "harness/report/folded.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "harness/report/terminal.h"
#include "harness/report/text.h"

namespace plimsoll {
namespace {

// A frame's name may hold neither the separator nor a line's end.
std::string Frame(const std::string& text) {
  std::string frame = Printable(text);
  std::replace(frame.begin(), frame.end(), ';', ':');
  return frame;
}

int64_t Weight(const SiteFinding& site) {
  const double per_iteration =
      site.bytes_per_iteration > 0 ? site.bytes_per_iteration : site.blocks_per_iteration;
  return std::max<int64_t>(1, std::llround(1000 * per_iteration));
}

}  // namespace

std::string RenderFolded(const std::vector<CaseResult>& cases) {
  std::string text;
  for (const CaseResult& result : cases) {
    for (const SiteFinding& site : result.sites) {
      text += Frame(result.name) + ";" + ResourceKindName(site.kind);
      for (auto frame = site.stack.rbegin(); frame != site.stack.rend(); ++frame) {
        text += ";" + Frame(*frame);
      }
      text += " " + std::to_string(Weight(site)) + "\n";
    }
  }
  return text;
}

Status WriteFolded(const std::string& path, const std::vector<CaseResult>& cases) {
  return WriteOutput(path, RenderFolded(cases));
}

}  // namespace plimsoll
