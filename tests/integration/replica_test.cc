// What happens to the replica, and what that means for the next failover.
#include "tests/integration/on_servers.h"

namespace pandora_ha {
namespace {

class Replica : public OnServers {
 protected:
  // `sql` on node2 past its read-only switch, in one go: the manager never sees it writable.
  void WriteOnReplica(TestCluster& cluster, const std::string& sql) const {
    const auto session = cluster.Connect(kNode2);
    ASSERT_TRUE(session.ok()) << session.error().message;
    const Status done = (*session)->Execute(
        mysql() ? "SET GLOBAL super_read_only = 0; " + sql + "; SET GLOBAL super_read_only = 1"
                : sql,
        Deadline(SystemClock(), Seconds(10)));
    ASSERT_TRUE(done.ok()) << done.error().message;
  }
  static std::string Insert(int id) {
    return std::string("INSERT INTO ") + kDemoTable + " VALUES (" + std::to_string(id) + ")";
  }
};
ON_SERVERS(Replica, "MariaDB", "MySQL");

// From then on nobody who acted before believes in a right any more.
void WaitUntilItHasActedForALease(TestCluster& cluster) {
  const Duration lease = cluster.spec().lease.duration;
  ASSERT_TRUE(cluster.WaitFor("the manager has acted for a lease", [&](const Snapshot& s) {
    return s.seen.taken_at.mono - s.seen.acts_since > lease;
  }));
}

TEST_P(Replica, KilledUnderLoadItIsStartedAgainAndThePrimaryGoesOn) {
  TestCluster cluster(*flavor_, 2, [](ClusterSpec& spec) { spec.lease.duration = Seconds(5); });
  cluster.StartManager();
  ASSERT_TRUE(WaitWhole(cluster));
  WaitUntilItHasActedForALease(cluster);
  const auto writer = cluster.NewWriter();
  ASSERT_TRUE(WaitAcknowledged(*writer, 100));
  const Epoch before = cluster.Last()->status.epoch;
  cluster.Signal(kNode2, SIGKILL);
  ASSERT_TRUE(
      WaitUntil("it is said", [&] { return Raised(cluster, FindingCode::kReplicaDown) > 0; }));
  ASSERT_TRUE(WaitAcknowledged(*writer, 100));
  ASSERT_TRUE(WaitWhole(cluster));
  EXPECT_EQ(cluster.Primary(), kNode1);
  EXPECT_EQ(cluster.Last()->status.epoch, before);
  EXPECT_TRUE(HasEvent(cluster, "DurabilityDegraded"));
  EXPECT_TRUE(HasEvent(cluster, "DurabilityRestored"));
  const DemoWriterCount count = ExpectNothingLost(GetParam(), *writer);
  EXPECT_EQ(count.refused + count.cut, 0u) << count.last_error;
  EXPECT_LE(count.longest_pause, cluster.spec().database.detection.timeout + Milliseconds(500));
  ExpectSameRows(cluster);
}

// The primary counts it as an acknowledger for as long as its connection stands.
TEST_P(Replica, FrozenUnderLoadItHoldsWritesUpForTheBudgetAndNoLonger) {
  TestCluster cluster(*flavor_, 2, [](ClusterSpec& spec) { spec.lease.duration = Seconds(5); });
  cluster.StartManager();
  ASSERT_TRUE(WaitWhole(cluster));
  WaitUntilItHasActedForALease(cluster);
  const auto writer = cluster.NewWriter();
  ASSERT_TRUE(WaitAcknowledged(*writer, 100));
  const Epoch before = cluster.Last()->status.epoch;
  const pid_t frozen = cluster.ServerPid(kNode2);
  cluster.Signal(kNode2, SIGSTOP);
  const bool goes_on = WaitAcknowledged(*writer, 300);
  // Writers go on within the turn that is told at its end.
  const bool told = goes_on && cluster.WaitFor("async in force", [](const Snapshot& s) {
    return s.status.durability_in_force == DurabilityMode::kAsync;
  });
  kill(frozen, SIGCONT);
  ASSERT_TRUE(goes_on);
  EXPECT_TRUE(told);
  ASSERT_TRUE(WaitWhole(cluster));
  EXPECT_EQ(cluster.ServerPid(kNode2), frozen) << "it was not restarted";
  EXPECT_EQ(cluster.Primary(), kNode1);
  EXPECT_EQ(cluster.Last()->status.epoch, before);
  EXPECT_TRUE(HasEvent(cluster, "DurabilityDegraded"));
  EXPECT_TRUE(HasEvent(cluster, "DurabilityRestored"));
  ASSERT_TRUE(WaitAcknowledged(*writer, 100));
  const DemoWriterCount count = ExpectNothingLost(GetParam(), *writer);
  EXPECT_EQ(count.refused + count.cut, 0u) << count.last_error;
  EXPECT_LE(count.longest_pause, cluster.spec().database.detection.Budget() + Milliseconds(500));
  ExpectSameRows(cluster);
}

TEST_P(Replica, LaggingItAppliesWhatItReceivedBeforeItIsOpened) {
  TestCluster cluster(*flavor_, 2,
                      [](ClusterSpec& spec) { spec.database.replication.max_lag = Seconds(1); });
  cluster.StartManager();
  ASSERT_TRUE(WaitWhole(cluster));
  const auto writer = cluster.NewWriter();
  ASSERT_TRUE(WaitAcknowledged(*writer, 100));
  ASSERT_TRUE(WaitUntil("the table on the replica", [&] {
    return cluster.Ask(kNode2, std::string("SELECT 1 FROM ") + kDemoTable + " LIMIT 1").ok();
  }));
  const auto session = cluster.Connect(kNode2);
  ASSERT_TRUE(session.ok());
  const Deadline soon(SystemClock(), Seconds(60));
  ASSERT_TRUE((*session)->Execute(std::string("LOCK TABLES ") + kDemoTable + " READ", soon).ok());
  ASSERT_TRUE(cluster.WaitFor("its lag", [](const Snapshot& s) {
    return HasFinding(s, FindingCode::kReplicaLagging, kNode2);
  }));
  // From here on the lag only grows: whoever says zero is wrong.
  const std::uint64_t behind = writer->Count().acknowledged + 100;
  ASSERT_TRUE(WaitUntil("more rows", [&] {
    const auto node2 = *FindSeen(cluster.Last()->seen, kNode2);
    if (node2.state.known() && node2.state->replication && node2.state->replication->lag) {
      EXPECT_GT(*node2.state->replication->lag, Seconds(0));
    }
    return writer->Count().acknowledged >= behind;
  }));
  cluster.Signal(kNode1, SIGKILL);
  ASSERT_TRUE(WaitUntil("the promotion", [&] {
    return HasEvent(cluster, "FailoverStarted") || Raised(cluster, FindingCode::kPrimaryDead) > 0 ||
           !cluster.Last()->status.publication.primary;
  }));
  EXPECT_EQ(cluster.Value(kNode2, "SELECT @@global.read_only"), "1") << "rows are not applied yet";
  ASSERT_TRUE((*session)->Execute("UNLOCK TABLES", soon).ok());
  ASSERT_TRUE(cluster.WaitFor("node2 is primary", [](const Snapshot& s) {
    return s.status.primary == kNode2 && !s.decision.memory.promotion;
  }));
  ASSERT_TRUE(WaitAcknowledged(*writer, 100));
  ASSERT_TRUE(WaitWhole(cluster));
  EXPECT_EQ(ExpectNothingLost(GetParam(), *writer).refused, 0u);
  ExpectSameRows(cluster);
}

TEST_P(Replica, BrokenItIsReportedAndNeverPromoted) {
  TestCluster cluster(*flavor_);
  cluster.StartManager();
  ASSERT_TRUE(WaitWhole(cluster));
  const auto writer = cluster.NewWriter();
  ASSERT_TRUE(WaitAcknowledged(*writer, 50));
  ASSERT_TRUE(WaitUntil("the table on the replica", [&] {
    return cluster.Ask(kNode2, std::string("SELECT 1 FROM ") + kDemoTable + " LIMIT 1").ok();
  }));
  WriteOnReplica(cluster, "SET SESSION sql_log_bin = 0; " + Insert(7));
  ASSERT_TRUE(cluster.Ask(kNode1, Insert(7)).ok());
  // MySQL with parallel workers reports the conflict itself, or that a worker stopped the others.
  int number = 0;
  ASSERT_TRUE(cluster.WaitFor("ReplicaBroken with its number", [&number](const Snapshot& s) {
    if (!HasFinding(s, FindingCode::kReplicaBroken, kNode2)) return false;
    number = FindSeen(s.seen, kNode2)->state->replication->sql_errno;
    return number == 1062 || number == 3030;
  }));
  const std::string error = "error " + std::to_string(number);
  const auto last = cluster.Last();
  for (const Finding& finding : last->status.findings) {
    if (finding.code != FindingCode::kReplicaBroken) continue;
    EXPECT_NE(finding.says.find(error), std::string::npos) << finding.says;
  }
  ExpectBroughtBackInPlace(cluster, *writer, "its applier stopped with " + error);
  ExpectNothingLost(GetParam(), *writer);
}

TEST_P(Replica, WithTransactionsOfItsOwnItIsKeptOut) {
  TestCluster cluster(*flavor_);
  cluster.StartManager();
  ASSERT_TRUE(WaitWhole(cluster));
  const auto writer = cluster.NewWriter();
  ASSERT_TRUE(WaitAcknowledged(*writer, 50));
  ASSERT_TRUE(WaitUntil("the table on the replica", [&] {
    return cluster.Ask(kNode2, std::string("SELECT 1 FROM ") + kDemoTable + " LIMIT 1").ok();
  }));
  WriteOnReplica(cluster, Insert(7));
  ASSERT_TRUE(cluster.WaitFor("NodeDiverged", [](const Snapshot& s) {
    return HasFinding(s, FindingCode::kNodeDiverged, kNode2);
  }));
  EXPECT_TRUE(WaitAcknowledged(*writer, 20)) << "the primary goes on";
  ExpectBroughtBackInPlace(cluster, *writer, "transactions of its own");
  EXPECT_TRUE(HasFinding(*cluster.Last(), FindingCode::kNodeDiverged, kNode2) ||
              Raised(cluster, FindingCode::kNodeDiverged) > 0);
  ExpectNothingLost(GetParam(), *writer);
}

}  // namespace
}  // namespace pandora_ha
