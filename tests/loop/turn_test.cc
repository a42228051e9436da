// The loop on a work queue: its looks hold no thread.
#include <algorithm>

#include "tests/loop/loop_fixture.h"

namespace pandora_ha {
namespace {

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
