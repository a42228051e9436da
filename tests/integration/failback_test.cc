// Real servers: the preferred node becomes primary again by itself, where the document says so.
#include "tests/integration/on_servers.h"

namespace pandora_ha {
namespace {

class Failbacks : public OnServers {};
ON_SERVERS(Failbacks, "MariaDB", "MySQL");

TEST_P(Failbacks, ThePreferredNodeIsPrimaryAgainAndNothingIsLost) {
  TestCluster cluster(*flavor_, 2, [](ClusterSpec& spec) {
    spec.database.failback = Failback::kWhenCaughtUp;
    spec.failover_cool_down = Seconds(1);
  });
  cluster.StartManager();
  ASSERT_TRUE(WaitWhole(cluster));
  const auto writer = cluster.NewClient(true, Milliseconds(2));
  ASSERT_TRUE(WaitUntil("rows", [&] { return writer->Count().acknowledged > 20; }));
  cluster.Signal(kNode1, SIGKILL);
  ASSERT_TRUE(cluster.WaitFor("node2 is primary", [](const Snapshot& s) {
    return s.status.primary == kNode2 && !s.decision.memory.promotion;
  }));
  ASSERT_TRUE(cluster.WaitFor("it is said before", [](const Snapshot& s) {
    return s.status.primary == kNode2 && HasFinding(s, FindingCode::kFailback, kNode1) &&
           s.decision.memory.failback_at;
  }));
  ASSERT_TRUE(cluster.WaitFor(
      "node1 is primary again",
      [](const Snapshot& s) { return s.status.primary == kNode1 && !s.decision.memory.promotion; },
      Seconds(60)));
  ASSERT_TRUE(WaitWhole(cluster));
  const auto lost = cluster.CountLost(*writer);
  ASSERT_TRUE(lost.ok()) << lost.error().message;
  EXPECT_EQ(*lost, 0u);
  EXPECT_EQ(cluster.Last()->status.epoch, Epoch(3));
}

}  // namespace
}  // namespace pandora_ha
