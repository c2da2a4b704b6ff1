#include "stress_tests/arena/arena_bars.h"

#include <algorithm>
#include <optional>

namespace plimsoll {
namespace {

constexpr const char* kArena = "arena";

std::optional<PeerFigure::Span> Counter(const PeerFigures& figures, const std::string& loop,
                                        const std::string& contender, const std::string& counter) {
  const PeerFigure* const figure = FindPeer(figures, loop, contender);
  if (figure == nullptr) return std::nullopt;
  const auto found = figure->counters.find(counter);
  if (found == figure->counters.end()) return std::nullopt;
  return found->second;
}

std::optional<double> Greatest(const PeerFigures& figures, const std::string& loop,
                               const std::string& counter) {
  const auto span = Counter(figures, loop, kArena, counter);
  if (!span) return std::nullopt;
  return span->greatest;
}

std::optional<double> Least(const PeerFigures& figures, const std::string& loop,
                            const std::string& contender, const std::string& counter) {
  const auto span = Counter(figures, loop, contender, counter);
  if (!span) return std::nullopt;
  return span->least;
}

std::optional<double> Nanoseconds(const PeerFigures& figures, const std::string& loop,
                                  const std::string& contender) {
  const PeerFigure* const figure = FindPeer(figures, loop, contender);
  if (figure == nullptr) return std::nullopt;
  return figure->nanoseconds;
}

std::optional<double> Faults(const PeerFigures& figures, const std::string& loop,
                             const std::string& contender) {
  const PeerFigure* const figure = FindPeer(figures, loop, contender);
  return figure == nullptr ? std::nullopt : figure->faults_per_cycle;
}

std::optional<double> Quotient(std::optional<double> above, std::optional<double> below) {
  if (!above || !below || *below <= 0) return std::nullopt;
  return *above / *below;
}

bool IsMalloc(const std::string& contender) { return !contender.starts_with(kArena); }

// Times the fastest malloc's.
std::optional<double> TimesBest(const PeerFigures& figures, const std::string& loop) {
  const auto contenders = figures.find(loop);
  if (contenders == figures.end()) return std::nullopt;
  std::optional<double> best;
  for (const auto& [contender, figure] : contenders->second) {
    if (!IsMalloc(contender)) continue;
    best = std::min(best.value_or(figure.nanoseconds), figure.nanoseconds);
  }
  return Quotient(Nanoseconds(figures, loop, kArena), best);
}

// How far apart the losses of all contenders and runs are, as numbers of their bits.
std::optional<double> LossesApart(const PeerFigures& figures, const std::string& loop) {
  if (FindPeer(figures, loop, kArena) == nullptr) return std::nullopt;
  std::optional<PeerFigure::Span> all;
  size_t mallocs = 0;
  for (const auto& [contender, figure] : figures.at(loop)) {
    const auto losses = Counter(figures, loop, contender, "loss_bits");
    if (!losses) return std::nullopt;
    mallocs += IsMalloc(contender);
    if (!all) all = losses;
    *all = {std::min(all->least, losses->least), std::max(all->greatest, losses->greatest)};
  }
  if (!all || mallocs == 0) return std::nullopt;
  return all->greatest - all->least;
}

}  // namespace

std::vector<PeerLine> HoldArenaLines(const PeerFigures& figures, const ArenaMeasured& measured) {
  std::vector<PeerLine> lines;
  for (const std::string& trace : measured.traces) {
    const std::string touched = "Touched:" + trace;
    lines.push_back(AtMost(trace + ": a call without touching, ns, at most",
                           Nanoseconds(figures, "Calls:" + trace, kArena), 20));
    lines.push_back(AtMost(trace + ": page faults of a step in steady state, at most",
                           Faults(figures, touched, kArena), 0));
    lines.push_back(AtMost(trace + ": max RSS in steady state over peak live, at most",
                           Greatest(figures, touched, "steady_rss"), 1.02));
    lines.push_back(AtMost(trace + ": max RSS from the first step on over peak live, at most",
                           Greatest(figures, touched, "rss"), 1.02));
    lines.push_back(AtMost(trace + ": a touched step over tuned glibc's, at most",
                           PeerRatio(figures, touched, kArena, "glibc_tuned"), kNoSlower));
  }
  for (const std::string& trace : measured.varying_traces) {
    for (const char* threads : {"2", "4", "8"}) {
      lines.push_back(AtMost(
          trace + ": CPU time of a call, " + threads + " threads over 1, at most",
          Quotient(Nanoseconds(figures, std::string("Threads") + threads + ":" + trace, kArena),
                   Nanoseconds(figures, "Threads1:" + trace, kArena)),
          1.5));
    }
    lines.push_back(AtMost(trace + ": misses with 5 shapes in turn, each seen twice, %, at most",
                           Greatest(figures, "FiveShapes:" + trace, "missed_percent"), 1));
    lines.push_back(AtMost(trace + ": max RSS with shapes at random over the largest's, at most",
                           Greatest(figures, "AnyShape:" + trace, "rss"), 1.2));
    const std::string any_thread = "AnyShapeAnyThread:" + trace;
    lines.push_back(AtMost(trace + ": the same with each step on any of 8 threads, at most",
                           Greatest(figures, any_thread, "rss"), 1.2));
    lines.push_back(AtLeast(trace + ": default glibc's growth there after 30 steps, at least",
                            Quotient(Least(figures, any_thread, "glibc", "rss"),
                                     Least(figures, any_thread, "glibc", "early_rss")),
                            1.05));
  }
  for (const std::string& model : measured.models) {
    const std::string loop = "TorchStep:" + model;
    lines.push_back(AtMost("libtorch " + model + ": page faults of a step over glibc's, at most",
                           Quotient(Faults(figures, loop, kArena), Faults(figures, loop, "glibc")),
                           0.01));
    lines.push_back(AtMost("libtorch " + model + ": a step over the fastest malloc's, at most",
                           TimesBest(figures, loop), kNoSlower));
    lines.push_back(AtMost("libtorch " + model + ": difference of losses, in bits, at most",
                           LossesApart(figures, loop), 0));
  }
  return lines;
}

}  // namespace plimsoll
