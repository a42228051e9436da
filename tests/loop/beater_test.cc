#include "reconciler/loop/beater.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <mutex>

#include "tests/support/fake_ports.h"

namespace pandora_ha {
namespace {

struct Disk {
  std::atomic<bool> full{true};
  std::atomic<int> writes{0};
};

class NodeOnDisk : public FakeNode {
 public:
  explicit NodeOnDisk(Disk& disk) : disk_(disk) {}
  Status WriteMarker(Epoch, const NodeName&, WallTime, Deadline) override {
    ++disk_.writes;
    if (disk_.full) return Error{ErrorCode::kIo, "The table is full."};
    return Ok();
  }

 private:
  Disk& disk_;
};

int Times(const std::string& what, const std::string& text) {
  int times = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++times;
  return times;
}

TEST(BeaterTest, ABeatThatFailsIsToldOnceAndSoIsItsReturn) {
  Disk disk;
  testing::internal::CaptureStderr();
  {
    Beater beater([&](const NodeName&) { return std::make_unique<NodeOnDisk>(disk); },
                  SystemClock(), Seconds(1));
    const Deadline deadline(SystemClock(), Seconds(10));
    const auto beat_until = [&](int writes) {
      while (disk.writes < writes && !deadline.passed()) {
        beater.Beat({NodeName("node1"), Epoch(3), true, {}, 0});
        sched_yield();
      }
    };
    beat_until(3);
    disk.full = false;
    beat_until(6);
  }
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(Times("The table is full.", log), 1) << log;
  EXPECT_EQ(Times("renewed again", log), 1) << log;
}

// Answers questions while its writes hang.
class StallingNode : public FakeNode {
 public:
  struct Server {
    std::mutex mutex;
    bool stalls = true;
    int beats = 0, guards = 0;
    MarkerStanding standing{true, true, "Commit"};
    std::string disk = "0";
  };
  explicit StallingNode(Server& server) : server_(server) {}
  Status WriteMarker(Epoch, const NodeName&, WallTime, Deadline) override {
    const std::lock_guard lock(server_.mutex);
    ++server_.beats;
    if (server_.stalls) return Error{ErrorCode::kTimeout, "no answer"};
    return Ok();
  }
  Status WriteGuards(const GuardsCopy&, Epoch, std::uint64_t, Deadline) override {
    const std::lock_guard lock(server_.mutex);
    ++server_.guards;
    return Ok();
  }
  Result<MarkerStanding> AskAfterMarker(Deadline) override {
    const std::lock_guard lock(server_.mutex);
    return server_.standing;
  }

 private:
  Server& server_;
};

TEST(BeaterTest, AHeartbeatThatStallsIsAskedAfterAndNotRepeated) {
  StallingNode::Server server;
  const NodeName node1("node1");
  Beater beater([&](const NodeName&) { return std::make_unique<StallingNode>(server); },
                SystemClock(), Seconds(1),
                [&](const NodeName&) {
                  const std::lock_guard lock(server.mutex);
                  return server.disk;
                });
  std::optional<GuardsCopy> guards;  // a manager repeats them until it sees them written
  const auto await = [&](const std::function<bool()>& met) {
    const Deadline deadline(SystemClock(), Seconds(10));
    while (!met() && !deadline.passed()) {
      beater.Beat({node1, Epoch(3), true, guards, 0});
      sched_yield();
    }
    return met();
  };
  const auto set = [&](const std::function<void()>& change) {
    const std::lock_guard lock(server.mutex);
    change();
  };
  ASSERT_TRUE(await([&] { return beater.Stalled(node1).has_value(); }));
  EXPECT_EQ(beater.Stalled(node1)->doing, "Commit");
  EXPECT_FALSE(beater.Stalled(NodeName("node2")));
  const TimePoint since = beater.Stalled(node1)->since;
  ASSERT_TRUE(await([&] { return beater.Stalled(node1)->seen_at > since + Milliseconds(300); }));
  EXPECT_EQ(beater.Stalled(node1)->since, since);
  set([&] { EXPECT_EQ(server.beats, 1) << "each would hold one more connection"; });

  set([&] { server.disk = "1"; });  // the disk moves
  ASSERT_TRUE(await([&] { return beater.Stalled(node1)->since > since; }));
  set([&] { server.disk = ""; });  // nobody knows
  ASSERT_TRUE(await([&] { return !beater.Stalled(node1); }));
  set([&] { server.disk = "1"; });
  ASSERT_TRUE(await([&] { return beater.Stalled(node1).has_value(); }));
  set([&] { server.standing.in_commit = false; });  // a lock
  ASSERT_TRUE(await([&] { return !beater.Stalled(node1); }));

  guards.emplace();
  ASSERT_TRUE(await([&] {
    const std::lock_guard lock(server.mutex);
    return server.guards > 0;
  })) << "what people ask for is not held up";

  set([&] {
    server.standing = {};
    server.stalls = false;
  });
  ASSERT_TRUE(await([&] {
    const std::lock_guard lock(server.mutex);
    return server.beats >= 3;
  }));
}

}  // namespace
}  // namespace pandora_ha
