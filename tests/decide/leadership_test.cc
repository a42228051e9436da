#include "reconciler/decide/leadership.h"

#include <gtest/gtest.h>

namespace pandora_ha {
namespace {

using Holder = ManagerLockSeen::Holder;

const NodeName kNode1("node1"), kNode2("node2"), kNode3("node3");

DatabaseSeen Locked(const NodeName& name, Holder holder) {
  DatabaseState state;
  state.manager_lock.holder = holder;
  if (holder == Holder::kOther) {
    state.manager_lock.connection = 17;
    state.manager_lock.who = "root@10.0.0.9:4711";
  }
  DatabaseSeen node;
  node.name = name;
  node.contact = Contact::kAnswered;
  node.state = Seen<DatabaseState>::Known(state, {});
  return node;
}

DatabaseSeen Unseen(const NodeName& name) {
  DatabaseSeen node;
  node.name = name;
  node.contact = Contact::kSilent;
  node.contact_error = "no answer";
  node.state = Seen<DatabaseState>::Unknown("no answer", {});
  return node;
}

class LeadershipTest : public ::testing::Test {
 protected:
  Leadership Of(std::vector<DatabaseSeen> nodes, Duration at = {}) {
    Observation seen;
    seen.databases = std::move(nodes);
    seen.taken_at.mono = TimePoint(at);
    return Lead(spec_, seen, &free_since_);
  }

  ClusterSpec spec_;
  FreeSince free_since_;
};

TEST_F(LeadershipTest, FreeLocksAreTakenBeforeAnythingIsDone) {
  const Leadership now = Of({Locked(kNode1, Holder::kNobody), Locked(kNode2, Holder::kNobody)});
  EXPECT_FALSE(now.acts);
  EXPECT_EQ(now.take, (std::vector{kNode1, kNode2}));
  EXPECT_TRUE(now.holder.empty());
  EXPECT_TRUE(Of({Locked(kNode1, Holder::kOurs), Locked(kNode2, Holder::kOurs)}).acts);
}

TEST_F(LeadershipTest, TheHolderOfTheFirstNodeWins) {
  const Leadership first = Of({Locked(kNode1, Holder::kOurs), Locked(kNode2, Holder::kOther)});
  EXPECT_TRUE(first.acts);
  EXPECT_EQ(first.evict, std::vector{kNode2});
  const Leadership second = Of({Locked(kNode1, Holder::kOther), Locked(kNode2, Holder::kOurs)});
  EXPECT_FALSE(second.acts);
  EXPECT_TRUE(second.evict.empty());
  EXPECT_EQ(second.holder, "root@10.0.0.9:4711 holds the lock of node1");
}

TEST_F(LeadershipTest, ANodeThatDoesNotAnswerDecidesNothing) {
  EXPECT_TRUE(Of({Unseen(kNode1), Locked(kNode2, Holder::kOurs)}).acts);
  EXPECT_FALSE(Of({Unseen(kNode1), Locked(kNode2, Holder::kOther)}).acts);
  EXPECT_TRUE(Of({Unseen(kNode1), Unseen(kNode2)}).acts) << "servers must be started by somebody";
}

// A restarted server's lock is free for a moment; its manager is not deposed by that.
TEST_F(LeadershipTest, AFreeLockBesideAnotherHolderIsTakenOnlyAfterTheLease) {
  const auto world = [] {
    return std::vector{Locked(kNode1, Holder::kNobody), Locked(kNode2, Holder::kOther)};
  };
  EXPECT_TRUE(Of(world()).take.empty());
  EXPECT_TRUE(Of(world(), spec_.lease.duration - Milliseconds(1)).take.empty());
  EXPECT_EQ(Of(world(), spec_.lease.duration).take, std::vector{kNode1});
  EXPECT_FALSE(Of(world(), spec_.lease.duration).acts);
  // In between somebody had it: the time begins anew.
  Of({Locked(kNode1, Holder::kOther), Locked(kNode2, Holder::kOther)}, Seconds(100));
  EXPECT_TRUE(Of(world(), Seconds(101)).take.empty());
}

TEST_F(LeadershipTest, AManagerEvictsItsOwnLostSession) {
  const Leadership now = Of({Locked(kNode1, Holder::kOursBefore), Locked(kNode2, Holder::kNobody)});
  EXPECT_FALSE(now.acts);
  EXPECT_EQ(now.evict, std::vector{kNode1});
  EXPECT_EQ(now.take, std::vector{kNode2});
  EXPECT_TRUE(Of({Locked(kNode1, Holder::kOursBefore), Locked(kNode2, Holder::kOurs)}).acts);
  const Leadership deposed =
      Of({Locked(kNode1, Holder::kOther), Locked(kNode2, Holder::kOursBefore)});
  EXPECT_FALSE(deposed.acts);
}

TEST_F(LeadershipTest, WhereNoLockIsAskedForItActs) {
  EXPECT_TRUE(Of({Locked(kNode1, Holder::kNotAsked), Unseen(kNode2)}).acts);
}

TEST(UnlockedNodesTest, NamesWhereAnotherManagerMayAct) {
  Observation seen;
  DatabaseSeen ended = Unseen(kNode3);
  ProcessState process;
  process.phase = ProcessState::Phase::kEnded;
  process.restart_inhibited = true;
  ended.process = Seen<ProcessState>::Known(process, {});
  seen.databases = {Unseen(kNode1), Locked(kNode2, Holder::kOurs), ended};
  EXPECT_TRUE(UnlockedNodes(seen, kNode1).empty());
  const auto unlocked = UnlockedNodes(seen, std::nullopt);
  ASSERT_EQ(unlocked.size(), 1u);
  EXPECT_EQ(unlocked[0].name, kNode1);
  EXPECT_EQ(unlocked[0].why, "no answer");
  // Replaced, but it answers: its lock counts.
  seen.databases[0] = Locked(kNode1, Holder::kOther);
  ASSERT_EQ(UnlockedNodes(seen, kNode1).size(), 1u);
  EXPECT_EQ(UnlockedNodes(seen, kNode1)[0].why, "root@10.0.0.9:4711 has it");
  seen.databases = {Unseen(kNode1), Locked(kNode2, Holder::kNotAsked)};
  EXPECT_TRUE(UnlockedNodes(seen, std::nullopt).empty());
}

}  // namespace
}  // namespace pandora_ha
