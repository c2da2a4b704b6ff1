#include "harness/ledger/function_names.h"

#include <cxxabi.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>

namespace plimsoll::ledger {
namespace {

constexpr size_t kLongestName = 100;

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

void ReplaceAll(std::string* text, std::string_view from, std::string_view to) {
  for (size_t at = 0; (at = text->find(from, at)) != std::string::npos; at += to.size()) {
    text->replace(at, from.size(), to);
  }
}

// One past the bracket that closes the one at `open`; npos when it is never closed.
size_t Closing(std::string_view text, size_t open) {
  const char opening = text[open];
  const char closing = opening == '<' ? '>' : ')';
  int depth = 0;
  for (size_t i = open; i < text.size(); ++i) {
    const bool arrow = closing == '>' && i > 0 && text[i - 1] == '-';
    if (text[i] == opening) ++depth;
    if (text[i] == closing && !arrow && --depth == 0) return i + 1;
  }
  return std::string_view::npos;
}

bool IsNamePart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// One past the operator's name that begins at `at`, "operator<<" or "operator new[]";
// `at` itself when none does.
size_t AfterOperator(std::string_view text, size_t at) {
  constexpr std::string_view kOperator = "operator";
  if (!StartsWith(text.substr(at), kOperator) || (at > 0 && IsNamePart(text[at - 1]))) return at;
  size_t end = at + kOperator.size();
  if (end == text.size() || IsNamePart(text[end])) return at;
  if (StartsWith(text.substr(end), "()") || StartsWith(text.substr(end), "[]")) return end + 2;
  if (text[end] == ' ') return std::min(text.find('(', end), text.size());  // new, delete, a type
  while (end < text.size() && std::string_view("+-*/%^&|~!=<>,").find(text[end]) != text.npos) {
    ++end;
  }
  // "operator<< <char>"
  return StartsWith(text.substr(end), " <") ? end + 1 : end;
}

// Removes ", std::allocator<...>" and its like, which everyone leaves out when writing.
void RemoveDefaultArguments(std::string* name) {
  static constexpr std::array<std::string_view, 6> kDefaults = {
      ", std::allocator<", ", std::char_traits<", ", std::default_delete<",
      ", std::less<",      ", std::equal_to<",    ", std::hash<"};
  for (const std::string_view fallback : kDefaults) {
    for (size_t at = 0; (at = name->find(fallback, at)) != std::string::npos;) {
      const size_t end = Closing(*name, at + fallback.size() - 1);
      if (end == std::string::npos) break;
      name->erase(at, end - at);
    }
  }
}

// Cuts the parameter list, what follows it, and a result type before the name.
std::string_view NameOnly(std::string_view text) {
  constexpr std::string_view kAnonymous = "(anonymous namespace)";
  size_t name_start = 0;
  for (size_t i = 0; i < text.size();) {
    if (const size_t after = AfterOperator(text, i); after != i) {
      i = after;
    } else if (StartsWith(text.substr(i), kAnonymous)) {
      i += kAnonymous.size();
    } else if (text[i] == '<' || text[i] == '{') {
      const size_t end = text[i] == '<' ? Closing(text, i) : text.find('}', i);
      if (end == std::string_view::npos) break;
      i = text[i] == '<' ? end : end + 1;
    } else if (text[i] == '(') {
      // f(int)::{lambda(int)#1}::operator()(int) const: the last parameter list ends the name.
      size_t end = Closing(text, i);
      if (end == std::string_view::npos) return text.substr(name_start, i - name_start);
      if (StartsWith(text.substr(end), " const::")) end += 6;
      if (!StartsWith(text.substr(end), "::")) return text.substr(name_start, i - name_start);
      i = end;
    } else {
      if (text[i] == ' ') name_start = i + 1;  // what came before was a type
      ++i;
    }
  }
  return text.substr(name_start);
}

// Innermost template arguments first, until the name is short enough.
void FoldTemplates(std::string* name) {
  constexpr std::string_view kFolded = "<...>";
  while (name->size() > kLongestName) {
    // The longest argument list that holds no other one, but folded ones.
    size_t best = std::string::npos, best_length = kFolded.size(), open = std::string::npos;
    for (size_t i = 0; i < name->size(); ++i) {
      if (StartsWith(std::string_view(*name).substr(i), kFolded)) {
        i += kFolded.size() - 1;
      } else if ((*name)[i] == '<') {
        open = i;
      } else if ((*name)[i] == '>' && open != std::string::npos) {
        if (i + 1 - open > best_length) {
          best = open;
          best_length = i + 1 - open;
        }
        open = std::string::npos;
      }
    }
    if (best == std::string::npos) return;
    name->replace(best, best_length, kFolded);
  }
}

std::string WithoutTemplates(std::string_view name) {
  std::string result;
  int depth = 0;
  for (const char c : name) {
    if (c == '<') ++depth;
    if (depth == 0) result += c;
    if (c == '>' && depth > 0) --depth;
  }
  return result;
}

}  // namespace

std::string Demangled(const char* linkage_name) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(
      abi::__cxa_demangle(linkage_name, nullptr, nullptr, &status), &std::free);
  return status == 0 && name != nullptr ? name.get() : linkage_name;
}

