#include "reconciler/decide/status_of.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/world.h"

namespace pandora_ha {
namespace {

using testing::HasSubstr;

ConditionStatus Condition(const ClusterStatus& status, const std::string& type) {
  for (const ConditionStatus& condition : status.conditions) {
    if (condition.type == type) return condition;
  }
  ADD_FAILURE() << "no condition " << type;
  return {};
}

TEST(StatusOf, HealthySaysWhoIsPrimaryAndWhatARowIsWorth) {
  const ClusterStatus status = World().Pin().status;
  EXPECT_EQ(status.verdict,
            "Healthy: node1 is primary (epoch 3); 1 replica follows; an acknowledged row is on two "
            "servers.");
  EXPECT_EQ(status.primary, NodeName("node1"));
  for (const char* type : {"Ready", "Available", "ReplicationHealthy", "PrimaryReachable"}) {
    EXPECT_EQ(Condition(status, type).status, Truth::kTrue) << type;
  }
  for (const char* type : {"Progressing", "Paused", "SplitBrainDetected"}) {
    EXPECT_EQ(Condition(status, type).status, Truth::kFalse) << type;
  }
  EXPECT_EQ(status.conditions.size(), 7u);
}

TEST(StatusOf, ADeadPrimaryIsNamedWithItsEndAndItsSuccessor) {
  World world;
  world.Kill(1);
  world.state(2).replication->io = ThreadState::kStopped;
  const ClusterStatus status = world.Pin().status;
  EXPECT_EQ(status.verdict,
            "Failed: node1 is gone (its process ended: killed by signal 9); promoting node2.");
  EXPECT_EQ(Condition(status, "Available").status, Truth::kFalse);
  EXPECT_EQ(Condition(status, "PrimaryReachable").reason, "ProcessEnded");
  EXPECT_EQ(Condition(status, "Progressing").status, Truth::kTrue);
  EXPECT_EQ(Condition(status, "SplitBrainDetected").status, Truth::kFalse);
  EXPECT_EQ(status.nodes[0].role, Role::kUnknown);
}

TEST(StatusOf, AReplicaThatIsDownDegrades) {
  World world;
  world.Kill(2);
  const ClusterStatus status = world.Pin().status;
  EXPECT_EQ(status.state, ClusterState::kDegraded);
  EXPECT_THAT(status.verdict,
              HasSubstr("Degraded: node1 is primary (epoch 3); 0 of 1 replica follows"));
  EXPECT_THAT(status.verdict, HasSubstr("node2 is down: its process ended: killed by signal 9"));
  EXPECT_THAT(status.verdict,
              HasSubstr("now: set semi-sync of node1 to source, not waiting (and 1 more step)"));
}

TEST(StatusOf, UnknownNeverBecomesZeroOrFalse) {
  World world;
  world.Silence(2);
  world.OutOfReach(2);
  ClusterStatus status = world.Pin().status;
  const NodeStatus& node = status.nodes[1];
  EXPECT_EQ(node.role, Role::kUnknown);
  EXPECT_EQ(node.writable, std::nullopt);
  EXPECT_EQ(node.lag, std::nullopt);
  EXPECT_EQ(node.behind, std::nullopt);
  EXPECT_EQ(node.replication, "unknown");
  EXPECT_EQ(Condition(status, "ReplicationHealthy").status, Truth::kUnknown);
  EXPECT_EQ(Condition(status, "SplitBrainDetected").status, Truth::kUnknown);
  world = World();
  world.state(2).replication->lag.reset();
  status = world.Pin().status;
  EXPECT_EQ(status.nodes[1].lag, std::nullopt);
}

TEST(StatusOf, TheReplicaSaysHowFarItIsBehind) {
  World world;
  world.memory.primary_executed = *GtidSet::Parse(Flavor::kMariaDb, "0-1-107");
  world.state(1).executed = world.memory.primary_executed;
  const ClusterStatus status = world.Pin().status;
  EXPECT_EQ(status.nodes[1].behind, 7u);
  EXPECT_EQ(status.nodes[0].behind, std::nullopt);
}

TEST(StatusOf, ABlockedFailoverSaysWhy) {
  World world;
  world.spec.failover_policy = FailoverPolicy::kConsistency;
  world.Silence(1);
  world.OutOfReach(1);
  world.Deaf(2);
  const ClusterStatus status = world.Pin().status;
  ASSERT_EQ(status.blocked.size(), 1u);
  EXPECT_EQ(status.blocked[0].reason, BlockReason::kUnprovenFence);
  EXPECT_THAT(status.verdict, HasSubstr("nobody can prove that node1 has stopped writing"));
  EXPECT_EQ(status.primary, NodeName("node1"));
  EXPECT_EQ(Condition(status, "Available").status, Truth::kFalse);
}

TEST(StatusOf, SuspendedSaysThatNothingIsChanged) {
  World world;
  world.spec.suspend = true;
  const ClusterStatus status = world.Pin().status;
  EXPECT_THAT(status.verdict, HasSubstr("Suspended: nothing is changed; node1 is primary"));
  EXPECT_EQ(Condition(status, "Paused").status, Truth::kTrue);
}

TEST(StatusOf, AFailedStepIsAFindingAboutItsNode) {
  World world;
  world.Kill(2);
  const Decision decision = Decide(world.spec, world.seen, world.memory);
  ASSERT_FALSE(decision.plan.empty());
  Report report;
  report.complete = false;
  report.steps.push_back({Describe(decision.plan.steps[0].action), StepOutcome::kFailed,
                          "no space left on device", Milliseconds(3)});
  const ClusterStatus status = StatusOf(world.spec, world.seen, decision, report);
  const auto found = std::find_if(status.findings.begin(), status.findings.end(),
                                  [](const auto& f) { return f.code == FindingCode::kStepFailed; });
  ASSERT_NE(found, status.findings.end());
  EXPECT_EQ(found->about, TargetOf(decision.plan.steps[0].action));
  EXPECT_THAT(found->says, HasSubstr("no space left on device"));
}

// Whatever the nodes do, there is one sentence, it names the state, and every condition is there.
TEST(StatusOf, AlwaysOneSentenceAndSevenConditions) {
  for (int seed = 0; seed < 6 * 6 * 2 * 2; ++seed) {
    World world;
    int rest = seed;
    for (int i = 1; i <= 2; ++i) {
      switch (rest % 6) {
        case 0:
          break;
        case 1:
          world.Kill(i);
          break;
        case 2:
          world.Silence(i);
          world.OutOfReach(i);
          break;
        case 3:
          world.Silence(i, Contact::kDenied, "Access denied for user 'root'");
          break;
        case 4:
          world.state(i).writable = !world.state(i).writable;
          break;
        case 5:
          world.Silence(i, Contact::kRefusedPort, "connection refused", 1);
          break;
      }
      rest /= 6;
    }
    world.spec.suspend = rest % 2 == 1;
    if (rest / 2 == 1) world.memory.primary.reset();
    const ClusterStatus status = world.Pin().status;
    EXPECT_EQ(status.verdict.rfind(std::string(ToString(status.state)) + ": ", 0), 0u);
    EXPECT_EQ(status.verdict.back(), '.');
    EXPECT_EQ(status.verdict.find(".."), std::string::npos) << status.verdict;
    EXPECT_EQ(status.verdict.find(".;"), std::string::npos) << status.verdict;
    EXPECT_EQ(status.conditions.size(), 7u);
    for (const ConditionStatus& condition : status.conditions) {
      EXPECT_FALSE(condition.reason.empty()) << condition.type;
      EXPECT_FALSE(condition.message.empty()) << condition.type;
    }
    const bool serves = Condition(status, "Available").status == Truth::kTrue;
    EXPECT_TRUE(serves || status.state != ClusterState::kHealthy);
  }
}

}  // namespace
}  // namespace pandora_ha
