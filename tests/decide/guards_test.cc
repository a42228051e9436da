// How guards are taken up, ordered and given back. What a person sees of it: tests/scenarios.
#include "reconciler/decide/guards.h"

#include <gtest/gtest.h>

#include "reconciler/decide/decide.h"
#include "tests/support/world.h"

namespace pandora_ha {
namespace {

const NodeName kNode1("node1"), kNode2("node2");

class GuardsTest : public ::testing::Test {
 protected:
  GuardsTest() {
    world_.memory.manager = "a";
    for (int i = 1; i <= 2; ++i) {
      world_.state(i).provisioned = true;
      world_.state(i).heartbeat = HeartbeatSeen{world_.memory.epoch, kNode1, {}};
    }
  }
  GuardsCopy Copy(std::uint64_t epoch, std::uint64_t change, const std::string& writer = "b") {
    GuardsCopy copy{{Epoch(epoch), change}, writer, {}};
    copy.guards.paused = Guard{"ben", std::to_string(change), world_.seen.taken_at.wall, {}};
    return copy;
  }
  void Look() {
    decision_ = Decide(world_.spec, world_.seen, world_.memory);
    world_.memory = decision_.memory;
  }
  void Ask(const std::string& id, Wish wish) {
    world_.seen.intents = {Intent{id, std::move(wish), "ana", "", world_.seen.taken_at.wall, {}}};
    Look();
    world_.seen.intents.clear();
  }
  IntentState StateOfWish(const std::string& id) {
    for (const IntentRecord& record : world_.memory.intents)
      if (record.intent.id == id) return record.state;
    ADD_FAILURE() << id;
    return {};
  }
  std::string Reason() const {
    return world_.memory.guards.paused ? world_.memory.guards.paused->reason : "none";
  }

