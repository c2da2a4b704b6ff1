#ifndef HARNESS_LEDGER_FUNCTION_NAMES_H_
#define HARNESS_LEDGER_FUNCTION_NAMES_H_

// Names of functions and files as a reader wants them in a stack. Pure functions.

#include <string>
#include <string_view>

namespace plimsoll::ledger {

// The source-level name of a linkage name ("_ZN1a1bEv" -> "a::b()"); others as they are.
std::string Demangled(const char* linkage_name);

// Without the parameter list, return type, default template arguments and ABI namespaces:
// "std::vector<int, std::allocator<int> >::push_back(int const&)" -> "std::vector<int>::
// push_back". Template arguments that make a name longer than 100 characters become <...>.
std::string ShortFunction(std::string_view demangled);

// "/usr/include/c++/12/bits/stl_vector.h" -> "bits/stl_vector.h"; a path below
// `build_folder` counts from there.
std::string ShortFile(std::string_view path, std::string_view build_folder);

// "/usr/lib/x86_64-linux-gnu/libc10.so.1.13" -> "libc10.so.1.13".
std::string_view BaseName(std::string_view path);

// What stands between the code that asked for a resource and the ledger (operator new,
// std::allocator, container internals), to be left out at a stack's inner end; `function`
// as of ShortFunction.
bool IsAllocationMachinery(std::string_view function);

// What calls main, a thread's function or a test's body: to be left out elsewhere.
bool IsRuntimeMachinery(std::string_view function);

}  // namespace plimsoll::ledger

#endif  // HARNESS_LEDGER_FUNCTION_NAMES_H_
