#ifndef ALLOCATORS_WORKSPACE_MANAGER_H_
#define ALLOCATORS_WORKSPACE_MANAGER_H_

// Workspaces by thread and id: made when first asked for, released when their thread
// ends or when told to. Thread-safe; what it hands out belongs to the calling thread.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "allocators/memory_limit/memory_limit.h"
#include "allocators/memory_limit/reclaim.h"
#include "allocators/workspace/configuration.h"
#include "allocators/workspace/device_memory.h"
#include "allocators/workspace/poison.h"
#include "allocators/workspace/scope.h"
#include "allocators/workspace/statistics.h"
#include "allocators/workspace/workspace.h"
#include "base/error.h"

namespace plimsoll {

// "DISABLED", "SPILL_EVERYTHING", "BYPASS_EVERYTHING".
Expected<WorkspaceDebugMode> ParseWorkspaceDebugMode(std::string_view text);
// From PLIMSOLL_WORKSPACE_DEBUG; unset or empty is kDisabled. Error: any other value.
Expected<WorkspaceDebugMode> WorkspaceDebugModeFromEnvironment();

// Everything pointed to is borrowed, thread-safe, and outlives the manager.
struct WorkspaceManagerOptions {
  // Charged with every byte of every workspace, each a holder by name. Spare memory of
  // closed workspaces, of all threads, is given back when it is reached. Null: none.
  MemoryLimit* limit = nullptr;
  std::pmr::memory_resource* upstream = nullptr;  // null: new and delete
  DeviceMemory* device = nullptr;                 // null: nothing is mirrored
  WorkspaceDebugMode debug_mode = WorkspaceDebugMode::kDisabled;
  bool poison_bytes = kPoisonBytesByDefault;
  // For ids that are asked for without a configuration.
  std::optional<WorkspaceConfiguration> default_configuration;
};

class WorkspaceManager {
 public:
  explicit WorkspaceManager(const WorkspaceManagerOptions& options = {});
  WorkspaceManager(const WorkspaceManager&) = delete;
  WorkspaceManager& operator=(const WorkspaceManager&) = delete;
  // Releases the workspaces of all threads. Aborts if another thread has one open.
  ~WorkspaceManager();

  // This thread's workspace of that id; made if there is none. It stays until it is
  // destroyed, or the thread or the manager ends. Errors: it exists with another
  // configuration, naming what differs; as Workspace::Create.
  Expected<Workspace*> Get(const WorkspaceConfiguration& configuration, std::string_view id);
  // The same with the default configuration, or whichever it has. Error: it does not
  // exist and there is no default, naming those that do.
  Expected<Workspace*> Get(std::string_view id);
  bool Exists(std::string_view id) const;

  // Get and Workspace::Enter.
  Expected<WorkspaceScope> Enter(const WorkspaceConfiguration& configuration, std::string_view id);
  Expected<WorkspaceScope> Enter(std::string_view id);

  // Releases this thread's workspace of that id; all of this thread's. Errors: it does
  // not exist; one is open, and then nothing is destroyed.
  Status Destroy(std::string_view id);
  Status DestroyAll();

  // Takes effect when a workspace is entered.
  void SetDebugMode(WorkspaceDebugMode mode);
  WorkspaceDebugMode debug_mode() const;

  // Gives the memory of closed workspaces of all threads back, until they are entered
  // again or `wanted` bytes are reached; returns the bytes.
  uint64_t Trim(uint64_t wanted);

  // This thread's workspaces, by id.
  std::vector<WorkspaceStatistics> Statistics() const;
  std::string StatisticsText() const;     // a table
  nlohmann::json StatisticsJson() const;  // an array

  // Over all threads.
  size_t threads() const;
  size_t workspaces() const;
  // Workspaces released at a thread's end while one of their scopes was still open.
  uint64_t abandoned() const;

 private:
  struct ThreadTable;
  struct State;
  struct ThreadExit;

  ThreadTable& Table();
  // This thread's table if it has one.
  ThreadTable* TableIfAny() const;
  static ThreadExit& AtThreadExit();

  const WorkspaceManagerOptions options_;
  std::atomic<WorkspaceDebugMode> debug_mode_;
  const std::shared_ptr<State> state_;
  ReclaimHooks::Registration hook_;
};

}  // namespace plimsoll

#endif  // ALLOCATORS_WORKSPACE_MANAGER_H_
