#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "tests/support/world.h"

namespace pandora_ha {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::string ReadFile(const std::string& path) {
  std::ifstream file(std::string(PANDORA_HA_SOURCE_DIR) + "/" + path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> Reasons(const std::vector<Event>& events) {
  std::vector<std::string> reasons;
  for (const Event& event : events) reasons.push_back(event.reason);
  return reasons;
}

std::vector<Event> Between(const World& before, const World& after) {
  const Snapshot b = before.Pin();
  const Snapshot a = after.Pin();
  return EventsOf(b.status, a.status, a.decision, a.report);
}

TEST(EventsOf, AQuietLookAddsNothing) {
  EXPECT_THAT(Between(World(), World()), IsEmpty());
}

TEST(EventsOf, TheFirstLookOfAManagerTellsWhatItFound) {
  const Snapshot first = World().Pin();
  const auto events = EventsOf({}, first.status, first.decision, first.report);
  ASSERT_THAT(Reasons(events), ElementsAre("ManagerStarted"));
  EXPECT_THAT(events[0].message, HasSubstr("Healthy: node1 is primary"));
}

// A whole failover, told from look to look.
TEST(EventsOf, AFailoverBeginsAndEnds) {
  World calm;
  World dead;
  dead.Kill(1);
  dead.state(2).replication->io = ThreadState::kStopped;
  const auto began = Between(calm, dead);
  EXPECT_THAT(Reasons(began), ElementsAre("FailoverStarted", "DurabilityDegraded", "FindingRaised",
                                          "StateChanged"));
  EXPECT_THAT(began[0].message, HasSubstr("epoch 4"));
  EXPECT_EQ(began[0].about, NodeName("node1"));

  World promoted = dead;
  promoted.memory = dead.Pin().decision.memory;
  promoted.state(2).writable = true;
  promoted.state(2).replication.reset();
  promoted.state(2).heartbeat = HeartbeatSeen{Epoch(4), NodeName("node2"), {}};
  promoted.seen.taken_at.wall += Seconds(1);
  const auto done = Between(dead, promoted);
  EXPECT_THAT(Reasons(done), Contains("FailoverDone"));
  EXPECT_EQ(done[0].message, "node2 is primary (epoch 4) in place of node1.");
  EXPECT_EQ(done[0].epoch, Epoch(4));
}

TEST(EventsOf, AFirstPrimaryIsNoFailover) {
  World starting;
  starting.memory.primary.reset();
  starting.memory.epoch = Epoch(0);
  for (int i : {1, 2}) {
    starting.state(i).heartbeat.reset();
    starting.state(i).replication.reset();
    starting.state(i).writable = false;
  }
  World first = starting;
  first.memory = starting.Pin().decision.memory;
  ASSERT_TRUE(first.memory.promotion);
  first.state(1).writable = true;
  first.state(1).heartbeat = HeartbeatSeen{first.memory.epoch, NodeName("node1"), {}};
  const auto events = Between(starting, first);
  EXPECT_THAT(Reasons(events), Contains("FirstPrimary"));
  EXPECT_THAT(Reasons(events), Not(Contains("FailoverDone")));
}

TEST(EventsOf, AReplicaIsLostOnceAndComesBackOnce) {
  World calm;
  World lost;
  lost.Kill(2);
  EXPECT_THAT(Reasons(Between(calm, lost)),
              ElementsAre("ReplicaLost", "DurabilityDegraded", "StateChanged"));
  EXPECT_THAT(Between(lost, lost), IsEmpty());
  EXPECT_THAT(Reasons(Between(lost, calm)), Contains("ReplicaBack"));
}

TEST(EventsOf, LosingTheDurabilityIsToldBothWays) {
  World strong;
  World weak;
  weak.memory.durability_in_force = DurabilityMode::kAsync;
  weak.remembered(2).lossless = false;
  weak.memory.primary_waited = false;
  weak.state(1).semi_sync.source_waiting = false;
  EXPECT_THAT(Reasons(Between(strong, weak)), Contains("DurabilityDegraded"));
  EXPECT_THAT(Reasons(Between(weak, strong)), Contains("DurabilityRestored"));
}

TEST(EventsOf, ABlockedFailoverIsToldOnceWithWhoCanHelp) {
  World blocked;
  blocked.Silence(1);
  blocked.OutOfReach(1);
  blocked.Deaf(2);
  const auto events = Between(World(), blocked);
  const auto found = std::find_if(events.begin(), events.end(),
                                  [](const Event& e) { return e.reason == "FailoverBlocked"; });
  ASSERT_NE(found, events.end());
  EXPECT_EQ(found->severity, Severity::kCritical);
  EXPECT_THAT(found->message, HasSubstr("UnprovenFence"));
  EXPECT_THAT(found->message, HasSubstr("Who can unblock it: an operator"));
  EXPECT_THAT(Between(blocked, blocked), IsEmpty());
}

TEST(EventsOf, ARestartWithinItsAllowanceIsNoBlockedFailover) {
  World restarting;
  restarting.spec.database.restart.allow = Seconds(10);
  restarting.Kill(1);
  restarting.node(1).process.mutable_value()->restart_inhibited = false;
  const auto reasons = Reasons(Between(World(), restarting));
  EXPECT_THAT(reasons, Contains("FindingRaised"));
  EXPECT_THAT(reasons, Not(Contains("FailoverBlocked")));
}

TEST(EventsOf, SuspendingAndResuming) {
  World suspended;
  suspended.spec.suspend = true;
  EXPECT_THAT(Reasons(Between(World(), suspended)), Contains("Suspended"));
  EXPECT_THAT(Reasons(Between(suspended, World())), Contains("Resumed"));
}

TEST(EventsOf, TheSameChangeHasTheSameIdAndTwoHaveTwo) {
  World lost(3);
  lost.Kill(2);
  lost.Kill(3);
  const auto once = Between(World(3), lost);
  EXPECT_EQ(once, Between(World(3), lost));
  std::set<std::string> ids;
  for (const Event& event : once) ids.insert(event.id);
  EXPECT_EQ(ids.size(), once.size());
}

TEST(EventsDocument, ListsExactlyTheSet) {
  const std::string text = ReadFile("docs/events.md");
  std::vector<std::string> listed;
  const std::regex row(R"(\| `(\w+)` \| ([^|\n]*) \|)");
  for (std::sregex_iterator it(text.begin(), text.end(), row), end; it != end; ++it) {
    listed.push_back((*it)[1].str() + ": " + (*it)[2].str());
  }
  std::vector<std::string> known;
  for (const EventRow& event : EventTable()) {
    known.push_back(std::string(event.reason) + ": " + std::string(event.meaning));
  }
  EXPECT_EQ(listed, known);
}

// Every reason that the source writes is a row of the table, and the other way round.
TEST(EventsDocument, TheTableIsWhatTheCodeWrites) {
  const std::string writes = ReadFile("reconciler/decide/events_of.cc");
  for (const EventRow& event : EventTable()) {
    EXPECT_THAT(writes, HasSubstr("\"" + std::string(event.reason) + "\"")) << event.reason;
  }
  std::set<std::string> known;
  for (const EventRow& event : EventTable()) known.insert(std::string(event.reason));
  const std::regex add(R"re(Add\(\s*"(\w+)")re");
  for (std::sregex_iterator it(writes.begin(), writes.end(), add), end; it != end; ++it) {
    EXPECT_TRUE(known.count((*it)[1].str())) << (*it)[1].str();
  }
}

TEST(StatesDocument, DescribesEveryState) {
  const std::string text = ReadFile("docs/states.md");
  for (int i = 0; i <= static_cast<int>(ClusterState::kUnknown); ++i) {
    const std::string state(ToString(static_cast<ClusterState>(i)));
    EXPECT_THAT(text, HasSubstr("\n## " + state + "\n"));
  }
}

}  // namespace
}  // namespace pandora_ha