std::string ShortFunction(std::string_view demangled) {
  std::string name(demangled.substr(0, demangled.find(" [clone ")));
  for (const std::string_view part : {".part.", ".isra.", ".cold", ".constprop."}) {
    name.resize(std::min(name.size(), name.find(part)));
  }
  ReplaceAll(&name, "[abi:cxx11]", "");
  ReplaceAll(&name, "std::__cxx11::", "std::");
  ReplaceAll(&name, "std::__1::", "std::");
  RemoveDefaultArguments(&name);
  ReplaceAll(&name, " >", ">");
  ReplaceAll(&name, "std::basic_string<char>", "std::string");
  ReplaceAll(&name, "(anonymous namespace)::", "");
  name = NameOnly(name);
  FoldTemplates(&name);
  return name;
}

std::string ShortFile(std::string_view path, std::string_view build_folder) {
  if (!build_folder.empty() && StartsWith(path, build_folder) &&
      path.substr(build_folder.size(), 1) == "/") {
    path.remove_prefix(build_folder.size() + 1);
  }
  while (StartsWith(path, "./")) path.remove_prefix(2);
  if (!StartsWith(path, "/")) return std::string(path);
  const size_t base = path.rfind('/');
  const size_t folder = base == 0 ? 0 : path.rfind('/', base - 1);
  return std::string(path.substr(folder == std::string_view::npos ? 0 : folder + 1));
}

std::string_view BaseName(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

bool IsAllocationMachinery(std::string_view function) {
  static constexpr std::array<std::string_view, 12> kNames = {
      "malloc", "calloc",  "realloc",        "reallocarray", "memalign",       "aligned_alloc",
      "valloc", "pvalloc", "posix_memalign", "operator new", "operator new[]", "OwnMalloc"};
  for (const std::string_view name : kNames) {
    if (function == name) return true;
  }
  const std::string plain = WithoutTemplates(function);
  if (StartsWith(plain, "__gnu_cxx::") || StartsWith(plain, "std::allocator")) return true;
  return StartsWith(plain, "std::") && plain.find("::_") != std::string::npos;
}

bool IsRuntimeMachinery(std::string_view function) {
  static constexpr std::array<std::string_view, 9> kPrefixes = {
      "testing::",           "plimsoll::ledger::Run", "std::__invoke",          "std::invoke",
      "std::thread::_State", "std::thread::_Invoker", "std::_Function_handler", "std::function<",
      "__libc_start"};
  static constexpr std::array<std::string_view, 7> kNames = {
      "_start",       "start_thread", "clone", "clone3", "__clone", "execute_native_thread_routine",
      "RUN_ALL_TESTS"};
  for (const std::string_view prefix : kPrefixes) {
    if (StartsWith(function, prefix)) return true;
  }
  for (const std::string_view name : kNames) {
    if (function == name) return true;
  }
  return false;
}

}  // namespace plimsoll::ledger
