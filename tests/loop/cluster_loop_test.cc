#include "reconciler/loop/cluster_loop.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "reconciler/loop/work_queue.h"
#include "tests/support/fake_ports.h"

namespace pandora_ha {
namespace {

// Two healthy-looking fresh servers: the first tick wants to make node1 the first primary.
class LoopTest : public ::testing::Test {
 protected:
  LoopTest() {
    spec_.name = "test";
    spec_.database.schema = "pandora";
    for (int i = 1; i <= 2; ++i) {
      DatabaseNodeSpec declared;
      declared.name = NodeName("node" + std::to_string(i));
      declared.address = "127.0.0." + std::to_string(i);
      declared.server_id = static_cast<ServerId>(i);
      spec_.database.nodes.push_back(declared);
      auto node = std::make_unique<FakeNode>();
      nodes_.push_back(node.get());
      node->look = [i](Deadline) {
        DatabaseState state;
        state.server_id = static_cast<ServerId>(i);
        state.log_bin = state.gtid_on = state.log_replica_updates = state.durable =
            state.provisioned = true;
        return Look{Contact::kAnswered, "", state};
      };
      workers_.push_back(std::make_unique<NodeWorker>(declared.name, std::move(node), nullptr,
                                                      SystemClock(), Seconds(1), [] {}));
      hands_.nodes[declared.name] = workers_.back().get();
    }
    observer_ = std::make_unique<Observer>(std::vector{workers_[0].get(), workers_[1].get()},
                                           publisher_, SystemClock(), Seconds(1));
    loop_ = std::make_unique<ClusterLoop>(LoopParts{*observer_, hands_, store_, beater_, board_,
                                                    nullptr, [this] { queue_.Wake("test"); }});
  }
  // What still calls the loop goes before it.
  ~LoopTest() override {
    queue_.Remove("test");
    workers_.clear();
  }

  void RunOnTheQueue() {
    queue_.Add("test", [this] { return loop_->Turn(); });
  }
  bool Comes(const std::function<bool()>& condition, Duration within = Seconds(10)) {
    const Deadline deadline(SystemClock(), within);
    while (!condition() && !deadline.passed()) sched_yield();
    return condition();
  }
  std::uint64_t Looks() const {
    const auto last = board_.Last("test");
    return last ? last->counters.looks : 0;
  }

  std::size_t Asked() const { return nodes_[0]->asked.size() + nodes_[1]->asked.size(); }

  ClusterSpec spec_;
  ResolvedCredentials passwords_;
  FakePublisher publisher_;
  FakeLease lease_;
  FakeStore store_;
  Noticeboard board_;
  std::vector<FakeNode*> nodes_;
  WorkQueue queue_{SystemClock()};
  std::vector<std::unique_ptr<NodeWorker>> workers_;
  Hands hands_{spec_, passwords_, {}, {}, publisher_, lease_, SystemClock()};
  Beater beater_{[](const NodeName&) { return std::make_unique<FakeNode>(); }, SystemClock(),
                 Seconds(1)};
  std::unique_ptr<Observer> observer_;
  std::unique_ptr<ClusterLoop> loop_;
};

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

Intent Wanted(const std::string& id, Wish wish = Acknowledge{}) {
  Intent intent;
  intent.id = id;
  intent.wish = std::move(wish);
  return intent;
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
  store_.failing = true;
  ASSERT_TRUE(loop_->Start().ok());
  lease_.held = false;
  loop_->Tick();
  const Memory& memory = board_.Last("test")->decision.memory;
  EXPECT_FALSE(memory.failed_over_at);
  ASSERT_EQ(memory.intents.size(), 1u);
  const TimePoint now = SystemClock().Now().mono;
  EXPECT_LE(memory.intents[0].give_up_at, now + Seconds(60));
  EXPECT_GT(memory.intents[0].give_up_at, now + Seconds(30));
  EXPECT_LE(memory.intents[0].not_before, now);
}

TEST_F(LoopTest, AskingEndsTheWait) {
  ASSERT_TRUE(loop_->Start().ok());
  RunOnTheQueue();
  ASSERT_TRUE(loop_->Ask(Wanted("wake-up-now")).ok());
  const auto seen = [&] {
    const auto last = board_.Last("test");
    return last && (!last->seen.intents.empty() || !last->decision.memory.intents.empty());
  };
  EXPECT_TRUE(Comes(seen));
}

TEST_F(LoopTest, TheMemoryOfAnotherClusterIsRefused) {
  store_.memory = Memory{};
  store_.memory->cluster = "other";
  const Status started = loop_->Start();
  ASSERT_FALSE(started.ok());
  EXPECT_EQ(started.error().code, ErrorCode::kConflict);
}

TEST_F(LoopTest, AWakeEndsTheWait) {
  ASSERT_TRUE(loop_->Start().ok());
  RunOnTheQueue();
  const std::uint64_t before = Looks();
  EXPECT_TRUE(Comes([&] {
    loop_->Wake();
    return Looks() >= before + 20;
  }));
}

// node1 answers only when it is let.
class TurnTest : public LoopTest {
 protected:
  TurnTest() {
    const auto answer = nodes_[0]->look;
    nodes_[0]->look = [this, answer](Deadline deadline) {
      const Deadline asked(SystemClock(), deadline.left());
      while (hanging_ && !asked.passed()) sched_yield();
      if (hanging_) return Look{Contact::kSilent, "no answer", std::nullopt};
      return answer(deadline);
    };
    EXPECT_TRUE(loop_->Start().ok());
  }
  ~TurnTest() override { hanging_ = false; }

