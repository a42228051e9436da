#include <algorithm>
#include <future>

#include "tests/loop/loop_fixture.h"

namespace pandora_ha {
namespace {

TEST_F(LoopTest, IntentIsStoredBeforeTheFirstStep) {
  ASSERT_TRUE(loop_->Start().ok());
  loop_->Tick();
  ASSERT_TRUE(store_.memory);
  ASSERT_TRUE(store_.memory->promotion);
  EXPECT_EQ(store_.memory->promotion->to, NodeName("node1"));
  EXPECT_GT(Asked(), 0u);
}

// Invariant 9: what could not be remembered is not done.
TEST_F(LoopTest, NothingIsDoneWhenTheIntentCannotBeStored) {
  ASSERT_TRUE(loop_->Start().ok());
  store_.failing = true;
  loop_->Tick();
  EXPECT_EQ(Asked(), 0u);
  const auto& findings = board_.Last("test")->decision.findings;
  ASSERT_FALSE(findings.empty());
  EXPECT_EQ(findings[0].code, FindingCode::kStepFailed) << findings[0].says;
  store_.failing = false;
  loop_->Tick();
  EXPECT_GT(Asked(), 0u) << "the next look decides anew";
}

TEST_F(LoopTest, WithoutTheLeaseItObservesAndTells) {
  lease_.held = false;
  ASSERT_TRUE(loop_->Start().ok());
  loop_->Tick();
  EXPECT_EQ(Asked(), 0u);
  EXPECT_EQ(store_.writes, 0);
  ASSERT_TRUE(board_.Last("test"));
  EXPECT_TRUE(board_.Last("test")->seen.databases[0].state.known());
}

// The publication's lease: prolonged by whoever holds the cluster and still means what it
// published.
class RenewalTest : public LoopTest {
 protected:
  // node1 is the open, published primary of epoch 3.
  RenewalTest() {
    store_.memory = Memory{};
    store_.memory->cluster = "test";
    store_.memory->epoch = Epoch(3);
    store_.memory->primary = NodeName("node1");
    publisher_.published = {{NodeName("node1"), {"127.0.0.1", 3306}, Epoch(3)}};
    nodes_[0]->look = [](Deadline) {
      DatabaseState state;
      state.server_id = 1;
      state.writable = state.log_bin = state.gtid_on = state.log_replica_updates = state.durable =
          state.provisioned = true;
      return Look{Contact::kAnswered, "", state};
    };
  }
  std::size_t RenewedByATick() {
    EXPECT_TRUE(loop_->Start().ok());
    publisher_.renewed.clear();
    loop_->Tick();
    return publisher_.renewed.size();
  }
};

// Nothing that was decided has changed, so that nothing stops; but a failover could not be made.
TEST_F(RenewalTest, AMemoryThatCannotBeStoredIsToldBeforeItIsNeeded) {
  store_.memory->boot_id = SystemClock().BootId();
  store_.memory->nodes[NodeName("node1")] = {};
  store_.memory->nodes[NodeName("node2")].history = History::kContained;
  store_.failing = true;
  RenewedByATick();
  const auto told = [&] {
    const auto& findings = board_.Last("test")->decision.findings;
    return std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
      return finding.code == FindingCode::kStepFailed &&
             finding.says.find("no space left on device") != std::string::npos;
    });
  };
  EXPECT_TRUE(told());
  EXPECT_FALSE(board_.Last("test")->decision.plan.empty()) << "what was decided before still holds";
  loop_->Tick();
  EXPECT_TRUE(told()) << "also between two tries";
  store_.failing = false;
  loop_->Tick();
  EXPECT_FALSE(told());
}

// What was not seen while no manager ran is no evidence of today.
TEST_F(RenewalTest, LooksOfAnEarlierProcessAreNotCounted) {
  store_.memory->boot_id = SystemClock().BootId();
  NodeMemory& node1 = store_.memory->nodes[NodeName("node1")];
  node1.failed_looks = 500;
  node1.unanswered_since = node1.unwitnessed_since = TimePoint(Seconds(1));
  nodes_[0]->look = [](Deadline) { return Look{Contact::kHungUp, "reset", std::nullopt}; };
  RenewedByATick();
  const NodeMemory seen = board_.Last("test")->decision.memory.nodes.at(NodeName("node1"));
  EXPECT_EQ(seen.failed_looks, 1);
  EXPECT_GT(seen.unanswered_since, TimePoint(Seconds(1)));
}

TEST_F(RenewalTest, TheHolderRenewsOnceAndAfterEveryStep) {
  const std::size_t renewed = RenewedByATick();
  EXPECT_EQ(renewed, 1 + board_.Last("test")->report.steps.size());
  EXPECT_EQ(publisher_.renewed.back(), Epoch(3));
}

