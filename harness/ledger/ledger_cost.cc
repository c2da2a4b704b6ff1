// Prints what the ledger costs, beside heaptrack, as ratios of one run:
//   bazel run -c opt //harness/ledger:ledger_cost                 malloc/free pairs
//   bazel run -c opt //harness/ledger:ledger_cost -- COMMAND...   a program's time
// Exit status 0, or 2 when something cannot be run.

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace {

// Round by round, so that a busy moment does not fall on one configuration alone.
constexpr int kRounds = 5;

struct Configuration {
  std::string name;
  std::vector<std::string> wrapper;      // in front of the command
  std::vector<std::string> environment;  // NAME=VALUE
};

// Beside this program, in the runfiles.
std::string Beside(const std::string& name) {
  char self[4096];
  const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  self[length > 0 ? length : 0] = '\0';
  return (std::filesystem::path(self).parent_path() / name).string();
}

bool IsOnPath(const std::string& program) {
  const char* path = getenv("PATH");
  std::string folders = path != nullptr ? path : "";
  for (size_t start = 0; start <= folders.size();) {
    const size_t end = std::min(folders.find(':', start), folders.size());
    if (access((folders.substr(start, end - start) + "/" + program).c_str(), X_OK) == 0)
      return true;
    start = end + 1;
  }
  return false;
}

struct Finished {
  int status = -1;
  double wall_seconds = 0;
  double processor_seconds = 0;  // the command's, and of what it started and waited for
};

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

// Standard output goes to `output`.
Finished Run(const Configuration& configuration, const std::vector<std::string>& command,
             const std::string& output) {
  std::vector<std::string> words = configuration.wrapper;
  words.insert(words.end(), command.begin(), command.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const auto start = std::chrono::steady_clock::now();
  const pid_t child = fork();
  if (child == 0) {
    if (freopen(output.c_str(), "w", stdout) == nullptr) _exit(127);
    if (freopen("/dev/null", "w", stderr) == nullptr) _exit(127);
    for (const std::string& assignment : configuration.environment) {
      const size_t equals = assignment.find('=');
      setenv(assignment.substr(0, equals).c_str(), assignment.substr(equals + 1).c_str(), 1);
    }
    execvp(arguments[0], arguments.data());
    _exit(127);
  }
  Finished finished;
  rusage usage = {};
  if (child > 0) wait4(child, &finished.status, 0, &usage);
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  finished.wall_seconds = taken.count();
  finished.processor_seconds = Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
  return finished;
}

std::vector<Configuration> Configurations(const std::string& folder) {
  const std::string preload = "LD_PRELOAD=" + Beside("libtest_ledger.so");
  std::vector<Configuration> all = {
      {"plain", {}, {}},
      {"ledger, counting", {}, {preload}},
      {"ledger, full stacks", {}, {preload, "PLIMSOLL_TEST_STACKS=full"}}};
  if (IsOnPath("heaptrack"))
    all.push_back({"heaptrack", {"heaptrack", "-o", folder + "/trace"}, {}});
  return all;
}

using Times = std::map<std::string, double>;  // benchmark -> nanoseconds of a pair

// The smallest: noise only adds.
void Keep(const std::string& name, double nanoseconds, Times* times) {
  const auto [place, fresh] = times->try_emplace(name, nanoseconds);
  if (!fresh) place->second = std::min(place->second, nanoseconds);
}

// Of a run with output in JSON.
Times Parse(const std::string& path) {
  Times result;
  FILE* file = fopen(path.c_str(), "r");
  std::string text;
  char part[4096];
  for (size_t length; file != nullptr && (length = fread(part, 1, sizeof part, file)) > 0;) {
    text.append(part, length);
  }
  if (file != nullptr) fclose(file);
  // heaptrack prints around the program's own output.
  const size_t start = text.find("{\n"), end = text.rfind('}');
  if (start == std::string::npos || end == std::string::npos) return result;
  const auto json = nlohmann::json::parse(text.substr(start, end + 1 - start), nullptr, false);
  if (json.is_discarded()) return result;
  for (const auto& row : json.value("benchmarks", nlohmann::json::array())) {
    if (row.value("run_type", "") != "iteration") continue;
    // Processor time, which a busy machine changes least.
    Keep(row.value("run_name", ""), row.value("cpu_time", 0.0), &result);
  }
  return result;
}

int ComparePairs(const std::string& folder) {
  const std::vector<Configuration> configurations = Configurations(folder);
  std::vector<Times> columns(configurations.size());
  for (int round = 0; round < kRounds; ++round) {
    for (size_t i = 0; i < configurations.size(); ++i) {
      const std::string output = folder + "/output";
      const Finished finished =
          Run(configurations[i],
              {Beside("malloc_benchmark"), "--benchmark_format=json", "--benchmark_min_time=0.05"},
              output);
      const Times times = Parse(output);
      if (finished.status != 0 || times.empty()) {
        fprintf(stderr, "ledger_cost: %s: malloc_benchmark: exit status %d\n",
                configurations[i].name.c_str(), finished.status);
        return 2;
      }
      for (const auto& [name, nanoseconds] : times) Keep(name, nanoseconds, &columns[i]);
    }
  }
  printf("processor ns per malloc/free pair, best of %d; in brackets: added to plain\n%-40s",
         kRounds, "");
  for (const Configuration& configuration : configurations) {
    printf("%22s", configuration.name.c_str());
  }
  printf("\n");
  for (const auto& [benchmark, plain] : columns[0]) {
    printf("%-40s%22.1f", benchmark.c_str(), plain);
    for (size_t i = 1; i < columns.size(); ++i) {
      char cell[64];
      const double here = columns[i][benchmark];
      snprintf(cell, sizeof cell, "%.1f (+%.1f)", here, here - plain);
      printf("%22s", cell);
    }
    printf("\n");
  }
  return 0;
}

int CompareCommand(const std::vector<std::string>& command, const std::string& folder) {
  const std::vector<Configuration> configurations = Configurations(folder);
  std::vector<Finished> best(configurations.size());
  for (int round = 0; round < kRounds; ++round) {
    for (size_t i = 0; i < configurations.size(); ++i) {
      const Finished finished = Run(configurations[i], command, "/dev/null");
      if (finished.status != 0) {
        fprintf(stderr, "ledger_cost: %s: %s: exit status %d\n", configurations[i].name.c_str(),
                command[0].c_str(), finished.status);
        return 2;
      }
      if (round == 0) best[i] = finished;
      best[i].wall_seconds = std::min(best[i].wall_seconds, finished.wall_seconds);
      best[i].processor_seconds = std::min(best[i].processor_seconds, finished.processor_seconds);
    }
  }
  printf("best of %d%32s%20s\n", kRounds, "processor time", "wall time");
  for (size_t i = 0; i < configurations.size(); ++i) {
    printf("%-22s%10.3f s %6.2fx%10.3f s %6.2fx\n", configurations[i].name.c_str(),
           best[i].processor_seconds, best[i].processor_seconds / best[0].processor_seconds,
           best[i].wall_seconds, best[i].wall_seconds / best[0].wall_seconds);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::string folder = (std::filesystem::temp_directory_path() / "ledger_cost_XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) {
    fprintf(stderr, "ledger_cost: %s: cannot create\n", folder.c_str());
    return 2;
  }
  const std::vector<std::string> command(argv + 1, argv + argc);
  const int status = command.empty() ? ComparePairs(folder) : CompareCommand(command, folder);
  std::filesystem::remove_all(folder);
  return status;
}
