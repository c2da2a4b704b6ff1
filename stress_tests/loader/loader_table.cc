// loader_table: the bars of the weight loader, measured side by side in one run, as a table
// and as JSON. Exit status 0 when all hold, 1 when one does not, 2 when it cannot measure.

#include <simdjson.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "allocators/mmap_loader/loader.h"
#include "base/caller_folder.h"
#include "base/file.h"
#include "base/units.h"
#include "stress_tests/bars.h"
#include "stress_tests/loader/big_files.h"
#include "stress_tests/loader/smaps.h"

namespace plimsoll {
namespace {

using weights::Loader;
using weights::LoadOptions;
using weights::Mode;
using weights::Prefetch;

constexpr uint64_t kMebi = uint64_t{1} << 20;
constexpr uint64_t kModelTensors = 256;
constexpr uint64_t kModelTensorBytes = 4 * kMebi;
constexpr uint64_t kManyTensors = 10'000;

double Seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

template <typename Result>
auto Must(Result result) {
  if (!result) {
    std::fprintf(stderr, "loader_table: %s\n", result.error().message.c_str());
    std::exit(2);
  }
  if constexpr (!std::is_same_v<Result, Status>) return std::move(*result);
}

std::string Text(const char* format, double a, double b = 0, double c = 0) {
  char text[256];
  std::snprintf(text, sizeof(text), format, a, b, c);
  return text;
}

// Touches each page.
unsigned Touch(std::span<const std::byte> bytes) {
  unsigned sum = 0;
  for (size_t i = 0; i < bytes.size(); i += weights::PageSize()) {
    sum += std::to_integer<unsigned>(bytes[i]);
  }
  return sum;
}

// A command in a process of its own; its wall time.
double CommandSeconds(const std::string& command) {
  return Seconds([&] {
    const int status = std::system(command.c_str());
    if (status != 0) {
      std::fprintf(stderr, "loader_table: %s: status %d\n", command.c_str(), status);
      std::exit(2);
    }
  });
}

void MeasureMemory(const std::string& path, std::vector<Bar>& bars) {
  Loader loader;
  const uint64_t before = ReadSmaps(getpid()).anonymous;
  const weights::Weights open = Must(loader.Open(path, {.mode = Mode::kMmap}));
  std::vector<weights::Tensor> held;
  unsigned sum = 0;
  for (size_t i = 0; i < open.directory().size(); ++i) {
    held.push_back(Must(open.Acquire(i)));
    sum += Touch(Must(held.back().Bytes()));
  }
  const uint64_t after = ReadSmaps(getpid()).anonymous;
  const MappedMemory file = ReadSmaps(getpid(), path);
  const auto index = static_cast<double>(open.directory().memory_bytes());
  bars.push_back(AtMost(
      "mapped 1 GiB: anonymous memory", static_cast<double>(after - std::min(before, after)),
      "bytes", static_cast<double>(kMebi) + index,
      Text("whole process, smaps, all pages touched: %.0f MiB of the file resident; index %.0f "
           "bytes (checksum of touches %.0f)",
           static_cast<double>(file.rss) / static_cast<double>(kMebi), index, sum)));

  const uint64_t mappings = ReadSmaps(getpid(), path).mappings;
  std::vector<double> times;
  for (int i = 0; i < 1000; ++i) {
    times.push_back(Seconds([&] { Must(loader.Open(path, {.mode = Mode::kMmap})); }));
  }
  const weights::Weights second = Must(loader.Open(path, {.mode = Mode::kMmap}));
  bars.push_back(AtMost("second load: added mappings",
                        static_cast<double>(ReadSmaps(getpid(), path).mappings - mappings), "", 0,
                        "lines of smaps with the file's path, before and after"));
  bars.push_back(AtMost("second load: time", MedianOf(times) * 1e6, "us", 50,
                        "median of 1000 opens of the file that is open"));

  const uint64_t resident = *loader.Stats().resident_bytes;
  held[7].Drop();
  const auto fall = static_cast<double>(resident - *loader.Stats().resident_bytes);
  const auto size = static_cast<double>(kModelTensorBytes);
  bars.push_back(AtMost("drop one tensor: off its size by", std::abs(fall - size), "bytes",
                        static_cast<double>(2 * weights::PageSize()),
                        Text("resident (pagemap) fell by %.0f for a tensor of %.0f", fall, size)));
}

void MeasureOpen(const std::string& path, std::vector<Bar>& bars) {
  const std::string header = HeaderOf(path);
  const simdjson::padded_string padded(header);
  simdjson::dom::parser parser;
  std::vector<double> ours, nlohmann_times, simdjson_times;
  for (int round = 0; round < 31; ++round) {
    Loader loader;
    std::optional<weights::Weights> open;
    ours.push_back(Seconds([&] { open.emplace(Must(loader.Open(path, {.mode = Mode::kMmap}))); }));
    if (open->directory().size() != kManyTensors) std::exit(2);
    nlohmann::json parsed;
    nlohmann_times.push_back(Seconds([&] { parsed = nlohmann::json::parse(header); }));
    simdjson_times.push_back(Seconds([&] {
      if (parser.parse(padded).error() != simdjson::SUCCESS) std::exit(2);
    }));
  }
  const double milliseconds = MedianOf(ours) * 1e3;
  const double nlohmann_ms = MedianOf(nlohmann_times) * 1e3;
  const double simdjson_ms = MedianOf(simdjson_times) * 1e3;
  bars.push_back(AtMost(
      "open 10,000 tensors", milliseconds, "ms", 10,
      Text("median of 31, least %.2f ms; open, map, parse and check a header of %.0f bytes",
           *std::min_element(ours.begin(), ours.end()) * 1e3, static_cast<double>(header.size()))));
  bars.push_back(
      AtMost("open 10,000 tensors / plain parse", milliseconds / nlohmann_ms, "x", 1.5,
             Text("nlohmann::json::parse of the header: %.2f ms, in turn with ours", nlohmann_ms)));
  bars.push_back(Figure("simdjson's DOM of the header", simdjson_ms, "ms",
                        Text("parser and padded buffer made before: ours is %.1f times that",
                             milliseconds / simdjson_ms)));
}

struct ReadTimes {
  std::vector<double> ours, dd, cat, dd_stream;
};

// Ours keeps the gibibyte in memory, and so do dd with one block for all of it and cat into
// a file in memory. dd with small blocks keeps nothing and is a figure to compare with.
void AddReadBars(const std::string& name, const ReadTimes& times, const std::string& how,
                 std::vector<Bar>& bars) {
  const double ours = MedianOf(times.ours);
  const double dd = MedianOf(times.dd);
  const double cat = MedianOf(times.cat);
  const double stream = MedianOf(times.dd_stream);
  const std::string figures =
      Text("ours %.3f s, dd bs=1G %.3f s, cat into tmpfs %.3f s; ", ours, dd, cat) + how;
  bars.push_back(AtMost(name + " read of 1 GiB / dd bs=1G", ours / dd, "x", 1.1, figures));
  bars.push_back(AtMost(name + " read of 1 GiB / cat into tmpfs", ours / cat, "x", 1.1, figures));
  bars.push_back(
      Figure(name + " read of 1 GiB / dd bs=1M", ours / stream, "x",
             Text("dd keeps nothing, one buffer of 1 MiB again and again: %.3f s", stream)));
}

void MeasureReads(const std::string& path, int rounds, const LoadOptions& options,
                  std::vector<Bar>& bars) {
  const std::string dd = "dd if=" + path + " of=/dev/null status=none iflag=fullblock bs=";
  const std::string copy = "/dev/shm/plimsoll_loader_" + std::to_string(getpid());
  const std::string cat = "cat " + path + " > " + copy;
  // And lets go of it, as dd does when it ends.
  const auto load = [&] {
    Loader loader;
    Must(loader.Open(path, options));
  };
  for (const bool cold : {true, false}) {
    ReadTimes times;
    uint64_t stayed = 0;
    // Each in a row, and once before that does not count: in a virtual machine the first
    // pays for memory that the host has to give back, whoever it is.
    const auto measure = [&](std::vector<double>& to, const std::function<double()>& work) {
      for (int round = 0; round <= rounds; ++round) {
        if (cold) stayed = std::max(stayed, EvictFile(path));
        const double seconds = work();
        if (round > 0) to.push_back(seconds);
      }
    };
    measure(times.dd_stream, [&] { return CommandSeconds(dd + "1M"); });
    measure(times.ours, [&] { return Seconds(load); });
    measure(times.dd, [&] { return CommandSeconds(dd + "1G"); });
    measure(times.cat, [&] {
      const double seconds = CommandSeconds(cat);
      unlink(copy.c_str());
      return seconds;
    });
    AddReadBars(cold ? "cold" : "warm", times,
                "medians of " + std::to_string(rounds) +
                    (cold ? " in a row, each after fadvise DONTNEED, which left " +
                                FormatBytes(static_cast<double>(stayed)) + " in the page cache"
                          : " in a row, the file in the page cache"),
                bars);
  }
}

void MeasureFirstTensor(const std::string& path, int rounds, const LoadOptions& options,
                        std::vector<Bar>& bars) {
  std::vector<double> mapped, read;
  unsigned sum = 0;
  for (int round = 0; round < rounds; ++round) {
    EvictFile(path);
    mapped.push_back(Seconds([&] {
      Loader loader;
      const weights::Weights open = Must(loader.Open(path, {.mode = Mode::kMmap}));
      const weights::Tensor tensor = Must(open.Acquire(0));
      sum += Touch(Must(tensor.Bytes()));
    }));
    EvictFile(path);
    read.push_back(Seconds([&] {
      Loader loader;
      const weights::Weights open = Must(loader.Open(path, options));
      const weights::Tensor tensor = Must(open.Acquire(0));
      sum += Touch(Must(tensor.Bytes()));
    }));
  }
  const double mapped_ms = MedianOf(mapped) * 1e3;
  const double read_ms = MedianOf(read) * 1e3;
  bars.push_back(AtLeast("first tensor: full read / mmap", read_ms / mapped_ms, "x", 50,
                         Text("cold, 4 MiB of 1 GiB: mmap %.2f ms, full read %.1f ms (%.0f)",
                              mapped_ms, read_ms, sum)));
}

}  // namespace
}  // namespace plimsoll