TEST_F(RenewalTest, NoStepBesideAPublishedPrimaryOutlastsHalfTheLease) {
  spec_.lease.duration = Seconds(3);
  RenewedByATick();
  const auto& steps = board_.Last("test")->decision.plan.steps;
  ASSERT_FALSE(steps.empty());
  for (const Step& step : steps) EXPECT_LE(step.deadline, Milliseconds(1500));
}

TEST_F(RenewalTest, WithoutTheClusterNothingIsRenewed) {
  lease_.held = false;
  EXPECT_EQ(RenewedByATick(), 0u);
}

// It may be gone for a moment or for good: while nobody else is promoted, it is the primary.
TEST_F(RenewalTest, APrimaryThatIsSilentForALookIsStillPublished) {
  nodes_[0]->look = [](Deadline) { return Look{Contact::kSilent, "no answer", std::nullopt}; };
  EXPECT_GE(RenewedByATick(), 1u);
}

TEST_F(RenewalTest, WhatSomebodyElsePublishedIsNotProlonged) {
  publisher_.published.back().epoch = Epoch(2);
  EXPECT_EQ(RenewedByATick(), 0u);
}

TEST_F(RenewalTest, DuringAPromotionNothingIsRenewed) {
  store_.memory->promotion = Promotion{};
  store_.memory->promotion->from = NodeName("node1");
  store_.memory->promotion->to = NodeName("node2");
  store_.memory->promotion->epoch = Epoch(3);
  nodes_[0]->look = [](Deadline) { return Look{Contact::kSilent, "no answer", std::nullopt}; };
  EXPECT_EQ(RenewedByATick(), 0u);
}

TEST_F(LoopTest, AnIntentIsSeenByTheNextLookAndDroppedOnceTheMemoryNamesIt) {
  store_.memory = Memory{};
  store_.memory->cluster = "test";
  store_.memory->boot_id = SystemClock().BootId();
  IntentRecord done;
  done.intent = Wanted("known-id");
  done.state = IntentState::kDone;
  store_.memory->intents = {done};
  ASSERT_TRUE(loop_->Start().ok());
  ASSERT_TRUE(loop_->Ask(Wanted("known-id")).ok());
  store_.failing = true;
  ASSERT_TRUE(loop_->Ask(Wanted("new-id")).ok());
  loop_->Tick();
  ASSERT_EQ(board_.Last("test")->seen.intents.size(), 2u);
  EXPECT_EQ(loop_->Pending(), std::vector{Wanted("new-id")}) << "it could not be remembered";
}

TEST_F(LoopTest, WithoutTheLeaseNothingIsTakenUp) {
  ASSERT_TRUE(loop_->Start().ok());
  ASSERT_TRUE(loop_->Ask(Wanted("early-one")).ok());
  lease_.held = false;
  loop_->Tick();
  EXPECT_TRUE(board_.Last("test")->seen.intents.empty());
  EXPECT_TRUE(loop_->Pending().empty()) << "it must not be done an hour later";
  const Status asked = loop_->Ask(Wanted("later-one"));
  ASSERT_FALSE(asked.ok());
  EXPECT_EQ(asked.error().code, ErrorCode::kConflict);
  EXPECT_NE(asked.error().message.find("(test)"), std::string::npos) << asked.error().message;
  lease_.held = true;
  loop_->Tick();
  EXPECT_TRUE(loop_->Ask(Wanted("later-one")).ok());
}

TEST_F(LoopTest, AfterARestartOfTheMachineAnIntentGetsItsTimeAnew) {
  store_.memory = Memory{};
  store_.memory->cluster = "test";
  store_.memory->boot_id = "another boot";
  store_.memory->failed_over_at = TimePoint(Seconds(999'999'999));
  IntentRecord record;
  record.intent = Wanted("under-way", Switchover{NodeName("node2"), false});
  record.give_up_at = record.not_before = TimePoint(Seconds(999'999'999));
  store_.memory->intents = {record};
  const TimePoint of_before(Seconds(999'999'999));
  NodeMemory& diverged = store_.memory->nodes[NodeName("node2")];
  diverged.archive.emplace().not_before = of_before;
  diverged.merge.emplace().not_before = of_before;
  diverged.rebuild.emplace().not_before = diverged.rebuild->give_up_at = of_before;
  store_.failing = true;
  ASSERT_TRUE(loop_->Start().ok());
  lease_.held = false;
  loop_->Tick();
  const Memory& memory = board_.Last("test")->decision.memory;
  ASSERT_TRUE(memory.failed_over_at) << "nobody has acknowledged it";
  EXPECT_LE(*memory.failed_over_at, SystemClock().Now().mono);
  ASSERT_EQ(memory.intents.size(), 1u);
  const TimePoint now = SystemClock().Now().mono;
  EXPECT_LE(memory.intents[0].give_up_at, now + Seconds(60));
  EXPECT_GT(memory.intents[0].give_up_at, now + Seconds(30));
  EXPECT_LE(memory.intents[0].not_before, now);
  // What goes on beside a node is ordered again, and not in as many days as the machine was up.
  const NodeMemory& node = memory.nodes.at(NodeName("node2"));
  EXPECT_LE(node.archive->not_before, now);
  EXPECT_LE(node.merge->not_before, now);
  EXPECT_LE(node.rebuild->not_before, now + Seconds(60));
  EXPECT_LE(node.rebuild->give_up_at, now + Seconds(600));
  EXPECT_GT(node.rebuild->give_up_at, now + Seconds(300));
}

