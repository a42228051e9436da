#include "reconciler/observe/observer.h"

#include <gtest/gtest.h>

#include "tests/support/fake_ports.h"

namespace pandora_ha {
namespace {

// A server whose answers the test lets through one by one.
class Gate {
 public:
  Look Pass(Deadline deadline) {
    std::unique_lock lock(mutex_);
    const bool open = changed_.wait_for(lock, deadline.left(), [&] { return open_; });
    if (!open) return {Contact::kSilent, "no answer", std::nullopt};
    return {Contact::kAnswered, "", DatabaseState{}};
  }
  void Open(bool open) {
    {
      const std::lock_guard lock(mutex_);
      open_ = open;
    }
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
};

struct Bench {
  Gate gate;
  std::atomic<int> news = 0;
  FakePublisher publisher;
  std::unique_ptr<NodeWorker> hanging, good;
  std::unique_ptr<Observer> observer;

  explicit Bench(Duration timeout) {
    auto node = std::make_unique<FakeNode>();
    node->look = [this](Deadline deadline) { return gate.Pass(deadline); };
    const auto on_news = [this] { ++news; };
    hanging = std::make_unique<NodeWorker>(NodeName("node1"), std::move(node), nullptr,
                                           SystemClock(), timeout, on_news);
    good = std::make_unique<NodeWorker>(NodeName("node2"), std::make_unique<FakeNode>(), nullptr,
                                        SystemClock(), timeout, on_news);
    observer = std::make_unique<Observer>(std::vector{hanging.get(), good.get()}, publisher,
                                          SystemClock(), timeout);
  }
  Duration Time(const std::function<void()>& work) {
    const TimePoint began = SystemClock().Now().mono;
    work();
    return SystemClock().Now().mono - began;
  }
};

TEST(ObserverTest, EveryNodeIsAskedAtOnce) {
  Bench bench(Seconds(5));
  const Observation seen = bench.observer->Look();
  ASSERT_EQ(seen.databases.size(), 2u);
  EXPECT_TRUE(seen.databases[0].state.known());
  EXPECT_TRUE(seen.databases[1].state.known());
  EXPECT_EQ(seen.id, 1u);
  EXPECT_EQ(bench.news, 0) << "a look that was waited for is no news";
}

TEST(ObserverTest, ASilentNodeDelaysOneLookByItsTimeoutAndTheNextHardly) {
  Bench bench(Milliseconds(300));
  bench.observer->Look();
  bench.gate.Open(false);
  Observation seen;
  EXPECT_GE(bench.Time([&] { seen = bench.observer->Look(); }), Milliseconds(290));
  EXPECT_EQ(seen.databases[0].contact, Contact::kSilent);
  EXPECT_FALSE(seen.databases[0].state.known());
  EXPECT_TRUE(seen.databases[1].state.known());
  const auto attempts = seen.databases[0].attempts;

  EXPECT_LT(bench.Time([&] { seen = bench.observer->Look(); }), Milliseconds(100));
  EXPECT_EQ(seen.databases[0].attempts, attempts) << "one failure must not be counted twice";
  EXPECT_TRUE(seen.databases[1].state.known());

  // The question that nobody waits for is over after its own timeout, and that is news.
  const Deadline deadline(SystemClock(), Seconds(5));
  while (bench.news == 0 && !deadline.passed()) sched_yield();
  EXPECT_EQ(bench.news, 1);
  EXPECT_EQ(bench.hanging->Seen().attempts, attempts + 1);
}

TEST(ObserverTest, ANodeThatComesBackIsSeen) {
  Bench bench(Milliseconds(100));
  bench.gate.Open(false);
  bench.observer->Look();
  bench.gate.Open(true);
  const Deadline deadline(SystemClock(), Seconds(5));
  Observation seen = bench.observer->Look();
  while (!seen.databases[0].state.known() && !deadline.passed()) seen = bench.observer->Look();
  EXPECT_TRUE(seen.databases[0].state.known());
  EXPECT_FALSE(seen.databases[0].unanswered_since);
}

TEST(NodeWorkerTest, ATaskThatDidNotBeginInTimeNeverRuns) {
  Bench bench(Milliseconds(300));
  bench.gate.Open(false);
  bench.hanging->RequestLook();
  std::atomic<bool> ran = false;
  // The worker may take the task first; then it runs, in time.
  const Status status = bench.hanging->Run(
      [&ran](DatabaseNode&, Deadline) {
        ran = true;
        return Ok();
      },
      Deadline(SystemClock(), Milliseconds(50)));
  EXPECT_EQ(status.ok(), ran.load());
  if (!status.ok()) {
    EXPECT_EQ(status.error().code, ErrorCode::kTimeout);
    bench.hanging->WaitForLook(Deadline(SystemClock(), Seconds(5)));
    // Another task behind the abandoned one shows that the worker went past it.
    EXPECT_TRUE(
        bench.hanging
            ->Run([](DatabaseNode&, Deadline) { return Ok(); }, Deadline(SystemClock(), Seconds(5)))
            .ok());
    EXPECT_FALSE(ran);
  }
}

TEST(NodeWorkerTest, AnEndedProcessIsNotAsked) {
  FakeHost host;
  host.process.phase = ProcessState::Phase::kEnded;
  host.process.how_ended = "killed by signal 9";
  auto node = std::make_unique<FakeNode>();
  std::atomic<int> looks = 0;
  node->look = [&looks](Deadline) {
    ++looks;
    return Look{Contact::kAnswered, "", DatabaseState{}};
  };
  NodeWorker worker(NodeName("node1"), std::move(node), &host, SystemClock(), Seconds(1), [] {});
  worker.RequestLook();
  ASSERT_TRUE(worker.WaitForLook(Deadline(SystemClock(), Seconds(5))));
  EXPECT_EQ(looks, 0) << "whoever answers on its port is not this server";
  EXPECT_FALSE(worker.Seen().state.known());
  EXPECT_EQ(worker.Seen().process->how_ended, "killed by signal 9");
}

}  // namespace
}  // namespace pandora_ha
