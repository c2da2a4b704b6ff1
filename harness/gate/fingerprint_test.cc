#include "harness/gate/fingerprint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

namespace plimsoll {
namespace {

using ::testing::MatchesRegex;

Fingerprint Example() {
  return {.os = "debian 12",
          .kernel = "6.1.0",
          .arch = "x86_64",
          .libc = "glibc 2.36",
          .cores = 2,
          .page_size_bytes = 4096,
          .thp = "madvise",
          .compiler = "gcc 12.2.0",
          .build = "opt",
          .sanitizer = std::nullopt};
}

TEST(OsFromRelease, QuotedAndNot) {
  EXPECT_EQ(OsFromRelease("PRETTY_NAME=\"Debian GNU/Linux 12\"\nVERSION_ID=\"12\"\nID=debian\n"),
            "debian 12");
  EXPECT_EQ(OsFromRelease("ID='fedora'\nVERSION_ID=41"), "fedora 41");
  EXPECT_EQ(OsFromRelease("ID=arch\nBUILD_ID=rolling\n"), "arch");
  EXPECT_EQ(OsFromRelease(""), "");
}

TEST(ThpFromEnabled, TakesTheBracketedWord) {
  EXPECT_EQ(ThpFromEnabled("always [madvise] never\n"), "madvise");
  EXPECT_EQ(ThpFromEnabled("[always] madvise never\n"), "always");
  EXPECT_EQ(ThpFromEnabled(""), "");
  EXPECT_EQ(ThpFromEnabled("always] [madvise"), "");
}

TEST(ThisFingerprint, IsOfThisMachine) {
  const Fingerprint fingerprint = ThisFingerprint();
  EXPECT_GE(fingerprint.cores, 1u);
  EXPECT_EQ(fingerprint.page_size_bytes % 4096, 0u);
  EXPECT_GT(fingerprint.page_size_bytes, 0u);
  EXPECT_THAT(fingerprint.libc, MatchesRegex("glibc [0-9]+\\.[0-9]+"));
  EXPECT_THAT(fingerprint.compiler, MatchesRegex("(gcc|clang) [0-9]+\\.[0-9]+\\.[0-9]+"));
  EXPECT_FALSE(fingerprint.kernel.empty());
  EXPECT_FALSE(fingerprint.arch.empty());
  EXPECT_EQ(fingerprint, ThisFingerprint());
#if defined(__SANITIZE_ADDRESS__)
  EXPECT_EQ(fingerprint.sanitizer, "address");
#elif defined(__SANITIZE_THREAD__)
  EXPECT_EQ(fingerprint.sanitizer, "thread");
#endif
}

TEST(ThisContext, SaysWhenAndWhere) {
  const Context context = ThisContext("/", 7);
  EXPECT_THAT(context.date, MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"));
  EXPECT_FALSE(context.host.empty());
  EXPECT_EQ(context.seed, 7u);
  EXPECT_EQ(context.commit, "") << "the root folder is in no working tree";
}

TEST(ThisContext, NamesTheCommit) {
  std::string folder = testing::TempDir() + "/it's a repository XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const std::string git = "git -C \"" + folder + "\" ";
  if (std::system((git + "init -q").c_str()) != 0) GTEST_SKIP() << "no git here";
  EXPECT_EQ(ThisContext(folder, 0).commit, "") << "nothing is committed yet";
  ASSERT_EQ(
      std::system((git + "-c user.name=a -c user.email=a@b commit -qm x --allow-empty").c_str()),
      0);
  EXPECT_THAT(ThisContext(folder, 0).commit, MatchesRegex("[0-9a-f]{40}"));
  std::filesystem::remove_all(folder);
}

TEST(FingerprintKey, IsAFolderName) {
  EXPECT_EQ(FingerprintKey(Example()),
            "debian-12-x86_64-glibc-2.36-2-cores-4-KiB-pages-thp-madvise-opt");
  Fingerprint odd = Example();
  odd.os = "../my os/3";
  odd.sanitizer = "address";
  odd.thp = "";
  EXPECT_EQ(FingerprintKey(odd), "..-my-os-3-x86_64-glibc-2.36-2-cores-4-KiB-pages-opt-address");
}

TEST(FingerprintKey, KernelAndCompilerMayBeUpdated) {
  Fingerprint updated = Example();
  updated.kernel = "6.2.0";
  updated.compiler = "gcc 13.1.0";
  EXPECT_EQ(FingerprintKey(updated), FingerprintKey(Example()));
  for (const auto change :
       {+[](Fingerprint& f) { f.cores = 8; }, +[](Fingerprint& f) { f.page_size_bytes = 16384; },
        +[](Fingerprint& f) { f.libc = "glibc 2.37"; }, +[](Fingerprint& f) { f.build = "dbg"; },
        +[](Fingerprint& f) { f.thp = "always"; }}) {
    Fingerprint other = Example();
    change(other);
    EXPECT_NE(FingerprintKey(other), FingerprintKey(Example()));
  }
}

}  // namespace
}  // namespace plimsoll