// Invariant 9: as many as can wait are taken up in one look, and none of them is forgotten in it.
TEST_F(RenewalTest, NoIntentIsForgottenInTheLookThatTakesItUp) {
  IntentRecord record;
  record.intent = Wanted("under-way", Switchover{NodeName("node2"), false});
  store_.memory->intents = {record};
  ASSERT_TRUE(loop_->Start().ok());
  const auto id = [](std::size_t i) { return "wish-number-" + std::to_string(i); };
  for (std::size_t i = 0; i < kMostPendingIntents; ++i) ASSERT_TRUE(loop_->Ask(Wanted(id(i))).ok());
  loop_->Tick();
  const auto& kept = board_.Last("test")->decision.memory.intents;
  for (std::size_t i = 0; i < kMostPendingIntents; ++i) {
    EXPECT_TRUE(std::any_of(kept.begin(), kept.end(), [&](const IntentRecord& r) {
      return r.intent.id == id(i) && r.state == IntentState::kDone;
    })) << id(i);
  }
}

// ---- What people asked for. ----

GuardsCopy PausedByBen(std::uint64_t change) {
  GuardsCopy copy{{Epoch(3), change}, "another", {}};
  copy.guards.paused = Guard{"ben", "", SystemClock().Now().wall, {}};
  return copy;
}

// Tells the first guards that it is to write, and for which holder of the lock.
class WritesGuards : public FakeNode {
 public:
  using Written = std::pair<GuardsCopy, std::uint64_t>;
  explicit WritesGuards(std::promise<Written>* written) : written_(written) {}
  Status WriteGuards(const GuardsCopy& copy, Epoch, std::uint64_t holder, Deadline) override {
    if (written_ != nullptr) written_->set_value({copy, holder});
    written_ = nullptr;
    return Ok();
  }

 private:
  std::promise<Written>* written_;
};

TEST_F(RenewalTest, WhatPeopleAskForIsStoredAndThenWrittenByTheBeater) {
  nodes_[0]->look = [look = nodes_[0]->look](Deadline deadline) {
    Look seen = look(deadline);
    seen.state->heartbeat = HeartbeatSeen{Epoch(3), NodeName("node1"), {}};
    seen.state->manager_lock.holder = ManagerLockSeen::Holder::kOurs;
    seen.state->manager_lock.connection = 77;
    return seen;
  };
  std::promise<WritesGuards::Written> written;
  Beater beater([&](const NodeName&) { return std::make_unique<WritesGuards>(&written); },
                SystemClock(), Seconds(1));
  ClusterLoop loop(LoopParts{*observer_, hands_, store_, beater, board_});
  ASSERT_TRUE(loop.Start().ok());
  Intent intent;
  intent.id = "pause-node2";
  intent.wish = Pause{NodeName("node2"), {}};
  intent.by = "ana";
  ASSERT_TRUE(loop.Ask(intent).ok());
  loop.Tick();
  auto future = written.get_future();
  ASSERT_EQ(future.wait_for(std::chrono::seconds(10)), std::future_status::ready);
  const auto [copy, holder] = future.get();
  EXPECT_EQ(holder, 77u);
  EXPECT_TRUE(copy.guards.paused_nodes.contains(NodeName("node2")));
  EXPECT_EQ(copy.version, (GuardsVersion{Epoch(3), 1}));
  EXPECT_FALSE(copy.writer.empty());
  EXPECT_EQ(store_.memory->manager, copy.writer);
  EXPECT_EQ(store_.memory->guards, copy.guards);
}

TEST_F(LoopTest, OneThatObservesStoresWhatPeopleAskedOfTheOther) {
  lease_.held = false;
  nodes_[1]->look = [look = nodes_[1]->look](Deadline deadline) {
    Look seen = look(deadline);
    seen.state->guards = PausedByBen(4);
    return seen;
  };
  ASSERT_TRUE(loop_->Start().ok());
  loop_->Tick();
  loop_->Tick();
  EXPECT_EQ(store_.writes, 1);
  ASSERT_TRUE(store_.memory->guards.paused);
  EXPECT_TRUE(board_.Last("test")->status.paused);
  EXPECT_EQ(Asked(), 0u);
}

TEST_F(LoopTest, TheMemoryOfAnotherClusterIsRefused) {
  store_.memory = Memory{};
  store_.memory->cluster = "other";
  const Status started = loop_->Start();
  ASSERT_FALSE(started.ok());
  EXPECT_EQ(started.error().code, ErrorCode::kConflict);
}

}  // namespace
}  // namespace pandora_ha
