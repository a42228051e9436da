// Both servers are gone at once: the recorded primary comes back with every acknowledged row.
#include "tests/integration/on_servers.h"

namespace pandora_ha {
namespace {

class BothDown : public OnServers {
 protected:
  void KillBoth(const NodeName& first, const NodeName& second, bool manager_lives) {
    TestCluster cluster(*flavor_);
    cluster.StartManager();
    ASSERT_TRUE(WaitWhole(cluster));
    const auto writer = cluster.NewWriter();
    ASSERT_TRUE(WaitAcknowledged(*writer, 100));
    if (!manager_lives) cluster.StopManager();
    const pid_t old1 = cluster.ServerPid(kNode1), old2 = cluster.ServerPid(kNode2);
    cluster.Signal(first, SIGKILL);
    cluster.Signal(second, SIGKILL);
    if (!manager_lives) cluster.StartManager();
    ASSERT_TRUE(WaitUntil("both servers again", [&] {
      const pid_t new1 = cluster.ServerPid(kNode1), new2 = cluster.ServerPid(kNode2);
      return new1 > 1 && new1 != old1 && new2 > 1 && new2 != old2;
    }));
    ASSERT_TRUE(WaitWhole(cluster));
    EXPECT_EQ(cluster.Primary(), kNode1) << "the recorded primary";
    ASSERT_TRUE(WaitAcknowledged(*writer, 50));
    ExpectNothingLost(GetParam(), *writer);
    ExpectSameRows(cluster);
  }
};
ON_SERVERS(BothDown, "MariaDB", "MySQL");

TEST_P(BothDown, ReplicaFirst) {
  KillBoth(kNode2, kNode1, true);
}
TEST_P(BothDown, PrimaryFirst) {
  KillBoth(kNode1, kNode2, true);
}
TEST_P(BothDown, WhileNoManagerRuns) {
  KillBoth(kNode1, kNode2, false);
}

}  // namespace
}  // namespace pandora_ha
