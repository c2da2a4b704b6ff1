"""External repositories, every one of them a folder that a Debian package installed."""

# name -> (root folder, BUILD file). A root of /usr/include keeps the compiler's
# own search path in charge of finding headers: adding it again as -isystem would
# break #include_next in libstdc++.
_LIBRARIES = {
    "com_google_benchmark": ("/usr/include/benchmark", "benchmark.BUILD"),
    "com_google_googletest": ("/usr/src/googletest", "googletest.BUILD"),
    "debian": ("/usr/share/doc/base-files", "debian.BUILD"),
    "opencv": ("/usr/include/opencv4", "opencv.BUILD"),
    "torch": ("/usr/include/torch/csrc/api/include", "torch.BUILD"),
}

# Bazel 4.2 loads these for its own toolchain definitions.
_BAZEL_RULES = {
    "platforms": "/usr/share/bazel/platforms",
    "rules_java": "/usr/share/bazel/rules/java",
    "rules_proto": "/usr/share/bazel/rules/proto",
}

def debian_repositories():
    """Declares the rule sets and libraries that BUILD files load as @name."""

    # Debian's bazel-rules-cc 0.0.4 needs a newer Bazel than Debian's 4.2.3
    # (symbol use_cpp_toolchain), so @rules_cc is a shim over the native rules.
    native.local_repository(name = "rules_cc", path = "third_party/rules_cc")
    for name, path in _BAZEL_RULES.items():
        native.local_repository(name = name, path = path)
    native.local_repository(name = "bazel_skylib", path = "/usr/share/bazel/tools/skylib")
    native.new_local_repository(
        name = "remote_coverage_tools",
        build_file_content = """filegroup(
            name = "coverage_report_generator",
            visibility = ["//visibility:public"],
        )""",
        path = "third_party/rules_cc",
    )
    for name, (path, build_file) in _LIBRARIES.items():
        native.new_local_repository(
            name = name,
            build_file = "//third_party:" + build_file,
            path = path,
        )