int main(int argc, char** argv) {
  plimsoll::Must(plimsoll::EnterCallerFolder());
  CLI::App app("The bars of the weight loader, measured side by side.", "loader_table");
  std::string json;
  int rounds = 9;
  app.add_option("--json", json, "write the figures to this file, too");
  app.add_option("--rounds", rounds, "of each measurement that reads 1 GiB")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  using namespace plimsoll;
  const BigFolder folder;
  const std::string model =
      Must(WriteBigFile(folder.Path("model.safetensors"), kModelTensors, kModelTensorBytes));
  const std::string many = Must(WriteBigFile(folder.Path("many.safetensors"), kManyTensors, 64));
  const LoadOptions whole{.mode = Mode::kRead, .prefetch = Prefetch::kPopulate};
  std::vector<Bar> bars;
  MeasureMemory(model, bars);
  MeasureOpen(many, bars);
  MeasureReads(model, rounds, whole, bars);
  MeasureFirstTensor(model, rounds, whole, bars);
  std::printf("%s\n%s", RenderBars(bars).c_str(), RenderDetails(bars).c_str());
  if (!json.empty()) Must(WriteFile(json, BarsToJson(ThisContext(".", 0), bars)));
  for (const Bar& bar : bars) {
    if (!bar.holds) return 1;
  }
  return 0;
}
