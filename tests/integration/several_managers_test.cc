// Two managers with a state directory each look after the same servers: one in a process of its
// own (A), which can be killed and frozen, one in this process (B).
#include "tests/integration/on_servers.h"

namespace pandora_ha {
namespace {

class SeveralManagers : public OnServers {
 protected:
  // A acts and the cluster is whole; B observes.
  void StartBoth() {
    TestCluster& cluster = cluster_.emplace(*flavor_, 2, [](ClusterSpec& spec) {
      spec.database.replication.durability = DurabilityMode::kAsync;
      spec.database.detection.timeout = Milliseconds(500);
      spec.database.configuration["general_log"] = "1";
      spec.database.configuration["general_log_file"] = "general.log";
      spec.endpoint.listen.reset();
      spec.data_in.reset();
    });
    cluster.StartManagerProcess();
    ASSERT_TRUE(WaitUntil(
        "A's primary and its replica",
        [&] {
          return cluster.Value(kNode1, "SELECT @@global.read_only") == "0" &&
                 cluster.Value(kNode2, "SELECT epoch FROM pandora.pandora_ha_heartbeat") == "1";
        },
        Seconds(90)));
    cluster.StartSecondManager();
    ASSERT_TRUE(cluster.WaitFor("B stands by and knows the primary", [](const Snapshot& s) {
      return StandsBy(s) && s.status.primary == kNode1 &&
             s.decision.memory.nodes.at(kNode2).history == History::kContained;
    }));
  }

  static bool FailedOver(const Snapshot& s) {
    return !StandsBy(s) && s.status.primary == kNode2 && !s.decision.memory.promotion;
  }
  std::string GeneralLog(const NodeName& node) const {
    return FileText(cluster_->spec().local->directory + "/" + node.text + "/data/general.log");
  }

  std::optional<TestCluster> cluster_;
};
ON_SERVERS(SeveralManagers, "MariaDB", "MySQL");

TEST_P(SeveralManagers, TheOtherTakesOverFromAKilledOneAndFailsOver) {
  StartBoth();
  if (HasFatalFailure()) return;
  EXPECT_NE(cluster_->Last()->status.verdict.find("another manager acts on this cluster: root@"),
            std::string::npos)
      << cluster_->Last()->status.verdict;
  EXPECT_TRUE(cluster_->Last()->decision.plan.empty());
  cluster_->KillManagerProcess();
  const TimePoint killed = SystemClock().Now().mono;
  ASSERT_TRUE(cluster_->WaitFor("B acts", [](const Snapshot& s) { return !StandsBy(s); }));
  std::printf("%s: took over %s after the kill\n", GetParam(),
              FormatDuration(SystemClock().Now().mono - killed).c_str());
  cluster_->Signal(kNode1, SIGKILL);
  ASSERT_TRUE(cluster_->WaitFor("node2 is primary", FailedOver));
  EXPECT_EQ(cluster_->Last()->status.epoch, Epoch(2));
  ASSERT_TRUE(cluster_->WaitHealthy());
}

TEST_P(SeveralManagers, AFrozenOneChangesNothingAfterItsThaw) {
  StartBoth();
  if (HasFatalFailure()) return;
  // A's plan will wait for node2 to apply a row that it cannot apply.
  ASSERT_TRUE(cluster_->Ask(kNode1, "CREATE TABLE pandora.t (id INT PRIMARY KEY)").ok());
  ASSERT_TRUE(WaitUntil("the table",
                        [&] { return cluster_->Ask(kNode2, "SELECT * FROM pandora.t").ok(); }));
  auto locker = cluster_->Connect(kNode2);
  ASSERT_TRUE(locker.ok());
  const Deadline deadline(SystemClock(), Seconds(60));
  ASSERT_TRUE((*locker)->Execute("LOCK TABLES pandora.t READ", deadline).ok());
  ASSERT_TRUE(cluster_->Ask(kNode1, "INSERT INTO pandora.t VALUES (1)").ok());
  usleep(300 * 1000);
  cluster_->Signal(kNode1, SIGKILL);
  // Its plan has stopped the receiver and waits.
  ASSERT_TRUE(WaitUntil("A fails over", [&] {
    const std::string log = GeneralLog(kNode2);
    return log.find(mysql() ? "STOP REPLICA IO_THREAD" : "STOP SLAVE IO_THREAD") !=
           std::string::npos;
  }));
  usleep(200 * 1000);
  cluster_->SignalManagerProcess(SIGSTOP);
  const TimePoint frozen = SystemClock().Now().mono;
  ASSERT_TRUE((*locker)->Execute("UNLOCK TABLES", deadline).ok());
  ASSERT_TRUE(cluster_->WaitFor("B has replaced node1", FailedOver));
  std::printf("%s: failed over %s after the freeze\n", GetParam(),
              FormatDuration(SystemClock().Now().mono - frozen).c_str());
  ASSERT_TRUE(cluster_->WaitHealthy());
  EXPECT_EQ(cluster_->Value(kNode2, "SELECT COUNT(*) FROM pandora.t"), "1");
  const pid_t server1 = cluster_->ServerPid(kNode1), server2 = cluster_->ServerPid(kNode2);
  const std::size_t before1 = GeneralLog(kNode1).size(), before2 = GeneralLog(kNode2).size();
  cluster_->SignalManagerProcess(SIGCONT);
  // A's history ends with what it tells of itself.
  ASSERT_TRUE(WaitUntil("A says that another acts", [&] {
    return FileText(cluster_->directory() + "/state/history.jsonl").find("StandsBy") !=
           std::string::npos;
  }));
  usleep(1000 * 1000);
  EXPECT_FALSE(StandsBy(*cluster_->Last()));
  EXPECT_EQ(cluster_->Last()->status.state, ClusterState::kHealthy);
  EXPECT_EQ(cluster_->ServerPid(kNode1), server1);
  EXPECT_EQ(cluster_->ServerPid(kNode2), server2);
  for (const std::string& since :
       {GeneralLog(kNode1).substr(before1), GeneralLog(kNode2).substr(before2)}) {
    for (const char* change : {"SET GLOBAL", "STOP ", "START ", "RESET ", "CHANGE ", "KILL",
                               "GET_LOCK(", "INSERT ", "CREATE ", "GRANT "}) {
      EXPECT_EQ(since.find(change), std::string::npos) << change << " in\n" << since;
    }
  }
}

}  // namespace
}  // namespace pandora_ha
