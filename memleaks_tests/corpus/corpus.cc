#include "memleaks_tests/corpus/corpus.h"

#include <algorithm>
#include <vector>

#include "memleaks_tests/corpus/families.h"
#include "scenarios/engines/reference/patterns.h"

namespace plimsoll {

std::span<const Pattern> Corpus() {
  static const std::vector<Pattern> kCorpus = [] {
    std::vector<Pattern> all;
    for (const auto family : {BasicPatterns(), ContainerPatterns(), IrregularPatterns(),
                              ReportedPatterns(), ThreadPatterns(), UnreachablePatterns(),
                              SystemPatterns(), CachePatterns(), PoolPatterns(), ReusePatterns()}) {
      all.insert(all.end(), family.begin(), family.end());
    }
    return all;
  }();
  return kCorpus;
}

const Pattern* FindPattern(std::string_view name) {
  const auto corpus = Corpus();
  const auto found = std::find_if(corpus.begin(), corpus.end(),
                                  [name](const Pattern& p) { return p.name == name; });
  return found == corpus.end() ? nullptr : &*found;
}

}  // namespace plimsoll
