// What must hold for every schedule, and proof that the checks can fail.
#include "tests/simulation/simulation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "reconciler/base/clock.h"

namespace pandora_ha::simulation {
namespace {

double ElapsedSince(TimePoint start) {
  return static_cast<double>((SystemClock().Now().mono - start).count()) / 1e6;
}

// Runs schedules of `world` until one breaks or the time is over. The first broken one, or nothing.
std::optional<Schedule> FirstBroken(const std::string& world, const KnownBad& bad, double seconds,
                                    std::uint64_t seed, Statistics* statistics) {
  const TimePoint start = SystemClock().Now().mono;
  for (; ElapsedSince(start) < seconds; ++seed) {
    const Schedule schedule = MakeSchedule(seed, world);
    const Outcome outcome = simulation::Run(schedule, bad, false);
    statistics->Add(outcome.statistics);
    // A known-bad run counts as caught only where the good one holds.
    if (outcome.broken && (!bad.any() || !simulation::Run(schedule, {}, false).broken))
      return schedule;
  }
  return std::nullopt;
}

struct NamedWorld {
  const char* name;
  const char* kind;
};
void PrintTo(const NamedWorld& world, std::ostream* out) {
  *out << world.kind;
}

class EveryWorld : public testing::TestWithParam<NamedWorld> {};

TEST_P(EveryWorld, BreaksNoInvariantAndComesToRest) {
  Statistics statistics;
  const auto broken = FirstBroken(GetParam().kind, {}, 1.0, 1, &statistics);
  EXPECT_FALSE(broken) << Report(*broken, {}, std::string(" --world ") + GetParam().kind);
  EXPECT_GT(statistics.promotions, 0u);
}

std::string NameOf(const testing::TestParamInfo<NamedWorld>& world) {
  return world.param.name;
}

INSTANTIATE_TEST_SUITE_P(
    Simulation, EveryWorld,
    testing::Values(NamedWorld{"Availability", "availability"},
                    NamedWorld{"Consistency", "consistency"}, NamedWorld{"Witness", "witness"},
                    NamedWorld{"SemiSyncBlock", "semisync,block"},
                    NamedWorld{"SemiSyncDegrade", "semisync,degrade"}, NamedWorld{"Async", "async"},
                    NamedWorld{"ThreeNodes", "three"}, NamedWorld{"TwoManagers", "managers"},
                    NamedWorld{"MySql", "mysql"}, NamedWorld{"MariaDb", "mariadb"},
                    NamedWorld{"QuietMySql", "mysql,local,quiet"}),
    NameOf);

TEST(Simulation, TheSameSeedGivesTheSameRun) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Schedule schedule = MakeSchedule(seed, "");
    EXPECT_EQ(simulation::Run(schedule, {}, true).trace, simulation::Run(schedule, {}, true).trace)
        << "seed " << seed;
  }
}

// Seeds that once broke something; the commits that mended it tell the stories.
TEST(Simulation, SeedsOfThePastHold) {
  for (const std::uint64_t seed : std::initializer_list<std::uint64_t>{
           1,      4,      7,      8,      354,     388,       665,
           2568,   3727,   6009,   104712, 104843,  105326,    209396,
           211212, 302673, 312622, 17176,  7041077, 111008135, 142027815}) {
    const Schedule schedule = MakeSchedule(seed, "");
    EXPECT_FALSE(simulation::Run(schedule, {}, false).broken) << Report(schedule, {}, "");
  }
  constexpr char kThreeOnHosts[] = "availability,semisync,degrade,hosts,mysql,three";
  for (const std::uint64_t seed :
       std::initializer_list<std::uint64_t>{20261130597, 8000471, 8030065}) {
    const Schedule schedule = MakeSchedule(seed, kThreeOnHosts);
    EXPECT_FALSE(simulation::Run(schedule, {}, false).broken)
        << Report(schedule, {}, std::string(" --world ") + kThreeOnHosts);
  }
}

