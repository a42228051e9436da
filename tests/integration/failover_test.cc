// Real servers, a real manager, a real client through the endpoint: the primary is killed.
#include "tests/integration/on_servers.h"

namespace pandora_ha {
namespace {

class Failover : public OnServers {};
ON_SERVERS(Failover, "MariaDB", "MySQL", "MariaDB118");

TEST_P(Failover, KillingThePrimaryUnderLoadMovesTheWriterAndLosesNothing) {
  TestCluster cluster(*flavor_);
  cluster.StartManager();
  ASSERT_TRUE(cluster.WaitHealthy());
  EXPECT_EQ(cluster.Primary(), kNode1) << "the first of masterPreference";
  const auto writer = cluster.NewWriter();
  ASSERT_TRUE(WaitAcknowledged(*writer, 100));
  const Epoch before = cluster.Last()->status.epoch;

  cluster.Signal(kNode1, SIGKILL);
  ASSERT_TRUE(cluster.WaitFor("node2 is primary", [](const Snapshot& s) {
    return s.status.primary == kNode2 && !s.decision.memory.promotion;
  }));
  ASSERT_TRUE(WaitAcknowledged(*writer, 100));
  EXPECT_GT(cluster.Last()->status.epoch, before);
  EXPECT_EQ(FileText(cluster.directory() + "/data_in/conf/pandora_ha_hosts.conf"),
            cluster.spec().database.nodes[1].address);
  // The old primary is started again.
  bool follows = false;
  ExpectFollowsOrIsDiverged(cluster, kNode1, &follows);
  EXPECT_EQ(cluster.Primary(), kNode2);

  const DemoWriterCount count = ExpectNothingLost(GetParam(), *writer);
  EXPECT_EQ(count.refused, 0u) << count.last_error;
  EXPECT_LE(count.cut, 1u) << count.last_error;
  if (follows) ExpectSameRows(cluster);
}

class ThreeNodes : public OnServers {};
ON_SERVERS(ThreeNodes, "MariaDB", "MySQL");

TEST_P(ThreeNodes, TheOthersFollowTheNewPrimary) {
  TestCluster cluster(*flavor_, 3);
  cluster.StartManager();
  ASSERT_TRUE(WaitWhole(cluster));
  const auto writer = cluster.NewWriter();
  ASSERT_TRUE(WaitAcknowledged(*writer, 100));
  cluster.Signal(kNode1, SIGKILL);
  ASSERT_TRUE(cluster.WaitFor("another primary", [](const Snapshot& s) {
    return s.status.primary != kNode1 && !s.decision.memory.promotion;
  }));
  const NodeName primary = cluster.Primary();
  bool follows = false;
  ExpectFollowsOrIsDiverged(cluster, kNode1, &follows);
  EXPECT_EQ(cluster.Primary(), primary);
  const auto last = cluster.Last();
  for (const DatabaseSeen& node : last->seen.databases) {
    if (node.name == primary || (node.name == kNode1 && !follows)) continue;
    ASSERT_TRUE(node.state.known() && node.state->replication) << node.name;
    EXPECT_EQ(node.state->replication->source.host, FindNode(cluster.spec(), primary)->address);
  }
  ASSERT_TRUE(WaitAcknowledged(*writer, 50));
  EXPECT_EQ(ExpectNothingLost(GetParam(), *writer).refused, 0u);
  if (follows) ExpectSameRows(cluster);
}

}  // namespace
}  // namespace pandora_ha
