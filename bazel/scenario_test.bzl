"""A test for each scenario script."""

load("@rules_cc//cc:defs.bzl", "cc_test")

def scenario_test(name, script, size = "medium", expect = "CLEAN", tags = []):
    """Runs the cases of one script and expects the same verdict of all.

    Args:
      name: of the test.
      script: label of the script.
      size: of the test.
      expect: the verdict's name.
      tags: more tags.
    """
    cc_test(
        name = name,
        size = size,
        srcs = ["//memleaks_tests:scenario_test.cc"],
        args = [
            "--expect=" + expect,
            "$(location %s)" % script,
        ],
        data = [script],
        tags = tags + [
            # The runtimes are not instrumented, and valgrind's malloc would stand in
            # for the one that the ledger counts.
            "noasan",
            "nolsan",
            "notsan",
            "noubsan",
            "novalgrind",
        ],
        deps = [
            "//harness/report:table",
            "//scenarios/launch",
            "//scenarios/script",
            "@com_google_googletest//:gtest",
        ],
    )
