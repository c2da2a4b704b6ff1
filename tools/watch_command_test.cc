// `plimsoll watch` on real programs: C, Python, JavaScript, and one that is statically linked.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

namespace {

using nlohmann::json;
using testing::AnyOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

std::string ReadAll(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

struct Outcome {
  int status = -1;
  std::string output, errors;
  json result;  // the case; null when no file was written
};

class Watch {
 public:
  // `arguments`: shell words after `plimsoll watch`.
  explicit Watch(const std::string& arguments) {
    const std::string base = testing::TempDir() + "/watch";
    for (std::string* path : {&output_, &errors_, &json_}) {
      *path = base + std::to_string(path - &output_);
      unlink(path->c_str());
    }
    const std::string command = "exec tools/plimsoll watch --json " + json_ + " " + arguments +
                                " >" + output_ + " 2>" + errors_;
    pid_ = fork();
    if (pid_ == 0) {
      execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
      _exit(127);
    }
  }
  void Signal(int signal) const { kill(pid_, signal); }
  Outcome Wait() const {
    Outcome outcome;
    int status = 0;
    if (waitpid(pid_, &status, 0) == pid_ && WIFEXITED(status)) {
      outcome.status = WEXITSTATUS(status);
    }
    outcome.output = ReadAll(output_);
    outcome.errors = ReadAll(errors_);
    const json document = json::parse(ReadAll(json_), nullptr, false);
    if (document.is_object()) outcome.result = document["cases"][0];
    return outcome;
  }

 private:
  pid_t pid_;
  std::string output_, errors_, json_;
};

Outcome OutcomeOf(const std::string& arguments) { return Watch(arguments).Wait(); }

std::string Verdict(const Outcome& outcome) {
  return outcome.result.is_object() ? outcome.result["verdict"].get<std::string>()
                                    : "none: " + outcome.errors;
}

// Kind and stack of the worst site.
std::string WorstSite(const Outcome& outcome) {
  if (!outcome.result.is_object() || outcome.result["sites"].empty()) return "none";
  const json& site = outcome.result["sites"][0];
  return site["kind"].get<std::string>() + ": " + site["stack"].dump();
}

TEST(WatchTest, CProgramByClientMarks) {
  const Outcome clean = OutcomeOf("-- tools/watched_program clean client");
  EXPECT_EQ(clean.status, 0) << clean.errors;
  EXPECT_EQ(Verdict(clean), "CLEAN");
  const Outcome leak = OutcomeOf("-- tools/watched_program leak client");
  EXPECT_EQ(leak.status, 1) << leak.errors;
  EXPECT_EQ(Verdict(leak), "LEAK");
  EXPECT_THAT(WorstSite(leak), ContainsRegex("^heap: .*KeepATensor"));
  EXPECT_DOUBLE_EQ(leak.result["growth"]["bytes_per_iteration"].get<double>(), 96);
}

TEST(WatchTest, CProgramByLinesWhichPassThrough) {
  const Outcome leak =
      OutcomeOf("--mark '^step [0-9]+ done' -- tools/watched_program leak line 1000");
  EXPECT_EQ(leak.status, 1) << leak.errors;
  EXPECT_EQ(Verdict(leak), "LEAK") << leak.result.dump();
  EXPECT_THAT(leak.output, HasSubstr("step 0 done\nstep 1 done\n"));
  EXPECT_THAT(leak.output, HasSubstr("step 999 done\n"));
}

// Queued, the marks would end iterations in which nothing was done, and hide the leak.
TEST(WatchTest, MarksFasterThanTheyCanBeTakenAreMerged) {
  const Outcome leak = OutcomeOf("--mark '^step .*done' -- tools/watched_program leak burst 600");
  EXPECT_EQ(Verdict(leak), "LEAK") << leak.errors;
  EXPECT_THAT(leak.output, HasSubstr("step 599 done\n"));
}

TEST(WatchTest, CProgramByTimeUntilDecided) {
  const Outcome leak =
      OutcomeOf("--every 0.005 --until-decided -- tools/watched_program leak none 0");
  EXPECT_EQ(leak.status, 1) << leak.errors;
  EXPECT_EQ(Verdict(leak), "LEAK") << leak.result.dump();
  EXPECT_THAT(WorstSite(leak), HasSubstr("KeepATensor"));
  EXPECT_THAT(leak.output, HasSubstr("ended by a signal"));
  const Outcome clean =
      OutcomeOf("--every 0.005 --until-decided -- tools/watched_program clean none 0");
  EXPECT_EQ(Verdict(clean), "CLEAN") << clean.result.dump();
}

TEST(WatchTest, TheExitStatusIsKeptApart) {
  const Outcome clean = OutcomeOf("-- tools/watched_program clean client 400 7");
  EXPECT_EQ(clean.status, 0) << clean.errors;
  EXPECT_THAT(clean.errors, HasSubstr("tools/watched_program: exit status 7"));
  const Outcome crash = OutcomeOf("-- tools/watched_program crash client");
  EXPECT_EQ(crash.status, 4) << crash.errors;
  EXPECT_THAT(crash.errors, HasSubstr("killed by SIGABRT"));
}

TEST(WatchTest, SignalsAreHandedOn) {
  const Watch watch("-- tools/watched_program clean client 0");
  usleep(1'500'000);
  watch.Signal(SIGUSR1);
  const Outcome outcome = watch.Wait();
  EXPECT_THAT(outcome.output, HasSubstr("ended by a signal"));
  EXPECT_THAT(outcome.errors, HasSubstr("exit status 0"));
}

TEST(WatchTest, PythonScript) {
  const Outcome clean = OutcomeOf("-- /usr/bin/python3 tools/watched/program.py");
  EXPECT_THAT(Verdict(clean), AnyOf("CLEAN", "GROWING")) << clean.errors;
  const Outcome buffers = OutcomeOf("-- /usr/bin/python3 tools/watched/program.py buffers");
  EXPECT_EQ(buffers.status, 1) << buffers.errors;
  EXPECT_EQ(Verdict(buffers), "LEAK");
  EXPECT_THAT(WorstSite(buffers), HasSubstr("heap"));
  EXPECT_GE(buffers.result["growth"]["bytes_per_iteration"].get<double>(), 4096);
  // A list grows by reallocation: one block, ever larger.
  const Outcome list = OutcomeOf("-- /usr/bin/python3 tools/watched/program.py list");
  EXPECT_THAT(Verdict(list), AnyOf("LEAK", "GROWING")) << list.errors;
  EXPECT_NE(list.status, 0);
}

TEST(WatchTest, NodeScript) {
  const Outcome clean = OutcomeOf("-- /usr/bin/node tools/watched/program.js");
  EXPECT_NE(Verdict(clean), "LEAK") << clean.errors;
  const Outcome buffers = OutcomeOf("-- /usr/bin/node tools/watched/program.js buffers");
  EXPECT_EQ(buffers.status, 1) << buffers.errors;
  EXPECT_EQ(Verdict(buffers), "LEAK");
}

TEST(WatchTest, AStaticProgramIsJudgedByItsRss) {
  const Outcome leak = OutcomeOf("-- harness/runner/static_program 400 16384");
  EXPECT_EQ(leak.status, 1) << leak.errors;
  EXPECT_THAT(leak.errors, HasSubstr("static_program is statically linked: the ledger cannot "
                                     "enter it; what is judged is the RSS"));
  EXPECT_EQ(Verdict(leak), "LEAK");
  EXPECT_EQ(leak.result["trends"][0]["metric"], "RssAnon");
  const Outcome clean = OutcomeOf("-- harness/runner/static_program 400 0");
  EXPECT_EQ(clean.status, 0) << clean.errors;
}

TEST(WatchTest, AKnownLeakIsSuppressedAndCounted) {
  const std::string file = testing::TempDir() + "/known.yaml";
  std::ofstream(file) << "suppressions:\n"
                         "  - {name: tensor, reason: known, kind: heap, stack: [KeepATensor]}\n"
                         "  - {name: other, reason: gone, stack: [Elsewhere]}\n";
  const Outcome outcome =
      OutcomeOf("--suppressions " + file + " -- tools/watched_program leak client");
  EXPECT_EQ(outcome.status, 0) << outcome.errors;
  EXPECT_EQ(Verdict(outcome), "CLEAN");
  EXPECT_THAT(outcome.errors, HasSubstr("suppression tensor: 1 site in 1 case (known)"));
  EXPECT_THAT(outcome.errors, HasSubstr("suppression other: not used"));
  const Outcome missing = OutcomeOf("--suppressions /no/such/file -- /bin/true");
  EXPECT_EQ(missing.status, 2) << missing.errors;
}

TEST(WatchTest, OnValgrindLostBlocksAreTheVerdict) {
  const Outcome leak = OutcomeOf("--environment valgrind -- tools/watched_program leak client 150");
  EXPECT_EQ(leak.status, 1) << leak.errors;
  EXPECT_EQ(Verdict(leak), "LEAK");
  EXPECT_THAT(WorstSite(leak), ContainsRegex("^heap: .*KeepATensor"));
  EXPECT_NEAR(leak.result["growth"]["bytes_per_iteration"].get<double>(), 96, 1);
  // Valgrind's malloc stands in for every other: nothing is said of what is reachable.
  const Outcome clean =
      OutcomeOf("--environment valgrind -- tools/watched_program clean client 150");
  EXPECT_EQ(Verdict(clean), "INCONCLUSIVE") << clean.errors;
}

TEST(WatchTest, FoldedStacksAreForFlameGraphs) {
  const std::string file = testing::TempDir() + "/folded";
  const Outcome outcome = OutcomeOf("--folded " + file + " -- tools/watched_program leak client");
  EXPECT_THAT(ReadAll(file), ContainsRegex("watched_program/watch/system/glibc;heap;.*main.*;"
                                           ".*KeepATensor.* 96000\n"));
}

TEST(WatchTest, JsonOnStandardOutputIsAlone) {
  const std::string file = testing::TempDir() + "/alone.json";
  const std::string command =
      "tools/plimsoll watch --json - --mark done -- tools/watched_program clean line 400 >" + file +
      " 2>/dev/null";
  EXPECT_EQ(std::system(command.c_str()), 0);
  EXPECT_TRUE(json::accept(ReadAll(file)));
}

TEST(WatchTest, WrongRequestsAreToldInALine) {
  const Outcome missing = OutcomeOf("-- /no/such/program");
  EXPECT_EQ(missing.status, 2);
  EXPECT_EQ(missing.errors, "plimsoll: /no/such/program: cannot run: No such file or directory\n");
  const Outcome pattern = OutcomeOf("--mark 'step (' -- /bin/true");
  EXPECT_EQ(pattern.status, 2);
  EXPECT_THAT(pattern.errors, HasSubstr("--mark: 'step (': expected a regular expression"));
  const Outcome unmarked = OutcomeOf("-- /bin/true");
  EXPECT_EQ(unmarked.status, 3);
  EXPECT_THAT(unmarked.result["reason"].get<std::string>(), HasSubstr("no iteration was marked"));
  const Outcome few = OutcomeOf("-- tools/watched_program clean client 50");
  EXPECT_EQ(few.status, 3);
  EXPECT_THAT(few.result["reason"].get<std::string>(),
              HasSubstr("the first look is at iteration 136; only 40 were seen; the program "
                        "ended after 50 iterations"));
}

}  // namespace
