#ifndef ALLOCATORS_PLANNER_ARENA_WORKER_H_
#define ALLOCATORS_PLANNER_ARENA_WORKER_H_

// A thread that does what it is told, and is waited for: tests and benchmarks make pools of
// them. Told by one thread at a time.

#include <functional>
#include <semaphore>
#include <thread>
#include <utility>

namespace plimsoll {

class Worker {
 public:
  Worker() : thread_([this] { Work(); }) {}
  ~Worker() {
    task_ = nullptr;
    begin_.release();
    thread_.join();
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void Do(std::function<void()> task) {
    task_ = std::move(task);
    begin_.release();
    end_.acquire();
  }

 private:
  void Work() {
    for (;;) {
      begin_.acquire();
      if (!task_) return;
      task_();
      end_.release();
    }
  }

  std::function<void()> task_;
  std::binary_semaphore begin_{0};
  std::binary_semaphore end_{0};
  std::thread thread_;
};

}  // namespace plimsoll

#endif  // ALLOCATORS_PLANNER_ARENA_WORKER_H_
