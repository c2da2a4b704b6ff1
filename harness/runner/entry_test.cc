#include "harness/runner/entry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace plimsoll {
namespace {

using testing::HasSubstr;

std::string Script(const std::string& name, const std::string& text) {
  const std::string path = testing::TempDir() + "/" + name;
  std::ofstream(path) << text;
  chmod(path.c_str(), 0755);
  return path;
}

std::string Reason(const std::string& program) {
  const auto reason = WhyLedgerStaysOut(program);
  if (!reason.has_value()) return "error: " + reason.error().message;
  return reason->value_or("enters");
}

TEST(WhyLedgerStaysOut, EntersDynamicProgramsAndScriptsOfTheirs) {
  EXPECT_EQ(Reason("/bin/sh"), "enters");
  EXPECT_EQ(Reason("sh"), "enters");
  EXPECT_EQ(Reason(Script("dynamic.sh", "#!/bin/sh\n")), "enters");
  EXPECT_EQ(Reason(Script("env.sh", "#!/usr/bin/env sh\n")), "enters");
}

TEST(WhyLedgerStaysOut, NamesWhatKeepsItOut) {
  const std::string program = std::filesystem::absolute("harness/runner/static_program").string();
  EXPECT_EQ(Reason(program), "is statically linked");
  EXPECT_EQ(Reason(Script("static.sh", "#!" + program + "\n")), "is statically linked");
  EXPECT_EQ(Reason(Script("text", "no program\n")), "is not an x86-64 program");
  const std::string copy = testing::TempDir() + "/setgid";
  std::filesystem::copy_file("/bin/true", copy, std::filesystem::copy_options::overwrite_existing);
  // Of a group that is not ours, where we may give it away; otherwise it is no barrier.
  if (chown(copy.c_str(), static_cast<uid_t>(-1), 12345) == 0) {
    chmod(copy.c_str(), 02755);
    EXPECT_EQ(Reason(copy), "is setgid");
  }
}

TEST(WhyLedgerStaysOut, WhatCannotRunIsAnError) {
  EXPECT_EQ(Reason("/no/such/program"),
            "error: /no/such/program: cannot run: No such file or directory");
  EXPECT_THAT(Reason("no-such-program"), HasSubstr("error: no-such-program: cannot run"));
  EXPECT_THAT(Reason("/tmp"), HasSubstr("Is a directory"));
  const std::string loop = testing::TempDir() + "/loop.sh";
  EXPECT_THAT(Reason(Script("loop.sh", "#!" + loop + "\n")), HasSubstr("error: "));
}

}  // namespace
}  // namespace plimsoll
