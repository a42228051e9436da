// Wall clocks jump: an administrator, an NTP daemon, a machine that slept. Decisions are counted by
// the monotonic clock; the one date that the wall clock ends is the one that a person gave to a
// pause.
#include <gtest/gtest.h>

#include "reconciler/decide/invariants.h"
#include "tests/support/world.h"

namespace pandora_ha {
namespace {

constexpr Milliseconds kJumps[] = {Seconds(60), Seconds(-60), std::chrono::hours(365 * 24),
                                   std::chrono::hours(-365 * 24)};

World Healthy() {
  return World();
}
World ProvenDead() {
  World world;
  world.Kill(1);
  return world;
}
World Silent() {
  World world;
  world.Silence(1);
  world.Deaf(2);
  return world;
}
World CoolingDown() {
  World world = Silent();
  world.OutOfReach(1);
  world.memory.failed_over_at = world.seen.taken_at.mono - Seconds(30);
  return world;
}
World LeaseRunning() {
  World world = Silent();
  world.spec.failover_policy = FailoverPolicy::kWitness;
  world.spec.lease.witnesses = {{NodeName("third"), "127.0.7.9", "lyon"}};
  world.OutOfReach(1);
  world.node(1).self_fencing = true;
  WitnessSeen witness;
  witness.name = NodeName("third");
  witness.independent = true;
  witness.sees_primary = Seen<bool>::Known(false, world.seen.taken_at.mono);
  witness.reached_at = world.seen.taken_at.mono - Seconds(5);
  world.seen.witnesses = {witness};
  return world;
}

TEST(WallClock, ItsJumpsDecideNothing) {
  for (const auto make : {Healthy, ProvenDead, Silent, CoolingDown, LeaseRunning}) {
    const World world = make();
    const Decision now = Decide(world.spec, world.seen, world.memory);
    for (const Milliseconds jump : kJumps) {
      Observation seen = world.seen;
      seen.taken_at.wall += jump;
      const Decision then = Decide(world.spec, seen, world.memory);
      EXPECT_TRUE(CheckInvariants(world.spec, seen, world.memory, then).empty());
      EXPECT_EQ(then.plan, now.plan);
      EXPECT_EQ(then.blocked, now.blocked);
      EXPECT_EQ(then.state, now.state);
      EXPECT_EQ(then.look_again_in, now.look_again_in);
    }
  }
}

TEST(WallClock, TheCoolDownAndTheRunningLeaseAreReached) {
  const World cooling = CoolingDown(), lease = LeaseRunning();
  const auto reason = [](const World& world) {
    const Decision decision = Decide(world.spec, world.seen, world.memory);
    return decision.blocked.empty() ? "" : std::string(ToString(decision.blocked[0].reason));
  };
  EXPECT_EQ(reason(cooling), "CoolDown");
  EXPECT_EQ(reason(lease), "LeaseRunning");
}

// A writing manager's clock that is wrong by a year makes its marker neither newer nor older.
TEST(WallClock, AMarkersDateIsNotCompared) {
  World world;
  const Decision now = Decide(world.spec, world.seen, world.memory);
  for (const Milliseconds jump : kJumps) {
    world.state(1).heartbeat->written_at = world.seen.taken_at.wall + jump;
    EXPECT_EQ(Decide(world.spec, world.seen, world.memory).plan, now.plan);
  }
}

// docs/intents.md: the end of a pause is a date. A clock that is set forth ends it early, one that
// is set back ends it late; in force it holds everything back.
TEST(WallClock, APauseEndsAtItsDate) {
  World world = ProvenDead();
  const WallTime now = world.seen.taken_at.wall;
  world.memory.guards.paused = Guard{"ana", "new disk", now, now + std::chrono::hours(2)};
  const auto paused = [&](WallTime wall) {
    Observation seen = world.seen;
    seen.taken_at.wall = wall;
    const Decision decision = Decide(world.spec, seen, world.memory);
    EXPECT_EQ(decision.memory.guards.paused.has_value(), decision.plan.empty());
    return decision.memory.guards.paused.has_value();
  };
  EXPECT_TRUE(paused(now));
  EXPECT_TRUE(paused(now + Seconds(2 * 3600 - 1)));
  EXPECT_FALSE(paused(now + Seconds(2 * 3600)));
  EXPECT_FALSE(paused(now + std::chrono::hours(365 * 24)));
  EXPECT_TRUE(paused(now - std::chrono::hours(365 * 24)));
}

}  // namespace
}  // namespace pandora_ha
