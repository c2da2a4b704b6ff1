#include "allocators/planner_arena/arena_sites.h"

#include <mutex>
#include <unordered_map>
#include <vector>

namespace plimsoll {
namespace internal {

__attribute__((tls_model("initial-exec"))) constinit thread_local uint32_t t_site = 0;

}  // namespace internal

namespace {

struct Names {
  std::mutex mutex;
  std::vector<std::string> names = {"(no site)"};
  std::unordered_map<std::string, uint32_t> numbers;
};

Names& AllNames() {
  static Names* const names = new Names;
  return *names;
}

}  // namespace

uint32_t SiteOf(std::string_view name) {
  if (name.empty()) return 0;
  Names& all = AllNames();
  const std::lock_guard<std::mutex> lock(all.mutex);
  const auto [known, is_new] = all.numbers.emplace(name, static_cast<uint32_t>(all.names.size()));
  if (is_new) all.names.emplace_back(name);
  return known->second;
}

std::string SiteName(uint32_t site) {
  Names& all = AllNames();
  const std::lock_guard<std::mutex> lock(all.mutex);
  return all.names[site];
}

}  // namespace plimsoll
