#include "reconciler/act/executor.h"

#include <gtest/gtest.h>

#include "tests/support/fake_ports.h"

namespace pandora_ha {
namespace {

class Direct : public NodeRunner {
 public:
  Direct(NodeName name, FakeNode& node) : name_(std::move(name)), node_(node) {}
  const NodeName& name() const override { return name_; }
  Status Run(Task task, Deadline deadline) override { return task(node_, deadline); }

 private:
  NodeName name_;
  FakeNode& node_;
};

class ExecutorTest : public ::testing::Test {
 protected:
  ExecutorTest() {
    for (int i = 1; i <= 2; ++i) {
      DatabaseNodeSpec node;
      node.name = NodeName("node" + std::to_string(i));
      node.address = "127.0.0." + std::to_string(i);
      spec_.database.nodes.push_back(node);
    }
  }

  Step Make(Action action, std::vector<Condition> conditions = {}) {
    return {std::move(action), "the test wants it", std::move(conditions), Seconds(1)};
  }
  static std::vector<StepOutcome> Outcomes(const Report& report) {
    std::vector<StepOutcome> outcomes;
    for (const StepReport& step : report.steps) outcomes.push_back(step.outcome);
    return outcomes;
  }

  ClusterSpec spec_;
  ResolvedCredentials passwords_;
  FakeNode node1_, node2_;
  Direct run1_{NodeName("node1"), node1_}, run2_{NodeName("node2"), node2_};
  FakeHost host1_;
  FakePublisher publisher_;
  FakeLease lease_;
  Hands hands_{spec_,
               passwords_,
               {{NodeName("node1"), &run1_}, {NodeName("node2"), &run2_}},
               {{NodeName("node1"), &host1_}},
               publisher_,
               lease_,
               SystemClock()};
};

const NodeName kOne("node1"), kTwo("node2");
using enum StepOutcome;

TEST_F(ExecutorTest, AnOrderedPlanStopsAtTheFirstStepThatIsNotDone) {
  node2_.answers["LeaveReplication"] = Error{ErrorCode::kRefused, "no"};
  Plan plan{"failover",
            true,
            {Make(ApplyReceived{kTwo}), Make(LeaveReplication{kTwo}),
             Make(OpenWritable{kTwo, Epoch(2)})}};
  const Report report = Apply(plan, hands_);
  EXPECT_EQ(Outcomes(report), (std::vector{kDone, kFailed, kNotTried}));
  EXPECT_FALSE(report.complete);
  EXPECT_EQ(node2_.asked, (std::vector<std::string>{"ApplyReceived", "LeaveReplication"}));
}

TEST_F(ExecutorTest, ClientsAreToldNothingByAStepWhoseTimeIsOver) {
  for (const Action& action :
       {Action(Publish{kOne, Epoch(2)}), Action(WithdrawPublication{}), Action(DrainClients{})}) {
    Plan plan{"a change", true, {Make(action)}};
    plan.steps[0].deadline = Duration::zero();
    EXPECT_EQ(Outcomes(Apply(plan, hands_)), (std::vector{kFailed})) << Describe(action);
  }
  EXPECT_TRUE(publisher_.published.empty());
}

// A full disk below the hosts file must not stand between a dead primary and the next one.
TEST_F(ExecutorTest, AStepThatMayFailStopsNothing) {
  node1_.answers["SetReadOnly"] = Error{ErrorCode::kIo, "no space left on device"};
  Plan plan{"failover", true, {Make(SetReadOnly{kOne}), Make(OpenWritable{kTwo, Epoch(2)})}};
  plan.steps[0].may_fail = true;
  const Report report = Apply(plan, hands_);
  EXPECT_EQ(Outcomes(report), (std::vector{kFailed, kDone}));
  EXPECT_FALSE(report.complete) << "it is said all the same";
}

TEST_F(ExecutorTest, AnUnorderedPlanGoesOnAtOtherNodes) {
  node1_.answers["SetReadOnly"] = Error{ErrorCode::kTimeout, "locked"};
  Plan plan{
      "upkeep", false, {Make(SetReadOnly{kOne}), Make(SetReadOnly{kOne}), Make(SetReadOnly{kTwo})}};
  EXPECT_EQ(Outcomes(Apply(plan, hands_)), (std::vector{kUnknown, kNotTried, kDone}))
      << "a timeout is unknown, never a failure";
}

TEST_F(ExecutorTest, NothingIsDoneWithoutTheLease) {
  lease_.held = false;
  const Report report = Apply({"failover", true, {Make(OpenWritable{kTwo, Epoch(2)})}}, hands_);
  EXPECT_EQ(Outcomes(report), (std::vector{kFailed}));
  EXPECT_TRUE(node2_.asked.empty());
}

TEST_F(ExecutorTest, TheLeaseIsAskedBeforeEachStep) {
  Plan plan{"failover", true, {Make(ApplyReceived{kTwo}), Make(OpenWritable{kTwo, Epoch(2)})}};
  class Losing : public FakeLease {
   public:
    bool Held() override { return asked_++ == 0; }
    int asked_ = 0;
  } losing;
  Hands hands{spec_, passwords_, hands_.nodes, hands_.hosts, publisher_, losing, SystemClock()};
  EXPECT_EQ(Outcomes(Apply(plan, hands)), (std::vector{kDone, kFailed}));
  EXPECT_EQ(node2_.asked, (std::vector<std::string>{"ApplyReceived"}));
}

// Invariant 3: the old primary must be known to have ended, at the last moment.
TEST_F(ExecutorTest, OpeningIsRefusedWhileTheOldPrimaryMayLive) {
  Plan plan{"failover", true, {Make(OpenWritable{kTwo, Epoch(2)}, {ProcessEnded{kOne}})}};
  EXPECT_EQ(Outcomes(Apply(plan, hands_)), (std::vector{kFailed})) << "it runs";
  host1_.known = false;
  EXPECT_EQ(Outcomes(Apply(plan, hands_)), (std::vector{kFailed})) << "not known is not ended";
  host1_.known = true;
  host1_.process.phase = ProcessState::Phase::kEnded;
  host1_.process.restart_inhibited = false;
  EXPECT_EQ(Outcomes(Apply(plan, hands_)), (std::vector{kFailed})) << "it may be started again";
  host1_.process.restart_inhibited = true;
  EXPECT_EQ(Outcomes(Apply(plan, hands_)), (std::vector{kDone}));
  EXPECT_EQ(node2_.asked, (std::vector<std::string>{"OpenWritable"}));
}

// Invariant 7: nothing is published that does not say itself that it is writable.
TEST_F(ExecutorTest, PublishingAsksTheNodeFirst) {
  Plan plan{"failover", true, {Make(Publish{kTwo, Epoch(2)}, {IsWritable{kTwo}})}};
  EXPECT_EQ(Outcomes(Apply(plan, hands_)), (std::vector{kFailed}));
  node2_.look = [](Deadline) { return Look{Contact::kSilent, "no answer", std::nullopt}; };
  EXPECT_EQ(Outcomes(Apply(plan, hands_)), (std::vector{kFailed}));
  EXPECT_TRUE(publisher_.published.empty());
  node2_.look = [](Deadline) {
    DatabaseState state;
    state.writable = true;
    return Look{Contact::kAnswered, "", state};
  };
  EXPECT_EQ(Outcomes(Apply(plan, hands_)), (std::vector{kDone}));
  ASSERT_EQ(publisher_.published.size(), 1u);
  EXPECT_EQ(publisher_.published[0].address.host, "127.0.0.2");
}

TEST_F(ExecutorTest, AStepOnANodeThatIsNotDeclaredFails) {
  EXPECT_EQ(Outcomes(Apply({"", false, {Make(SetReadOnly{NodeName("node9")})}}, hands_)),
            (std::vector{kFailed}));
}

}  // namespace
}  // namespace pandora_ha
