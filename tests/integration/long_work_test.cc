// Long work is ordered and then observed: nothing holds the loop.
#include <algorithm>

#include "tests/integration/on_servers.h"

namespace pandora_ha {
namespace {

class LongWork : public OnServers {};
ON_SERVERS(LongWork, "MariaDB", "MySQL");

TEST_P(LongWork, AReplicasFirstStartHoldsNoTick) {
  TestCluster cluster(*flavor_, 3);
  const DatabaseNodeSpec late = cluster.spec().database.nodes.back();
  cluster.spec().database.nodes.pop_back();
  cluster.StartManager();
  ASSERT_TRUE(WaitWhole(cluster));
  const auto writer = cluster.NewWriter();
  ASSERT_TRUE(WaitAcknowledged(*writer, 50));
  cluster.StopManager();
  cluster.spec().database.nodes.push_back(late);

  const std::uint64_t looks_before = cluster.Last()->counters.looks;
  cluster.StartManager();
  std::uint64_t last = looks_before;
  int ordered = 0;
  std::vector<Duration> ticks;
  TimePoint began{}, answered{};
  EXPECT_TRUE(cluster.WaitFor("node3 answers", [&](const Snapshot& s) {
    const DatabaseSeen* node3 = FindSeen(s.seen, kNode3);
    if (node3 == nullptr || s.counters.looks == last) return false;
    last = s.counters.looks;
    const auto& steps = s.decision.plan.steps;
    const bool orders = std::any_of(steps.begin(), steps.end(), [](const Step& step) {
      return std::holds_alternative<StartServer>(step.action);
    });
    ordered += orders ? 1 : 0;
    if (orders) began = s.times.began;
    answered = s.times.looked;
    if (orders || (node3->process.known() && node3->process->starting))
      ticks.push_back(s.tick_took);
    return node3->contact == Contact::kAnswered;
  }));
  ASSERT_FALSE(ticks.empty());
  std::sort(ticks.begin(), ticks.end());
  const Duration took = answered - began, median = ticks[ticks.size() / 2];
  std::printf("%s: %zu ticks during a first start of %s, median %s, longest %s\n", GetParam(),
              ticks.size(), FormatDuration(took).c_str(), FormatDuration(median).c_str(),
              FormatDuration(ticks.back()).c_str());
  EXPECT_GT(ticks.size(), 1u) << "the loop goes on while the data directory is made";
  EXPECT_EQ(ordered, 1) << "what is under way is not ordered again";
  // Against the start itself, so that a busy machine, which slows both, changes nothing.
  EXPECT_LT(median, took / 20);
  EXPECT_LT(ticks.back(), took / 4);
  ASSERT_TRUE(WaitWhole(cluster));
  EXPECT_EQ(ExpectNothingLost(GetParam(), *writer).refused, 0u);
}

}  // namespace
}  // namespace pandora_ha
