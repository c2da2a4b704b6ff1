#include "allocators/workspace/manager.h"

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <utility>

#include "allocators/memory_limit/limited_resource.h"
#include "allocators/workspace/thread_scopes.h"

namespace plimsoll {

Expected<WorkspaceDebugMode> ParseWorkspaceDebugMode(std::string_view text) {
  if (text == "DISABLED") return WorkspaceDebugMode::kDisabled;
  if (text == "SPILL_EVERYTHING") return WorkspaceDebugMode::kSpillEverything;
  if (text == "BYPASS_EVERYTHING") return WorkspaceDebugMode::kBypassEverything;
  return BadValue("workspace debug mode", "", text,
                  "expected DISABLED or SPILL_EVERYTHING or BYPASS_EVERYTHING");
}

Expected<WorkspaceDebugMode> WorkspaceDebugModeFromEnvironment() {
  const char* text = std::getenv("PLIMSOLL_WORKSPACE_DEBUG");
  if (text == nullptr || *text == '\0') return WorkspaceDebugMode::kDisabled;
  Expected<WorkspaceDebugMode> mode = ParseWorkspaceDebugMode(text);
  if (!mode) return Fail("environment: PLIMSOLL_WORKSPACE_DEBUG: " + mode.error().message);
  return mode;
}

// One thread's workspaces. Changed by that thread only, under the mutex; read by it
// without, and by others under the mutex.
struct WorkspaceManager::ThreadTable {
  struct Entry {
    std::unique_ptr<LimitedResource> charged;  // null: no limit
    std::unique_ptr<Workspace> workspace;      // after what it stands on
  };

  std::string KnownText() const {
    std::string text;
    for (const auto& [id, entry] : entries) text += (text.empty() ? "'" : ", '") + id + "'";
    return text.empty() ? "none" : text;
  }

  std::mutex mutex;
  std::map<std::string, Entry, std::less<>> entries;
};

// Outlives the manager while a thread that is ending looks at it. Locked before a table.
struct WorkspaceManager::State {
  // Releases what the thread `number` has; `own` when that is the calling thread.
  void ReleaseThread(uint64_t number) {
    std::unique_lock lock(mutex);
    const auto found = tables.find(number);
    if (found == tables.end()) return;
    const std::unique_ptr<ThreadTable> table = std::move(found->second);
    tables.erase(found);
    for (const auto& [id, entry] : table->entries) abandoned += entry.workspace->open() ? 1 : 0;
    ++releasing;
    lock.unlock();
    // What is borrowed by the workspaces must stay until this is done: see ~WorkspaceManager.
    table->entries.clear();
    lock.lock();
    --releasing;
    released.notify_all();
  }

  mutable std::mutex mutex;
  std::condition_variable released;
  std::map<uint64_t, std::unique_ptr<ThreadTable>> tables;  // by thread number
  uint64_t releasing = 0;
  uint64_t abandoned = 0;
};

// Ends with its thread, and lets every manager know that has something of it.
struct WorkspaceManager::ThreadExit {
  ~ThreadExit() {
    for (const std::weak_ptr<State>& known : states) {
      if (const std::shared_ptr<State> state = known.lock()) {
        state->ReleaseThread(ThreadScopes::Here().number());
      }
    }
  }

