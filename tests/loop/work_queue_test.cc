#include "reconciler/loop/work_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>

namespace pandora_ha {
namespace {

constexpr Duration kNever = Seconds(1000);

bool Comes(const std::function<bool()>& condition, Duration within = Seconds(10)) {
  const Deadline deadline(SystemClock(), within);
  while (!condition() && !deadline.passed()) sched_yield();
  return condition();
}

TimePoint Now() {
  return SystemClock().Now().mono;
}

// Turns wait here until it is opened.
class Gate {
 public:
  void Pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    opened_.wait(lock, [&] { return open_; });
    --waiting_;
  }
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    opened_.notify_all();
  }
  int waiting() const {
    const std::lock_guard lock(mutex_);
    return waiting_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable opened_;
  bool open_ = false;
  int waiting_ = 0;
};

TEST(WorkQueueTest, AKeyHasOneTurnAtATime) {
  std::atomic<int> inside = 0, most = 0, turns = 0;
  WorkQueue queue(SystemClock());
  for (int i = 0; i < 7; ++i) queue.Add("other" + std::to_string(i), [] { return Duration(50); });
  queue.Add("key", [&] {
    most = std::max(most.load(), ++inside);
    sched_yield();
    --inside;
    ++turns;
    return kNever;
  });
  std::vector<std::jthread> wakers;
  for (int i = 0; i < 4; ++i) {
    wakers.emplace_back([&](const std::stop_token& stop) {
      while (!stop.stop_requested()) queue.Wake("key");
    });
  }
  EXPECT_TRUE(Comes([&] { return turns >= 500; }));
  EXPECT_EQ(most, 1);
}

TEST(WorkQueueTest, WakingOftenIsWakingOnce) {
  Gate gate;
  std::atomic<int> turns = 0;
  WorkQueue queue(SystemClock());
  queue.Add("key", [&] {
    if (++turns == 1) gate.Pass();
    return kNever;
  });
  ASSERT_TRUE(Comes([&] { return gate.waiting() == 1; }));
  for (int i = 0; i < 100; ++i) queue.Wake("key");
  gate.Open();
  ASSERT_TRUE(Comes([&] { return turns == 2; }));
  EXPECT_FALSE(Comes([&] { return turns > 2; }, Milliseconds(50)));
}

TEST(WorkQueueTest, AWakeBetweenTurnsIsNotLost) {
  std::atomic<int> turns = 0;
  WorkQueue queue(SystemClock());
  queue.Add("key", [&] {
    ++turns;
    return kNever;
  });
  for (int wanted = 1; wanted <= 200; ++wanted) {
    ASSERT_TRUE(Comes([&] { return turns >= wanted; })) << wanted;
    queue.Wake("key");
  }
}

TEST(WorkQueueTest, AStuckTurnDelaysNobody) {
  constexpr int kKeys = 50;
  constexpr Duration kEvery = Milliseconds(10);
  Gate gate;
  std::atomic<int> turns[kKeys] = {};
  std::atomic<Duration> latest[kKeys] = {};
  TimePoint due[kKeys];
  {
    WorkQueue queue(SystemClock());
    for (int i = 0; i < 5; ++i) {
      queue.Add("stuck" + std::to_string(i), [&] {
        gate.Pass();
        return kNever;
      });
    }
    for (int i = 0; i < kKeys; ++i) {
      due[i] = Now();
      queue.Add("key" + std::to_string(i), [&, i] {
        latest[i] = std::max(latest[i].load(), Now() - due[i]);
        ++turns[i];
        due[i] = Now() + kEvery;
        return kEvery;
      });
    }
    for (const auto& count : turns) EXPECT_TRUE(Comes([&] { return count >= 20; }));
    EXPECT_EQ(gate.waiting(), 5);
    EXPECT_LE(queue.threads(), 20u) << "those that are stuck, and what the others need";
    gate.Open();
  }
  // Turns of microseconds: what is late is late because of the machine.
  for (const auto& late : latest) EXPECT_LT(late.load(), Milliseconds(500));
}

TEST(WorkQueueTest, WhoIsAlwaysReadyGoesBehindTheOthers) {
  std::mutex mutex;
  std::vector<std::string> order;
  WorkQueue queue(SystemClock(), 1);
  const auto turn = [&](const std::string& key) {
    return [&, key] {
      const std::lock_guard lock(mutex);
      order.push_back(key);
      return Duration::zero();
    };
  };
  Gate gate;
  queue.Add("first", [&] {
    gate.Pass();
    return kNever;
  });
  ASSERT_TRUE(Comes([&] { return gate.waiting() == 1; }));
  for (const char* key : {"a", "b", "c"}) queue.Add(key, turn(key));
  gate.Open();
  ASSERT_TRUE(Comes([&] {
    const std::lock_guard lock(mutex);
    return order.size() >= 300;
  }));
  queue.Close();
  const std::lock_guard lock(mutex);
  for (std::size_t i = 3; i < order.size(); ++i) ASSERT_EQ(order[i], order[i - 3]) << i;
}

TEST(WorkQueueTest, ThreadsAreAsManyAsAreNeededAndNotMoreThanAllowed) {
  Gate gate;
  WorkQueue queue(SystemClock(), 8);
  queue.Add("quiet", [] { return Duration(Milliseconds(1)); });
  EXPECT_FALSE(Comes([&] { return queue.threads() > 1; }, Milliseconds(50)))
      << "one key needs one thread";
  for (int i = 0; i < 100; ++i) {
    queue.Add("key" + std::to_string(i), [&] {
      gate.Pass();
      return kNever;
    });
  }
  EXPECT_TRUE(Comes([&] { return gate.waiting() == 8; }));
  EXPECT_FALSE(Comes([&] { return queue.threads() > 8 || gate.waiting() > 8; }, Milliseconds(50)));
  gate.Open();
}

TEST(WorkQueueTest, ATurnIsDueWhenItSaid) {
  std::mutex mutex;
  std::vector<TimePoint> at;
  WorkQueue queue(SystemClock());
  queue.Add("key", [&] {
    const std::lock_guard lock(mutex);
    at.push_back(Now());
    return Duration(Milliseconds(20));
  });
  // A later due time of another key must not hold up an earlier one.
  queue.Add("slow", [] { return kNever; });
  ASSERT_TRUE(Comes([&] {
    const std::lock_guard lock(mutex);
    return at.size() >= 5;
  }));
  const std::lock_guard lock(mutex);
  for (std::size_t i = 1; i < at.size(); ++i) EXPECT_GE(at[i] - at[i - 1], Milliseconds(20));
}

TEST(WorkQueueTest, AfterRemoveNothingOfTheKeyRuns) {
  for (int round = 0; round < 100; ++round) {
    std::atomic<bool> removed = false, late = false;
    WorkQueue queue(SystemClock());
    queue.Add("other", [] { return Duration::zero(); });
    queue.Add("key", [&] {
      if (removed) late = true;
      return Duration::zero();
    });
    if (round % 2 == 0) sched_yield();
    queue.Remove("key");
    removed = true;
    queue.Wake("key");
    EXPECT_FALSE(late);
  }
}

TEST(WorkQueueTest, AKeyMayComeBack) {
  std::atomic<int> turns = 0;
  WorkQueue queue(SystemClock());
  for (int round = 1; round <= 20; ++round) {
    queue.Add("key", [&] {
      ++turns;
      return kNever;
    });
    ASSERT_TRUE(Comes([&] { return turns == round; }));
    queue.Remove("key");
  }
}

}  // namespace
}  // namespace pandora_ha