  std::atomic<bool> hanging_ = false;
};

TEST_F(TurnTest, ATurnDoesNotWaitForTheServers) {
  hanging_ = true;
  const TimePoint began = SystemClock().Now().mono;
  const Duration left = loop_->Turn();
  EXPECT_LT(SystemClock().Now().mono - began, Milliseconds(500)) << "the look takes a second";
  EXPECT_GT(left, Milliseconds(500)) << "until the look is over in any case";
  EXPECT_TRUE(loop_->looking());
  EXPECT_EQ(Looks(), 0u);
  hanging_ = false;
  EXPECT_TRUE(Comes([&] { return loop_->Turn() > Duration::zero() && Looks() == 1; }));
  EXPECT_TRUE(board_.Last("test")->seen.databases[0].state.known());
}

TEST_F(TurnTest, AnsweredIsGoneOnWithAtOnce) {
  hanging_ = true;
  RunOnTheQueue();
  ASSERT_TRUE(Comes([&] { return loop_->looking(); }));
  hanging_ = false;
  EXPECT_TRUE(Comes([&] { return Looks() >= 1; }, Milliseconds(900)));
}

TEST_F(TurnTest, AHangingServerHoldsNoThreadOfThePool) {
  WorkQueue one(SystemClock(), 1);
  hanging_ = true;
  one.Add("hangs", [this] { return loop_->Turn(); });
  ASSERT_TRUE(Comes([&] { return loop_->looking(); }));
  std::atomic<int> turns = 0;
  one.Add("other", [&] {
    ++turns;
    return Duration(Milliseconds(1));
  });
  EXPECT_TRUE(Comes([&] { return turns >= 100; }, Milliseconds(900)));
  EXPECT_EQ(Looks(), 0u) << "still looking";
  one.Remove("hangs");
}

TEST_F(TurnTest, WhenTheTimeIsOverTheLookIsTakenAsItIs) {
  hanging_ = true;
  RunOnTheQueue();
  ASSERT_TRUE(Comes([&] { return Looks() >= 1; }, Seconds(3)));
  const auto last = board_.Last("test");
  EXPECT_FALSE(last->seen.databases[0].state.known());
  EXPECT_TRUE(last->seen.databases[1].state.known());
}

TEST_F(TurnTest, NewsDuringALookIsFollowedByAnotherLook) {
  hanging_ = true;
  loop_->Turn();
  loop_->Wake();
  hanging_ = false;
  Duration wait = loop_->Turn();
  const Deadline deadline(SystemClock(), Seconds(10));
  while (Looks() == 0 && !deadline.passed()) wait = loop_->Turn();
  EXPECT_EQ(Looks(), 1u);
  EXPECT_EQ(wait, Duration::zero());
}

TEST_F(TurnTest, CalledTooEarlyItDoesNothing) {
  store_.failing = true;  // nothing to do: the next look is an interval away
  ASSERT_TRUE(Comes([&] { return loop_->Turn() > Duration::zero() && Looks() == 1; }));
  for (int i = 0; i < 100; ++i) EXPECT_GT(loop_->Turn(), Duration::zero());
  EXPECT_EQ(Looks(), 1u);
  EXPECT_FALSE(loop_->looking());
}

TEST_F(TurnTest, ARefusedDocumentIsAFindingUntilItIsMended) {
  const auto told = [&] {
    loop_->Tick();
    const auto& all = board_.Last("test")->status.findings;
    const auto found = std::find_if(all.begin(), all.end(), [](const Finding& f) {
      return f.code == FindingCode::kDocumentRefused;
    });
    return found == all.end() ? std::string() : found->says;
  };
  EXPECT_EQ(told(), "");
  loop_->SetDocumentProblem("pandora.yaml:3:1: no");
  EXPECT_EQ(told(), "pandora.yaml:3:1: no");
  EXPECT_EQ(told(), "pandora.yaml:3:1: no");
  loop_->SetDocumentProblem("");
  EXPECT_EQ(told(), "");
}

TEST_F(TurnTest, AChangeIsOneEventWithItsWords) {
  loop_->Tick();
  loop_->Changed({"spec.suspend is 'true' and was 'false'", "nodes[node3] is new"}, {});
  loop_->Tick();
  loop_->Tick();
  std::vector<std::string> told;
  for (const Event& event : store_.events)
    if (event.reason == "DocumentChanged") told.push_back(event.message);
  EXPECT_EQ(told, std::vector<std::string>{"The changed document is in force: spec.suspend is "
                                           "'true' and was 'false'; nodes[node3] is new."});
}

}  // namespace
}  // namespace pandora_ha
