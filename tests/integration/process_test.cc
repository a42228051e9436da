// Other ends of a primary's process than kill -9 with a failover.
#include <algorithm>

#include "tests/integration/on_servers.h"

namespace pandora_ha {
namespace {

class PrimaryProcess : public OnServers {};
ON_SERVERS(PrimaryProcess, "MariaDB", "MySQL");

TEST_P(PrimaryProcess, KilledWithAnAllowanceItIsRestartedInPlace) {
  TestCluster cluster(*flavor_, 2,
                      [](ClusterSpec& spec) { spec.database.restart.allow = Seconds(10); });
  cluster.StartManager();
  ASSERT_TRUE(WaitWhole(cluster));
  const auto writer = cluster.NewWriter();
  ASSERT_TRUE(WaitAcknowledged(*writer, 100));
  const pid_t before = cluster.ServerPid(kNode1);
  cluster.Signal(kNode1, SIGKILL);
  ASSERT_TRUE(cluster.WaitFor("node1 serves again", [&](const Snapshot& s) {
    const DatabaseSeen* node1 = FindSeen(s.seen, kNode1);
    return node1->process.known() && node1->process->pid != before && node1->state.known() &&
           node1->state->writable && s.status.publication.primary == kNode1;
  }));
  ASSERT_TRUE(WaitAcknowledged(*writer, 100));
  ASSERT_TRUE(WaitWhole(cluster));
  EXPECT_EQ(cluster.Primary(), kNode1);
  EXPECT_EQ(cluster.Last()->counters.failovers_done, 0u);
  ExpectNothingLost(GetParam(), *writer);
  ExpectSameRows(cluster);
}

// Killed as soon as it is back, again and again: first as primary, then as replica.
TEST_P(PrimaryProcess, FlappingItIsReplacedOnce) {
  constexpr int kKills = 5;
  TestCluster cluster(*flavor_, 2,
                      [](ClusterSpec& spec) { spec.database.restart.allow = Seconds(10); });
  cluster.StartManager();
  ASSERT_TRUE(WaitWhole(cluster));
  const auto writer = cluster.NewWriter();
  ASSERT_TRUE(WaitAcknowledged(*writer, 100));
  for (int i = 0; i < kKills; ++i) {
    const pid_t before = cluster.ServerPid(kNode1);
    cluster.Signal(kNode1, SIGKILL);
    ASSERT_TRUE(WaitUntil(
        "node1 is back",
        [&] {
          return cluster.ServerPid(kNode1) != before && cluster.Value(kNode1, "SELECT 1") == "1";
        },
        Seconds(60)));
  }
  ASSERT_TRUE(WaitWhole(cluster));
  ASSERT_TRUE(WaitAcknowledged(*writer, 100));
  EXPECT_EQ(cluster.Primary(), kNode2);
  EXPECT_EQ(cluster.Last()->counters.failovers_done, 1u);
  const auto history = cluster.History();
  ASSERT_TRUE(history.ok());
  EXPECT_EQ(std::count_if(history->begin(), history->end(),
                          [](const Event& event) { return event.reason == "FailoverDone"; }),
            1);
  ExpectNothingLost(GetParam(), *writer);
  ExpectSameRows(cluster);
}

TEST_P(PrimaryProcess, HungItIsKilledAndReplacedWithinTheBudget) {
  TestCluster cluster(*flavor_);
  cluster.StartManager();
  ASSERT_TRUE(WaitWhole(cluster));
  const auto writer = cluster.NewWriter();
  ASSERT_TRUE(WaitAcknowledged(*writer, 100));
  const pid_t hung = cluster.ServerPid(kNode1);
  cluster.Signal(kNode1, SIGSTOP);
  ASSERT_TRUE(cluster.WaitFor("node2 is primary", [](const Snapshot& s) {
    return s.status.primary == kNode2 && !s.decision.memory.promotion;
  }));
  kill(hung, SIGCONT);
  EXPECT_NE(kill(hung, 0), 0) << "fenced: there is nothing left to go on";
  ASSERT_TRUE(WaitAcknowledged(*writer, 100));
  ASSERT_TRUE(WaitWhole(cluster));
  EXPECT_EQ(cluster.Primary(), kNode2);
  const DemoWriterCount count = ExpectNothingLost(GetParam(), *writer);
  EXPECT_EQ(count.refused, 0u) << count.last_error;
  // The replica's channel has to be silent for 1.2 s, part of which is within the budget.
  EXPECT_LE(count.longest_pause, cluster.spec().database.detection.Budget() + Seconds(2));
  ExpectSameRows(cluster);
}

}  // namespace
}  // namespace pandora_ha
