#include "tools/plan_command.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "allocators/planner_arena/planner/lifetimes_file.h"
#include "allocators/planner_arena/planner/plan_picture.h"
#include "allocators/planner_arena/planner/planner.h"
#include "allocators/planner_arena/planner/validator.h"
#include "base/file.h"
#include "base/units.h"
#include "tools/exit_status.h"

namespace plimsoll {
namespace {

int Refuse(const Error& error) {
  std::fprintf(stderr, "plimsoll: %s\n", error.message.c_str());
  return kExitBadRequest;
}

std::string Bytes(int64_t bytes) { return FormatBytes(static_cast<double>(bytes)); }

double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// One line on a terminal, ten times a second; wiped at the end.
class ProgressLine {
 public:
  void Show(const PlanProgress& progress) {
    const auto now = std::chrono::steady_clock::now();
    if (now - shown_at_ < std::chrono::milliseconds(100)) return;
    shown_at_ = now;
    const std::chrono::duration<double> seconds = now - began_;
    std::fprintf(stderr, "\r%.1f s: %s, bound %s, %lld placements tried\x1b[K", seconds.count(),
                 Bytes(progress.height).c_str(), Bytes(progress.lower_bound).c_str(),
                 static_cast<long long>(progress.nodes));
    any_ = true;
  }
  ~ProgressLine() {
    if (any_) std::fprintf(stderr, "\r\x1b[K");
  }

 private:
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point shown_at_ = began_;
  bool any_ = false;
};

struct Planned {
  std::string path;
  LifetimesFile file;
  PlanResult result;
  int64_t live = 0;  // bytes at once at most
  double wall_ms = 0;
  double cpu_ms = 0;
};

struct PlanCommand {
  std::vector<std::string> paths;
  std::string output;
  std::string svg;
  std::string capacity;
  std::optional<double> time_limit;
  int threads = 1;
  int64_t effort = PlanOptions().effort;
  bool minimize = false;
  bool inclusive = false;
  bool table = false;
  bool check = false;

  Expected<PlanOptions> Options() const {
    PlanOptions options;
    if (!capacity.empty()) {
      const Expected<uint64_t> bytes = ParseBytes(capacity);
      if (!bytes) return Fail("--capacity: " + bytes.error().message);
      if (*bytes == 0 || *bytes > INT64_MAX) {
        return BadValue("", "--capacity", capacity,
                        "expected more than 0 and less than 2^63 bytes");
      }
      options.capacity = static_cast<int64_t>(*bytes);
    }
    options.minimize = minimize;
    options.time_limit = time_limit;
    options.threads = threads;
    options.effort = effort;
    return options;
  }

  Expected<Planned> Plan(const std::string& path, PlanOptions options) const {
    const Expected<std::string> text = ReadFile(path);
    if (!text) return tl::unexpected(text.error());
    Expected<LifetimesFile> file = ParseLifetimes(path, *text, inclusive);
    if (!file) return tl::unexpected(file.error());
    Planned planned{.path = path, .file = *std::move(file), .result = {}};
    const double cpu = CpuSeconds();
    const auto begin = std::chrono::steady_clock::now();
    {
      ProgressLine line;
      if (isatty(STDERR_FILENO) != 0) {
        options.progress = [&](const PlanProgress& progress) { line.Show(progress); };
      }
      Expected<PlanResult> result = MakePlan(planned.file.buffers, options);
      if (!result) return tl::unexpected(result.error());
      planned.result = *std::move(result);
    }
    const std::chrono::duration<double, std::milli> wall = std::chrono::steady_clock::now() - begin;
    planned.wall_ms = wall.count();
    planned.cpu_ms = 1e3 * (CpuSeconds() - cpu);
    planned.live = LowerBound(planned.file.buffers);
    // Nothing is printed or written that does not hold.
    const Status valid = ValidateOffsets(planned.file.buffers, planned.result.plan.offsets,
                                         planned.result.plan.height);
    if (!valid) return Fail(path + ": the planner is wrong: " + valid.error().message);
    return planned;
  }

