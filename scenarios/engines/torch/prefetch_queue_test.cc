#include "scenarios/engines/torch/prefetch_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

namespace plimsoll {
namespace {

using Queue = PrefetchQueue<int>;

uint64_t TenBytes(const int&) { return 10; }

// Waits until `count` has not changed for a while.
int Settled(const std::atomic<int>& count) {
  int last = -1;
  while (last != count) {
    last = count;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return last;
}

TEST(PrefetchQueueTest, HandsItemsOverInOrder) {
  int next = 0;
  Queue queue(
      {.items = 3, .bytes = 0}, [&next] { return next++; }, TenBytes);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(queue.Take(), i);
}

TEST(PrefetchQueueTest, KeepsToItsBudgetOfItems) {
  std::atomic<int> made = 0;
  Queue queue(
      {.items = 4, .bytes = 0}, [&made] { return made++; }, TenBytes);
  EXPECT_EQ(Settled(made), 4);
  queue.Take();
  EXPECT_EQ(Settled(made), 5);
}

TEST(PrefetchQueueTest, KeepsToItsBudgetOfBytes) {
  std::atomic<int> made = 0;
  Queue queue(
      {.items = 100, .bytes = 25}, [&made] { return made++; }, TenBytes);
  EXPECT_EQ(Settled(made), 3) << "the third is begun while 20 of 25 bytes are held";
  queue.Take();
  EXPECT_EQ(Settled(made), 4);
}

TEST(PrefetchQueueTest, AnItemLargerThanTheBudgetStillPasses) {
  std::atomic<int> made = 0;
  Queue queue(
      {.items = 100, .bytes = 1}, [&made] { return made++; }, TenBytes);
  EXPECT_EQ(queue.Take(), 0);
  EXPECT_EQ(queue.Take(), 1);
}

TEST(PrefetchQueueTest, TakeRethrowsWhatTheMakerThrew) {
  int next = 0;
  Queue queue(
      {.items = 2, .bytes = 0},
      [&next]() -> int {
        if (next == 3) throw std::runtime_error("no more");
        return next++;
      },
      TenBytes);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(queue.Take(), i);
  EXPECT_THROW(queue.Take(), std::runtime_error);
  EXPECT_THROW(queue.Take(), std::runtime_error);
}

TEST(PrefetchQueueTest, EndsWhileFullAndWhileBusy) {
  for (int i = 0; i < 50; ++i) {
    int next = 0;
    Queue queue(
        {.items = 2, .bytes = 0}, [&next] { return next++; }, TenBytes);
    if (i % 2 == 0) queue.Take();
  }
}

}  // namespace
}  // namespace plimsoll
