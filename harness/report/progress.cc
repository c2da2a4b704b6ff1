#include "harness/report/progress.h"

#include <unistd.h>

#include <cstdio>

#include "base/units.h"
#include "harness/report/terminal.h"
#include "harness/report/text.h"

namespace plimsoll {
namespace {

constexpr std::chrono::milliseconds kInterval(100);

std::string Prefix(size_t number, size_t cases, const std::string& name) {
  return "[" + std::to_string(number) + "/" + std::to_string(cases) + "] " + Printable(name);
}

}  // namespace

std::string ProgressText(size_t number, size_t cases, const std::string& name,
                         const Sample& sample) {
  std::string text =
      Prefix(number, cases, name) + "  iteration " + std::to_string(sample.iteration);
  if (sample.ledger.has_value()) {
    const HeldCount& heap = sample.ledger->held[static_cast<size_t>(ResourceKind::kHeap)];
    text += "  live " + FormatBytes(static_cast<double>(heap.bytes));
  }
  if (sample.process.rss_bytes.has_value()) {
    text += "  RSS " + FormatBytes(static_cast<double>(*sample.process.rss_bytes));
  }
  return text;
}

Progress::Progress(int descriptor, size_t cases)
    : descriptor_(descriptor), terminal_(IsTerminal(descriptor)), cases_(cases) {}

Progress::~Progress() { Draw(""); }

void Progress::StartCase(const std::string& name) {
  ++case_;
  name_ = name;
  Draw(Prefix(case_, cases_, name_));
}

void Progress::OnSample(const Sample& sample) {
  const auto now = std::chrono::steady_clock::now();
  if (!terminal_ || now - drawn_ < kInterval) return;
  drawn_ = now;
  Draw(ProgressText(case_, cases_, name_, sample));
}

void Progress::EndCase() { Draw(""); }

void Progress::Draw(const std::string& text) {
  if (!terminal_) return;
  // Carriage return, then erase to the end of the line.
  const std::string line =
      "\r" + Cut(text, static_cast<size_t>(TerminalWidth(descriptor_)) - 1) + "\033[K";
  // A terminal that takes no output is no reason to fail a run.
  [[maybe_unused]] const ssize_t written = write(descriptor_, line.data(), line.size());
}

}  // namespace plimsoll