  int Run() const {
    const Expected<PlanOptions> options = Options();
    if (!options) return Refuse(options.error());
    if (paths.size() > 1 && (!output.empty() || !svg.empty())) {
      return Refuse({"plan: -o and --svg: expected one FILE, not " + std::to_string(paths.size())});
    }
    if (output == "-" && svg == "-") {
      return Refuse({"plan: -o and --svg: expected standard output, -, for one of them only"});
    }
    if (check) return Check();
    const bool as_table = table || paths.size() > 1;
    std::FILE* const out = output == "-" || svg == "-" ? stderr : stdout;
    int status = kExitHolds;
    std::string notes;
    size_t width = 8;
    for (const std::string& path : paths) width = std::max(width, NameOf(path).size());
    if (as_table) PrintHeader(out, width);
    for (const std::string& path : paths) {
      const Expected<Planned> planned = Plan(path, *options);
      if (!planned) return Refuse(planned.error());
      as_table ? PrintRow(out, width, *planned) : PrintText(out, *planned);
      if (as_table) notes += NotesOn(planned->file, NameOf(path) + ": ");
      std::fflush(out);
      if (Status written = Write(*planned); !written) return Refuse(written.error());
      // Proven outranks undecided.
      if (planned->result.fits == Fits::kNo) status = kExitLeaks;
      if (planned->result.fits == Fits::kUndecided && status == kExitHolds) {
        status = kExitUndecided;
      }
    }
    std::fputs(notes.c_str(), out);
    return status;
  }

  // The offsets that are in the files, by the validator alone.
  int Check() const {
    if (!output.empty() || !svg.empty() || !capacity.empty()) {
      return Refuse({"plan: --check: expected no -o, --svg or --capacity beside it"});
    }
    int status = kExitHolds;
    for (const std::string& path : paths) {
      const Expected<std::string> text = ReadFile(path);
      if (!text) return Refuse(text.error());
      const Expected<LifetimesFile> file = ParseLifetimes(path, *text, inclusive);
      if (!file) return Refuse(file.error());
      if (file->offsets.size() != file->buffers.size()) {
        return Refuse({path + ": --check: expected an offset in each row, as -o writes it"});
      }
      const int64_t height = Height(file->buffers, file->offsets);
      const int64_t bound = LowerBound(file->buffers);
      const Status valid = ValidateOffsets(file->buffers, file->offsets, height, [&](size_t i) {
        return "buffer " + file->ids[i] + " of line " + std::to_string(file->lines[i]);
      });
      if (!valid) {
        std::printf("%s: no plan: %s\n", path.c_str(), valid.error().message.c_str());
        status = kExitLeaks;
        continue;
      }
      const double gap =
          bound == 0 ? 0 : static_cast<double>(height - bound) / static_cast<double>(bound);
      std::printf("%s: a plan of %zu buffers\n", path.c_str(), file->buffers.size());
      std::printf("  height    %lld bytes (%s)\n", static_cast<long long>(height),
                  Bytes(height).c_str());
      std::printf("  bound     %lld bytes: no plan is lower; gap %.3f %%\n",
                  static_cast<long long>(bound), 100 * gap);
      std::fputs(NotesOn(*file, "  note      ").c_str(), stdout);
    }
    return status;
  }

  // What is not as the file says, a line each.
  static std::string NotesOn(const LifetimesFile& file, const std::string& prefix) {
    std::string notes;
    const auto add = [&](size_t blocks, const char* what) {
      if (blocks > 0) notes += prefix + std::to_string(blocks) + " blocks " + what + "\n";
    };
    add(file.outlasting, "that outlive two steps are left out");
    add(file.never_freed, "are never freed: live to the end");
    add(static_cast<size_t>(std::count(file.carried.begin(), file.carried.end(), true)),
        "live on into the next step: planned for one step after which nothing follows, while "
        "the arena plans each step beside the one before");
    return notes;
  }

  Status Write(const Planned& planned) const {
    const std::vector<Buffer>& buffers = planned.file.buffers;
    const plimsoll::Plan& plan = planned.result.plan;
    if (!output.empty()) {
      if (Status done = WriteOut(output, WriteOffsets(planned.file, plan.offsets)); !done) {
        return done;
      }
    }
    return svg.empty() ? Status() : WriteOut(svg, DrawPlan(buffers, plan, planned.file.ids));
  }

  static Status WriteOut(const std::string& path, const std::string& text) {
    if (path != "-") return WriteFile(path, text);
    std::fwrite(text.data(), 1, text.size(), stdout);
    return {};
  }

