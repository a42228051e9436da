// The manager itself is killed.
#include "tests/integration/on_servers.h"

namespace pandora_ha {
namespace {

class ManagerKilled : public OnServers {};
ON_SERVERS(ManagerKilled, "MariaDB", "MySQL");

TEST_P(ManagerKilled, DuringAFailoverTheNextOneCompletesIt) {
  TestCluster cluster(*flavor_);
  cluster.StartManager();
  ASSERT_TRUE(WaitWhole(cluster));
  const auto writer = cluster.NewWriter();
  ASSERT_TRUE(WaitAcknowledged(*writer, 50));
  // Each delay meets another step; none is awaited, because every place must do.
  for (const unsigned after_us : {0u, 8000u, 40000u}) {
    const NodeName primary = cluster.Primary();
    cluster.StopManager();
    cluster.StartManagerProcess();
    ASSERT_TRUE(WaitAcknowledged(*writer, 50)) << "through the endpoint of the manager's process";
    cluster.Signal(primary, SIGKILL);
    usleep(after_us);
    cluster.KillManagerProcess();
    cluster.StartManager();
    ASSERT_TRUE(cluster.WaitFor("a completed failover", [&](const Snapshot& s) {
      return s.status.primary && *s.status.primary != primary && !s.decision.memory.promotion;
    })) << after_us;
    ASSERT_TRUE(WaitAcknowledged(*writer, 50));
    ASSERT_TRUE(WaitWhole(cluster)) << after_us;
  }
  ExpectNothingLost(GetParam(), *writer);
  ExpectSameRows(cluster);
}

TEST_P(ManagerKilled, ServersGoOnWithoutIt) {
  TestCluster cluster(*flavor_);
  cluster.StartManager();
  ASSERT_TRUE(WaitWhole(cluster));
  const pid_t server1 = cluster.ServerPid(kNode1), server2 = cluster.ServerPid(kNode2);
  const Epoch before = cluster.Last()->status.epoch;
  cluster.StopManager();
  cluster.StartManagerProcess();
  const auto writer = cluster.NewWriter();
  ASSERT_TRUE(WaitAcknowledged(*writer, 50));
  cluster.KillManagerProcess();
  for (int i = 1; i <= 50; ++i) {
    const auto written = cluster.Ask(
        kNode1, std::string("INSERT INTO ") + kDemoTable + " VALUES (" + std::to_string(i) + ")");
    ASSERT_TRUE(written.ok()) << written.error().message;
  }
  cluster.StartManager();
  ASSERT_TRUE(WaitAcknowledged(*writer, 50));
  ASSERT_TRUE(WaitWhole(cluster));
  EXPECT_EQ(cluster.ServerPid(kNode1), server1);
  EXPECT_EQ(cluster.ServerPid(kNode2), server2);
  EXPECT_EQ(cluster.Primary(), kNode1);
  EXPECT_EQ(cluster.Last()->status.epoch, before);
  ExpectNothingLost(GetParam(), *writer);
  ExpectSameRows(cluster);
}

}  // namespace
}  // namespace pandora_ha
