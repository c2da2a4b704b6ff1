#ifndef ALLOCATORS_PLANNER_ARENA_ARENA_STEP_H_
#define ALLOCATORS_PLANNER_ARENA_ARENA_STEP_H_

// Where the steps of a program begin and end, for a planner arena. A scope belongs to
// the thread that made it; tickets may be copied and dropped by any thread.

#include <memory>
#include <string_view>
#include <utility>

namespace plimsoll {

class PlannerArena;
class Timeline;

struct StepOptions {
  // Steps of one session never overlap their own kind's plans: name what runs beside
  // each other, such as "training" and "evaluation". Empty: whatever this thread did
  // last, if that is not under way elsewhere. An arena knows 64, and for ever: the steps of
  // any further ones are no steps, and their requests go upstream and count as outside.
  std::string_view session = {};
  // Names the shape of the step's data, if the program knows it: steps of equal name
  // ask for the same. Empty: told by the requests.
  std::string_view shape = {};
};

// Keeps a step open beyond its scope, for work that completes later or elsewhere. The
// step ends when its scope and all its tickets are gone.
class StepTicket {
 public:
  StepTicket() = default;

 private:
  friend class StepScope;
  friend class PlannerArena;
  struct Step {
    explicit Step(PlannerArena& its_arena) : arena(its_arena) {}
    ~Step();
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;
    PlannerArena& arena;
    Timeline* timeline = nullptr;  // nullptr: too many steps are open; served upstream
    bool open = false;
  };
  explicit StepTicket(std::shared_ptr<Step> step) : step_(std::move(step)) {}

  std::shared_ptr<Step> step_;
};

// While it lives, the requests of the thread that made it belong to one step. Requests
// of threads that declare nothing belong to the step that is open, if it is the only one.
// Any thread may begin the next step, as in a pool that serves requests: a plan knows
// threads by their part in a step, and who begins it has the first.
// REQUIRES: destroyed by the thread that made it, in reverse order; the arena outlives it.
class StepScope {
 public:
  // Begins a step. Inside another scope of the same thread and arena it joins that
  // scope's step instead. While earlier steps are still open elsewhere, the new one
  // runs beside them, with plans of its own.
  explicit StepScope(PlannerArena& arena, const StepOptions& options = {});
  // Takes part in a step that another thread began. REQUIRES: a ticket of a scope.
  explicit StepScope(const StepTicket& ticket);
  ~StepScope();
  StepScope(const StepScope&) = delete;
  StepScope& operator=(const StepScope&) = delete;

  StepTicket Ticket() const { return ticket_; }

 private:
  friend class PlannerArena;

  void Push();

  StepTicket ticket_;
  StepScope* outer_ = nullptr;
  bool began_ = false;  // this scope, or one around it, began the step
};

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_ARENA_STEP_H_
