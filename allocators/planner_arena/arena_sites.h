#ifndef ALLOCATORS_PLANNER_ARENA_ARENA_SITES_H_
#define ALLOCATORS_PLANNER_ARENA_ARENA_SITES_H_

// Who asks for memory: names that a program gives to its parts, for reports and to tell
// requests of one size apart. Thread-safe; a scope belongs to the thread that made it.

#include <cstdint>
#include <string>
#include <string_view>

namespace plimsoll {

namespace internal {
extern __attribute__((tls_model("initial-exec"))) constinit thread_local uint32_t t_site;
}  // namespace internal

// A name's number, the same for equal names; names are kept for ever. 0 is no name.
uint32_t SiteOf(std::string_view name);
// REQUIRES: a number that SiteOf returned, or 0, which is "(no site)".
std::string SiteName(uint32_t site);
// What the calling thread's requests are marked with.
inline uint32_t CurrentSite() { return internal::t_site; }

// While it lives, the thread's requests are of this site.
class SiteScope {
 public:
  explicit SiteScope(uint32_t site) : outer_(internal::t_site) { internal::t_site = site; }
  explicit SiteScope(std::string_view name) : SiteScope(SiteOf(name)) {}
  ~SiteScope() { internal::t_site = outer_; }
  SiteScope(const SiteScope&) = delete;
  SiteScope& operator=(const SiteScope&) = delete;

 private:
  const uint32_t outer_;
};

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_ARENA_SITES_H_