  static std::string NameOf(const std::string& path) {
    return std::filesystem::path(path).filename().string();
  }

  static const char* AnswerOf(const PlanResult& result, bool has_capacity) {
    if (!has_capacity) return result.optimal() ? "optimal" : "";
    switch (result.fits) {
      case Fits::kYes:
        return "fits";
      case Fits::kNo:
        return "does not fit";
      case Fits::kUndecided:
        return "undecided";
    }
    return "";
  }

  static void PrintHeader(std::FILE* out, size_t width) {
    std::fprintf(out, "%-*s %8s %15s %15s %15s %8s %10s %10s  %-12s %s\n", static_cast<int>(width),
                 "instance", "buffers", "most live", "lower bound", "height", "gap %", "ms",
                 "CPU ms", "answer", "method");
  }

  void PrintRow(std::FILE* out, size_t width, const Planned& planned) const {
    const PlanResult& result = planned.result;
    std::fprintf(out, "%-*s %8zu %15lld %15lld %15lld %8.3f %10.2f %10.2f  %-12s %s\n",
                 static_cast<int>(width), NameOf(planned.path).c_str(), planned.file.buffers.size(),
                 static_cast<long long>(planned.live),
                 static_cast<long long>(result.plan.lower_bound),
                 static_cast<long long>(result.plan.height), 100 * result.Gap(), planned.wall_ms,
                 planned.cpu_ms, AnswerOf(result, !capacity.empty()), result.method.c_str());
  }

  void PrintText(std::FILE* out, const Planned& planned) const {
    const PlanResult& result = planned.result;
    const LifetimesFile& file = planned.file;
    std::fprintf(out, "%s: %zu buffers, at most %s live\n", planned.path.c_str(),
                 file.buffers.size(), Bytes(planned.live).c_str());
    std::fputs(NotesOn(file, "  note      ").c_str(), out);
    std::fprintf(out, "  height    %lld bytes (%s), %s\n",
                 static_cast<long long>(result.plan.height), Bytes(result.plan.height).c_str(),
                 result.optimal() ? "proven optimal" : "the best found");
    std::fprintf(out, "  bound     %lld bytes: no plan is lower; gap %.3f %%\n",
                 static_cast<long long>(result.plan.lower_bound), 100 * result.Gap());
    if (!capacity.empty()) {
      std::fprintf(out, "  capacity  %s: %s\n", capacity.c_str(), AnswerOf(result, true));
    }
    std::fprintf(out, "  method    %s; %lld placements searched, %.2f ms, %.2f ms of CPU\n",
                 result.method.c_str(), static_cast<long long>(result.nodes), planned.wall_ms,
                 planned.cpu_ms);
  }
};

}  // namespace

void AddPlanCommand(CLI::App& app, int& status) {
  auto command = std::make_shared<PlanCommand>();
  CLI::App* plan = app.add_subcommand(
      "plan",
      "Plan offsets for buffers of known lifetimes.\n"
      "FILE: CSV with columns id,lower,upper,size[,alignment]; or lines of three numbers:\n"
      "allocated, freed, bytes; or an RMM replay log; or a profile that the arena wrote.");
  plan->add_option("FILE", command->paths, "traces; several print a table")->required();
  plan->add_option("-o,--output", command->output,
                   "write the rows with their offsets; - is standard output");
  plan->add_option("--svg", command->svg, "write a picture of the plan; - is standard output");
  plan->add_option("--capacity", command->capacity,
                   "such as '1 MiB': do the buffers fit? exit status 0 yes, 1 proven not, 3 "
                   "undecided");
  plan->add_flag("--minimize", command->minimize, "with --capacity: go on to the lowest plan");
  plan->add_option("--time-limit", command->time_limit, "seconds for each FILE");
  plan->add_option("--threads", command->threads, "for exact search")->capture_default_str();
  plan->add_option("--effort", command->effort,
                   "what exact search may spend: placements x sections of all buffers")
      ->capture_default_str();
  plan->add_flag("--inclusive", command->inclusive, "buffers are live at upper, too");
  plan->add_flag("--table", command->table, "a table row instead of text");
  plan->add_flag("--check", command->check,
                 "plan nothing: are the offsets in FILE, as -o writes them, a plan? exit status 0 "
                 "yes, 1 no");
  plan->callback([command, &status] { status = command->Run(); });
}

}  // namespace plimsoll