  std::vector<std::weak_ptr<State>> states;
  // The table found last, so that asking for a workspace each cycle takes no lock.
  // Owning the state keeps its address from being another manager's meanwhile.
  std::weak_ptr<State> last_state;
  const State* last_address = nullptr;
  ThreadTable* last_table = nullptr;
};

WorkspaceManager::ThreadExit& WorkspaceManager::AtThreadExit() {
  thread_local ThreadExit thread_exit;
  return thread_exit;
}

WorkspaceManager::WorkspaceManager(const WorkspaceManagerOptions& options)
    : options_(options), debug_mode_(options.debug_mode), state_(std::make_shared<State>()) {
  if (options_.limit != nullptr) {
    hook_ = options_.limit->hooks().Add("closed workspaces",
                                        [this](uint64_t wanted) { return Trim(wanted); });
  }
}

WorkspaceManager::~WorkspaceManager() {
  hook_.Remove();
  std::map<uint64_t, std::unique_ptr<ThreadTable>> tables;
  {
    std::unique_lock lock(state_->mutex);
    tables.swap(state_->tables);
    // A thread that ends right now may be giving its memory back to what we borrowed.
    state_->released.wait(lock, [this] { return state_->releasing == 0; });
  }
}

WorkspaceManager::ThreadTable* WorkspaceManager::TableIfAny() const {
  ThreadExit& here = AtThreadExit();
  // A weak reference keeps the address of the state from being used again.
  if (here.last_address == state_.get()) return here.last_table;
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->tables.find(ThreadScopes::Here().OwnNumber());
  if (found == state_->tables.end()) return nullptr;
  here.last_state = state_;
  here.last_address = state_.get();
  here.last_table = found->second.get();
  return here.last_table;
}

WorkspaceManager::ThreadTable& WorkspaceManager::Table() {
  if (ThreadTable* table = TableIfAny()) return *table;
  std::vector<std::weak_ptr<State>>& states = AtThreadExit().states;
  std::erase_if(states, [](const std::weak_ptr<State>& known) { return known.expired(); });
  states.push_back(state_);
  {
    const std::lock_guard lock(state_->mutex);
    state_->tables[ThreadScopes::Here().OwnNumber()] = std::make_unique<ThreadTable>();
  }
  return *TableIfAny();
}

Expected<Workspace*> WorkspaceManager::Get(const WorkspaceConfiguration& configuration,
                                           std::string_view id) {
  ThreadTable& table = Table();
  if (const auto found = table.entries.find(id); found != table.entries.end()) {
    Workspace* workspace = found->second.workspace.get();
    if (workspace->configuration() == configuration) return workspace;
    return Fail("workspace '" + std::string(id) + "': exists with another configuration: " +
                workspace->configuration().DifferencesFrom(configuration) +
                ": expected the same, or destroy it first");
  }
  // Made without a lock: the limit may ask this manager, among others, to trim.
  ThreadTable::Entry entry;
  WorkspaceOptions options;
  options.upstream = options_.upstream;
  options.device = options_.device;
  options.debug_mode = &debug_mode_;
  options.poison_bytes = options_.poison_bytes;
  if (options_.limit != nullptr) {
    entry.charged =
        std::make_unique<LimitedResource>(*options_.limit,
                                          "workspace '" + std::string(id) + "' of thread " +
                                              std::to_string(ThreadScopes::Here().OwnNumber()),
                                          options_.upstream);
    options.upstream = entry.charged.get();
  }
  Expected<std::unique_ptr<Workspace>> made =
      Workspace::Create(configuration, std::string(id), options);
  if (!made) return tl::unexpected<Error>(made.error());
  entry.workspace = std::move(*made);
  const std::lock_guard lock(table.mutex);
  return table.entries.emplace(id, std::move(entry)).first->second.workspace.get();
}

Expected<Workspace*> WorkspaceManager::Get(std::string_view id) {
  ThreadTable& table = Table();
  if (const auto found = table.entries.find(id); found != table.entries.end()) {
    return found->second.workspace.get();
  }
  if (options_.default_configuration) return Get(*options_.default_configuration, id);
  return Fail("workspace '" + std::string(id) + "': unknown on thread " +
              std::to_string(ThreadScopes::Here().OwnNumber()) +
              ", and there is no default configuration: expected one of " + table.KnownText());
}

bool WorkspaceManager::Exists(std::string_view id) const {
  const ThreadTable* table = TableIfAny();
  return table != nullptr && table->entries.contains(id);
}

Expected<WorkspaceScope> WorkspaceManager::Enter(const WorkspaceConfiguration& configuration,
                                                 std::string_view id) {
  const Expected<Workspace*> workspace = Get(configuration, id);
  if (!workspace) return tl::unexpected<Error>(workspace.error());
  return (*workspace)->Enter();
}

Expected<WorkspaceScope> WorkspaceManager::Enter(std::string_view id) {
  const Expected<Workspace*> workspace = Get(id);
  if (!workspace) return tl::unexpected<Error>(workspace.error());
  return (*workspace)->Enter();
}

Status WorkspaceManager::Destroy(std::string_view id) {
  ThreadTable& table = Table();
  const auto found = table.entries.find(id);
  if (found == table.entries.end()) {
    return Fail("workspace '" + std::string(id) + "': destroy: unknown on thread " +
                std::to_string(ThreadScopes::Here().OwnNumber()) + ": expected one of " +
                table.KnownText());
  }
  if (found->second.workspace->open()) {
    return Fail(found->second.workspace->Describe() + ": destroy: expected a closed workspace; " +
                "open workspaces: " + ThreadScopes::Here().OpenText());
  }
  ThreadTable::Entry entry;
  const std::lock_guard lock(table.mutex);
  entry = std::move(found->second);
  table.entries.erase(found);
  return {};
}

Status WorkspaceManager::DestroyAll() {
  ThreadTable& table = Table();
  for (const auto& [id, entry] : table.entries) {
    if (!entry.workspace->open()) continue;
    return Fail(entry.workspace->Describe() +
                ": destroy all: expected closed workspaces; open workspaces: " +
                ThreadScopes::Here().OpenText());
  }
  std::map<std::string, ThreadTable::Entry, std::less<>> entries;
  const std::lock_guard lock(table.mutex);
  entries.swap(table.entries);
  return {};
}

void WorkspaceManager::SetDebugMode(WorkspaceDebugMode mode) { debug_mode_.store(mode); }

WorkspaceDebugMode WorkspaceManager::debug_mode() const { return debug_mode_.load(); }

uint64_t WorkspaceManager::Trim(uint64_t wanted) {
  uint64_t bytes = 0;
  const std::lock_guard lock(state_->mutex);
  for (const auto& [number, table] : state_->tables) {
    const std::lock_guard table_lock(table->mutex);
    for (const auto& [id, entry] : table->entries) {
      if (bytes >= wanted) return bytes;
      bytes += entry.workspace->TryTrim();
    }
  }
  return bytes;
}

std::vector<WorkspaceStatistics> WorkspaceManager::Statistics() const {
  std::vector<WorkspaceStatistics> all;
  if (const ThreadTable* table = TableIfAny()) {
    for (const auto& [id, entry] : table->entries) all.push_back(entry.workspace->Statistics());
  }
  return all;
}

std::string WorkspaceManager::StatisticsText() const { return StatisticsTable(Statistics()); }

nlohmann::json WorkspaceManager::StatisticsJson() const {
  nlohmann::json all = nlohmann::json::array();
  for (const WorkspaceStatistics& statistics : Statistics()) {
    all.push_back(plimsoll::StatisticsJson(statistics));
  }
  return all;
}

size_t WorkspaceManager::threads() const {
  const std::lock_guard lock(state_->mutex);
  return state_->tables.size();
}

size_t WorkspaceManager::workspaces() const {
  const std::lock_guard lock(state_->mutex);
  size_t count = 0;
  for (const auto& [number, table] : state_->tables) {
    const std::lock_guard table_lock(table->mutex);
    count += table->entries.size();
  }
  return count;
}

uint64_t WorkspaceManager::abandoned() const {
  const std::lock_guard lock(state_->mutex);
  return state_->abandoned;
}

}  // namespace plimsoll
