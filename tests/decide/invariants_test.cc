#include "reconciler/decide/invariants.h"

#include <gtest/gtest.h>

#include "reconciler/decide/decide.h"
#include "tests/support/world.h"

namespace pandora_ha {
namespace {

std::vector<int> Broken(const World& world, const Decision& decision) {
  std::vector<int> numbers;
  for (const Violation& violation : CheckInvariants(world.spec, world.seen, world.memory, decision))
    numbers.push_back(violation.invariant);
  return numbers;
}

// The steps on the replicas come first.
TEST(CheckInvariants, SeesThatWaitingEndsBehindAnotherStepOfSemiSync) {
  World world;
  Decision decision = Decide(world.spec, world.seen, world.memory);
  ASSERT_TRUE(decision.memory.nodes.at(NodeName("node2")).lossless);
  for (const Action& action :
       {Action(SetSemiSync{NodeName("node2"), SemiSyncRole::kReplica}),
        Action(SetSemiSync{NodeName("node1"), SemiSyncRole::kSourceDegraded})}) {
    decision.plan.steps.push_back({action, "", {}, Seconds(1)});
  }
  EXPECT_EQ(Broken(world, decision), std::vector{2});
}

// Under `witness` a lease stands in for a question only where nothing can be asked.
TEST(CheckInvariants, AnOpeningUnderWitnessAsksAPredecessorThatCanBeAsked) {
  World world;
  world.spec.failover_policy = FailoverPolicy::kWitness;
  world.Kill(1);
  Decision decision = Decide(world.spec, world.seen, world.memory);
  Promotion& promotion = *decision.memory.promotion;
  promotion.to = NodeName("node2");
  decision.plan.ordered = true;
  decision.plan.steps = {
      {OpenWritable{NodeName("node2"), decision.memory.epoch}, "", {}, Seconds(1)}};
  EXPECT_EQ(Broken(world, decision), std::vector{3});
  decision.plan.steps[0].requires_ = {ProcessEnded{NodeName("node1")}};
  EXPECT_TRUE(Broken(world, decision).empty());

  decision.plan.steps[0].requires_.clear();
  world.OutOfReach(1);
  EXPECT_EQ(Broken(world, decision), std::vector{3}) << "no agent ends it";
  world.node(1).self_fencing = true;
  EXPECT_TRUE(Broken(world, decision).empty());
}

}  // namespace
}  // namespace pandora_ha
