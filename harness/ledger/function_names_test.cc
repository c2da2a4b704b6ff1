#include "harness/ledger/function_names.h"

#include <gtest/gtest.h>

namespace plimsoll::ledger {
namespace {

TEST(Demangled, LinkageNamesAndOthers) {
  EXPECT_EQ(Demangled("_ZN1a1bEv"), "a::b()");
  EXPECT_EQ(Demangled("main"), "main");
  EXPECT_EQ(Demangled("_Znot_a_name"), "_Znot_a_name");
}

struct Case {
  const char* given;
  const char* wanted;
};

class Short : public testing::TestWithParam<Case> {};

TEST_P(Short, IsAsOneWouldWriteIt) {
  EXPECT_EQ(ShortFunction(GetParam().given), GetParam().wanted);
}

INSTANTIATE_TEST_SUITE_P(
    Functions, Short,
    testing::Values(
        Case{"main", "main"}, Case{"a::b()", "a::b"}, Case{"a::b(int, char const*) const", "a::b"},
        Case{"void f<int>(int)", "f<int>"},
        Case{"std::vector<int, std::allocator<int> >::push_back(int const&)",
             "std::vector<int>::push_back"},
        Case{"std::map<std::__cxx11::basic_string<char, std::char_traits<char>, "
             "std::allocator<char> >, int, std::less<std::__cxx11::basic_string<char, "
             "std::char_traits<char>, std::allocator<char> > >, std::allocator<std::pair<int "
             "const, int> > >::operator[](int const&)",
             "std::map<std::string, int>::operator[]"},
        Case{"ns::(anonymous namespace)::Leak(int)", "ns::Leak"},
        Case{"Foo::operator()(int) const", "Foo::operator()"},
        Case{"Foo::operator<(Foo const&) const", "Foo::operator<"},
        Case{"Foo::operator->() const", "Foo::operator->"},
        Case{"std::ostream& operator<< <char>(std::ostream&, char)", "operator<< <char>"},
        Case{"operator new(unsigned long)", "operator new"},
        Case{"operator new[](unsigned long)", "operator new[]"},
        Case{"f(int)::{lambda(int)#1}::operator()(int) const",
             "f(int)::{lambda(int)#1}::operator()"},
        Case{"a::b(int) [clone .cold]", "a::b"}, Case{"helper.part.0", "helper"},
        Case{"helper.constprop.0.isra.0", "helper"},
        Case{"std::unique_ptr<int, std::default_delete<int> > make<int>(int&&)", "make<int>"}));

TEST(ShortFunction, LongTemplateArgumentsAreFolded) {
  const std::string longest = "at::native::Apply<" + std::string(90, 'a') + ", std::tuple<" +
                              std::string(60, 'b') + "> >::Run(int)";
  EXPECT_EQ(ShortFunction(longest), "at::native::Apply<...>::Run");
}

TEST(ShortFile, FromTheBuildFolderOrTheLastTwoNames) {
  EXPECT_EQ(ShortFile("/proc/self/cwd/harness/a.cc", "/proc/self/cwd"), "harness/a.cc");
  EXPECT_EQ(ShortFile("harness/a.cc", "/proc/self/cwd"), "harness/a.cc");
  EXPECT_EQ(ShortFile("./harness/a.cc", ""), "harness/a.cc");
  EXPECT_EQ(ShortFile("/usr/include/c++/12/bits/stl_vector.h", "/build"), "bits/stl_vector.h");
  EXPECT_EQ(ShortFile("/a.c", "/build"), "a.c");
  EXPECT_EQ(ShortFile("/buildings/x/a.c", "/build"), "x/a.c");
}

TEST(Machinery, OfAllocation) {
  for (const char* name :
       {"malloc", "operator new", "operator new[]", "std::allocator<int>::allocate",
        "std::__new_allocator<int>::allocate",
        "std::allocator_traits<std::allocator<int>>::allocate",
        "std::_Vector_base<int>::_M_allocate", "std::vector<int>::_M_realloc_insert<int const&>",
        "__gnu_cxx::new_allocator<char>::allocate", "std::string::_M_create"}) {
    EXPECT_TRUE(IsAllocationMachinery(name)) << name;
  }
  for (const char* name : {"main", "Leak", "mallocate", "std::vector<int>::push_back",
                           "std::make_unique<_Private>", "user::_hidden", "operator delete"}) {
    EXPECT_FALSE(IsAllocationMachinery(name)) << name;
  }
}

TEST(Machinery, OfTheRuntime) {
  for (const char* name :
       {"_start", "__libc_start_main", "__libc_start_call_main", "clone3", "start_thread",
        "testing::Test::Run", "testing::internal::HandleExceptionsInMethodIfSupported<...>"}) {
    EXPECT_TRUE(IsRuntimeMachinery(name)) << name;
  }
  for (const char* name : {"main", "start", "testing_leaks", "Leak_Test::TestBody"}) {
    EXPECT_FALSE(IsRuntimeMachinery(name)) << name;
  }
}

}  // namespace
}  // namespace plimsoll::ledger