  World world_;
  Decision decision_;
};

TEST_F(GuardsTest, TheNewestCopyIsTakenUpAndAnOlderOneNever) {
  world_.state(1).guards = Copy(1, 4);
  world_.state(2).guards = Copy(1, 5);
  Look();
  EXPECT_EQ(Reason(), "5");
  world_.state(2).guards = Copy(1, 3);
  Look();
  EXPECT_EQ(Reason(), "5");
  // A later epoch is later, however much was changed in the older one.
  world_.state(2).guards = Copy(2, 1);
  Look();
  EXPECT_EQ(Reason(), "1");
}

TEST_F(GuardsTest, AManagerThatObservesTakesThemUpAndSaysThem) {
  world_.state(2).guards = Copy(1, 5);
  decision_ = StandBy(world_.spec, world_.seen, world_.memory, "root@10.0.0.9:4711");
  EXPECT_TRUE(decision_.memory.guards.paused);
  EXPECT_FALSE(decision_.share);
  const auto says = [&](FindingCode code) {
    return std::any_of(decision_.findings.begin(), decision_.findings.end(),
                       [&](const Finding& f) { return f.code == code; });
  };
  EXPECT_TRUE(says(FindingCode::kPaused));
  EXPECT_TRUE(says(FindingCode::kAnotherManagerActs));
}

TEST_F(GuardsTest, AWishIsDoneWhenThePrimaryAndItsReplicaShowIt) {
  Ask("pause-1-1", Pause{});
  ASSERT_TRUE(decision_.share);
  EXPECT_EQ(StateOfWish("pause-1-1"), IntentState::kUnderWay);
  world_.state(1).guards = *decision_.share;
  Look();
  EXPECT_EQ(StateOfWish("pause-1-1"), IntentState::kUnderWay) << "the replica may be promoted";
  world_.state(2).guards = world_.state(1).guards;
  Look();
  EXPECT_EQ(StateOfWish("pause-1-1"), IntentState::kDone);
  EXPECT_FALSE(decision_.share);
}

// The first write is on its way when a second person asks.
TEST_F(GuardsTest, OwnWritesAreToldFromThoseOfOthers) {
  Ask("pause-1-1", Pause{});
  const GuardsCopy first = *decision_.share;
  Ask("pause-1-2", Pause{kNode2, {}});
  world_.state(1).guards = first;
  Look();
  EXPECT_TRUE(PausedOf(world_.memory, kNode2)) << "nothing of ours is lost";
  ASSERT_TRUE(decision_.share);
  EXPECT_GT(decision_.share->version, first.version);
  // Somebody else held the cluster in between.
  world_.state(1).guards = Copy(3, 9);
  Look();
  EXPECT_FALSE(PausedOf(world_.memory, kNode2));
  EXPECT_EQ(StateOfWish("pause-1-2"), IntentState::kTakenBack);
  EXPECT_EQ(Reason(), "9");
}

TEST_F(GuardsTest, AWishIsClosedWhenAnotherManagerActsBeforeItIsWritten) {
  Ask("pause-1-1", Pause{});
  decision_ = StandBy(world_.spec, world_.seen, world_.memory, "root@10.0.0.9:4711");
  ASSERT_FALSE(decision_.memory.intents.empty());
  EXPECT_EQ(decision_.memory.intents.back().state, IntentState::kDone);
  EXPECT_NE(decision_.memory.intents.back().says.find("does not know it"), std::string::npos);
  EXPECT_TRUE(decision_.memory.guards.paused) << "it is written when this one acts again";
}

TEST_F(GuardsTest, AClockThatIsWrongDoesNotProlongTheCoolDown) {
  GuardsCopy copy = Copy(1, 1);
  copy.guards.paused.reset();
  for (const Seconds ahead : {Seconds(3600), Seconds(0), Seconds(-60), Seconds(-86400)}) {
    copy.version.change += 1;
    copy.guards.failed_over_at = world_.seen.taken_at.wall + ahead;
    world_.state(2).guards = copy;
    Look();
    ASSERT_TRUE(world_.memory.failed_over_at);
    const TimePoint now = world_.seen.taken_at.mono;
    EXPECT_LE(*world_.memory.failed_over_at, now);
    EXPECT_GE(*world_.memory.failed_over_at, now - world_.spec.failover_cool_down);
  }
}

TEST_F(GuardsTest, WhatCannotBeReadHoldsUpEveryStepUntilSomebodyResumes) {
  world_.state(2).unread_guards = UnreadGuards{{Epoch(1), 7}, "the document has format 2"};
  world_.Kill(1);
  Look();
  EXPECT_TRUE(decision_.plan.empty());
  ASSERT_FALSE(decision_.blocked.empty());
  EXPECT_EQ(decision_.blocked.back().reason, BlockReason::kGuardsUnread);
  Ask("resume-1", Resume{});
  EXPECT_FALSE(decision_.plan.empty());
  EXPECT_GE(world_.memory.guards_seen.change, 7u);
}

// A copy that is older than what is known says nothing new, readable or not.
TEST_F(GuardsTest, AnOldCopyThatCannotBeReadHoldsUpNothing) {
  world_.memory.guards_seen = {Epoch(1), 8};
  world_.state(2).unread_guards = UnreadGuards{{Epoch(1), 7}, "damaged"};
  world_.Kill(1);
  Look();
  EXPECT_FALSE(decision_.plan.empty());
}

// A table that somebody locks, or that is broken, is no new pause where the primary had none.
TEST_F(GuardsTest, WhereNothingWasEverAskedALockedTableHoldsUpNothing) {
  Look();
  EXPECT_FALSE(decision_.share) << "nothing to write";
  world_.state(2).unread_guards = UnreadGuards{{}, "Lock wait timeout exceeded"};
  Look();
  EXPECT_TRUE(std::none_of(decision_.findings.begin(), decision_.findings.end(),
                           [](const Finding& f) { return f.code == FindingCode::kGuardsUnread; }));
  world_.Kill(1);
  Look();
  EXPECT_FALSE(decision_.plan.empty());
}

TEST_F(GuardsTest, AManagerThatKnowsNothingIsHeldUpByALockedTable) {
  world_.state(2).unread_guards = UnreadGuards{{}, "Lock wait timeout exceeded"};
  world_.Kill(1);
  Look();
  EXPECT_TRUE(decision_.plan.empty());
}

TEST_F(GuardsTest, TimeEndsAGuardEverywhere) {
  GuardsCopy copy = Copy(1, 5);
  copy.guards.paused->until = world_.seen.taken_at.wall;
  copy.guards.paused_nodes[kNode2] = *copy.guards.paused;
  world_.state(2).guards = copy;
  const Decision observes = StandBy(world_.spec, world_.seen, world_.memory, "");
  EXPECT_EQ(observes.memory.guards, Guards{});
  Look();
  EXPECT_EQ(world_.memory.guards, Guards{});
  ASSERT_TRUE(decision_.share) << "to a clock that is behind it would go on";
  EXPECT_EQ(decision_.share->guards, Guards{});
}

TEST_F(GuardsTest, NothingIsWrittenWhereItWouldWaitOrIsNotOurs) {
  world_.memory.guards_unwritten = true;
  Look();
  EXPECT_TRUE(decision_.share);
  DatabaseState& state = world_.state(1);
  const DatabaseState good = state;
  const auto not_written = [&](const char* why) {
    Look();
    EXPECT_FALSE(decision_.share) << why;
    state = good;
  };
  state.semi_sync.source_enabled = state.semi_sync.source_waiting = true;
  state.semi_sync.acknowledgers = 0;
  not_written("would wait");
  state.heartbeat->epoch = Epoch(0);
  not_written("not marked");
  state.writable = false;
  not_written("closed");
  state.manager_lock.holder = ManagerLockSeen::Holder::kNobody;
  not_written("not locked");
  state.provisioned = false;
  not_written("no table");
}

}  // namespace
}  // namespace pandora_ha
