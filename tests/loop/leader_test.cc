#include "reconciler/loop/leader.h"

#include <gtest/gtest.h>

#include "tests/support/fake_ports.h"

namespace pandora_ha {
namespace {

constexpr Duration kLongest = Seconds(4);

class SetClock : public Clock {
 public:
  Instant Now() const override { return {TimePoint(now.load()), {}}; }
  std::string BootId() const override { return "boot"; }

  std::atomic<Duration> now = Duration(Seconds(1000));
};

// One node whose lock this manager holds, unless it is silent.
class LeaderTest : public ::testing::Test {
 protected:
  LeaderTest() {
    DatabaseNodeSpec node;
    node.name = NodeName("node1");
    spec_.database.nodes = {node};
  }
  Observation Seen(bool answers) {
    Observation seen;
    seen.taken_at = clock_.Now();
    DatabaseSeen node;
    node.name = NodeName("node1");
    if (answers) {
      DatabaseState state;
      state.manager_lock.holder = ManagerLockSeen::Holder::kOurs;
      node.state = pandora_ha::Seen<DatabaseState>::Known(state, clock_.Now().mono);
    }
    seen.databases = {node};
    return seen;
  }
  // A whole look, now.
  bool ActsAfterALook(bool answers) {
    EXPECT_TRUE(leader_.Settle(Seen(answers), clock_.Now().mono, hands_));
    return leader_.Held();
  }
  void Advance(Duration by) { clock_.now = clock_.now.load() + by; }

  SetClock clock_;
  ClusterSpec spec_;
  ResolvedCredentials passwords_;
  FakePublisher publisher_;
  FakeLease machine_;
  Pulse pulse_{clock_, kLongest};
  Leader leader_{machine_, pulse_};
  Hands hands_{spec_, passwords_, {}, {}, publisher_, leader_, clock_};
};

TEST_F(LeaderTest, AFreezeDuringTheLookOrAfterItLetsNothingBeDone) {
  EXPECT_TRUE(ActsAfterALook(true));
  const TimePoint asked_at = clock_.Now().mono;
  Advance(kLongest + Seconds(1));
  EXPECT_FALSE(leader_.Held()) << "frozen since the last look";
  EXPECT_TRUE(leader_.Settle(Seen(true), asked_at, hands_));
  EXPECT_FALSE(leader_.Held()) << "frozen during this one: what it saw may be old";
  Advance(Milliseconds(1));
  EXPECT_TRUE(ActsAfterALook(true));
}

TEST_F(LeaderTest, AfterAGapTheSilenceOfEveryNodeIsNoLeaveToAct) {
  const Duration budget = spec_.database.detection.Budget();
  EXPECT_TRUE(ActsAfterALook(false)) << "no server runs yet: somebody must start them";
  Advance(budget + Milliseconds(1));
  EXPECT_FALSE(ActsAfterALook(false));
  Advance(budget / 2);
  EXPECT_FALSE(ActsAfterALook(false));
  Advance(budget / 2);
  EXPECT_TRUE(ActsAfterALook(false)) << "the silence has lasted";
  Advance(budget + Milliseconds(1));
  EXPECT_TRUE(ActsAfterALook(true)) << "no silence";
}

}  // namespace
}  // namespace pandora_ha