// Each switch breaks one safeguard; a check that does not notice is worth nothing.
TEST(Simulation, EveryKnownBadIsCaught) {
  struct Case {
    const char* name;
    const char* world;
    KnownBad bad;
    std::uint64_t first = 1;  // seed; near one that shows it where few do
  };
  const std::vector<Case> cases = {
      {"without-fence", "consistency,local", {.without_fence = true}},
      {"publish-first", "", {.publish_first = true}},
      {"keep-rights", "semisync,degrade", {.keep_rights = true}},
      {"forget-received", "semisync,block,managers", {.forget_received = true}, 7490},
      {"no-lease", "managers", {.no_lease = true}, 1030},
      {"boots-writable", "", {.boots_writable = true}},
      {"skip-apply", "", {.skip_apply = true}},
      {"forget-guards", "managers,semisync", {.forget_guards = true}, 81140},
  };
  int caught = 0;
  for (const Case& known : cases) {
    Statistics statistics;
    const TimePoint start = SystemClock().Now().mono;
    const auto broken = FirstBroken(known.world, known.bad, 60, known.first, &statistics);
    EXPECT_TRUE(broken) << known.name << " is not noticed";
    if (!broken) continue;
    ++caught;
    const auto how = simulation::Run(*broken, known.bad, false).broken;
    std::printf("%-16s caught by invariant %d after %llu schedules, %.2f s: %s\n", known.name,
                how->invariant, static_cast<unsigned long long>(statistics.schedules),
                ElapsedSince(start), how->says.c_str());
  }
  std::printf("known-bad switches caught: %d/%zu\n", caught, cases.size());
}

// For a minute a server dies every six seconds and is back soon; `both`: each of the two in turn.
Schedule Flapping(const char* world, Duration down, bool both) {
  Schedule schedule;
  schedule.seed = 1;
  std::string unknown;
  EXPECT_TRUE(KindNamed(world, &schedule.kind, &unknown)) << unknown;
  for (int i = 0; i < 10; ++i) {
    Fault fault;
    fault.kind = FaultKind::kKill;
    fault.node = both ? i % 2 : 0;
    fault.at = Seconds(10 + 6 * i);
    fault.lasts = down;
    schedule.faults.push_back(fault);
  }
  return schedule;
}

bool Mentions(const std::vector<std::string>& trace, const std::string& words) {
  return std::any_of(trace.begin(), trace.end(), [&](const std::string& line) {
    return line.find(words) != std::string::npos;
  });
}

// The first opening is that of the first start. A proven death moves the primary at once, and the
// node that goes on dying is then a replica.
TEST(Simulation, AFlappingNodeMovesThePrimaryOnce) {
  for (const char* world : {"two,local,inhibit,consistency,semisync",
                            "two,hosts,availability,async", "two,hosts,consistency,async"}) {
    for (const Duration down : {Duration(Milliseconds(500)), Duration(Seconds(5))}) {
      const Schedule schedule = Flapping(world, down, false);
      const Outcome outcome = simulation::Run(schedule, {}, false);
      EXPECT_FALSE(outcome.broken) << Report(schedule, {}, "");
      EXPECT_LE(outcome.statistics.promotions, 2u) << world;
    }
  }
}

// Without a proof of death the second change waits for a person, and that is said.
TEST(Simulation, TwoFlappingNodesMeetTheCoolDown) {
  const Schedule schedule = Flapping("two,hosts,availability,async", Seconds(5), true);
  const Outcome outcome = simulation::Run(schedule, {}, true);
  EXPECT_FALSE(outcome.broken) << Report(schedule, {}, "");
  EXPECT_EQ(outcome.statistics.promotions, 2u);
  EXPECT_TRUE(Mentions(outcome.trace, "blocked CoolDown"));
}

TEST(Simulation, AFailingScheduleIsShrunkAndStillFails) {
  const KnownBad bad{.without_fence = true};
  Statistics statistics;
  const auto broken = FirstBroken("consistency,local", bad, 60, 1, &statistics);
  ASSERT_TRUE(broken);
  const Schedule smaller = Shrink(*broken, bad);
  EXPECT_LE(smaller.faults.size(), broken->faults.size());
  const auto still = simulation::Run(smaller, bad, false).broken;
  ASSERT_TRUE(still);
  EXPECT_EQ(still->invariant, simulation::Run(*broken, bad, false).broken->invariant);
}

}  // namespace
}  // namespace pandora_ha::simulation
