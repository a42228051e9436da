// A primary that hangs, dies, or is cut off while nobody owns its process for us (substrate hosts),
// and one that is cut off while its supervisor can still end it. Real servers; the network is cut
// by the kernel's routing.
#include "reconciler/substrate/local/local_cluster.h"
#include "tests/integration/on_servers.h"
#include "tests/support/network.h"
#include "tests/support/two_writers.h"

namespace pandora_ha {
namespace {

class CutOff : public OnServers {
 protected:
  // A whole cluster whose servers run under their supervisors.
  void StartOurs(FailoverPolicy policy, DurabilityMode durability) {
    cluster_ = std::make_unique<TestCluster>(*flavor_, 2, [&](ClusterSpec& spec) {
      spec.failover_policy = policy;
      spec.database.replication.durability = durability;
      spec.database.detection.timeout = Milliseconds(500);
    });
    cluster_->StartManager();
    ASSERT_TRUE(WaitHealthyNow());
  }
  // The same, and then a manager that owns no process.
  void StartHosts(FailoverPolicy policy, DurabilityMode durability) {
    StartOurs(policy, durability);
    if (HasFatalFailure()) return;
    cluster_->StopManager();
    cluster_->spec().substrate = SubstrateKind::kHosts;
    cluster_->StartManager();
    ASSERT_TRUE(WaitHealthyNow());
  }

  bool WaitHealthyNow() {
    const TimePoint now = SystemClock().Now().mono;
    const DurabilityMode declared = cluster_->spec().database.replication.durability;
    return cluster_->WaitFor(
        "Healthy, with the declared durability",
        [&](const Snapshot& s) {
          return s.times.began > now && s.status.state == ClusterState::kHealthy &&
                 s.status.durability_in_force == declared;
        },
        Seconds(60));
  }
  bool WaitPromoted(const NodeName& node) {
    return cluster_->WaitFor(node.text + " is primary", [&](const Snapshot& s) {
      return s.status.primary == node && !s.decision.memory.promotion &&
             s.status.publication.primary == node;
    });
  }
  bool WaitBlocked(BlockReason reason) {
    return cluster_->WaitFor("a failover that is blocked",
                             [&](const Snapshot& s) { return HasBlock(s, reason); });
  }

  // As the administrator of a host does, who lets a former primary take back what no replica
  // acknowledged. MySQL cannot.
  void StartServer(const NodeName& node) {
    ClusterSpec spec = cluster_->spec();
    spec.substrate = SubstrateKind::kLocal;
    const Deadline deadline(SystemClock(), Seconds(20));
    const auto local =
        LocalCluster::Open({spec, cluster_->passwords().admin, {PANDORA_HA_TEST_SUPERVISOR}, {}},
                           SystemClock(), deadline);
    ASSERT_TRUE(local.ok()) << local.error().message;
    const Status started = (*local)->Find(node)->Start({.discard_unacknowledged = true}, deadline);
    ASSERT_TRUE(started.ok()) << started.error().message;
  }

  std::string AddressOf(const NodeName& node) const {
    return FindNode(cluster_->spec(), node)->address;
  }
  void ExpectNoneLost(ClientWriter& writer) {
    const auto lost = cluster_->CountLost(writer);
    ASSERT_TRUE(lost.ok()) << lost.error().message;
    EXPECT_EQ(*lost, 0u);
    std::printf("%s: %llu rows acknowledged, %llu lost\n", GetParam(),
                static_cast<unsigned long long>(writer.ids().size()),
                static_cast<unsigned long long>(*lost));
  }
  bool WaitRows(const ClientWriter& writer) {
    const std::uint64_t rows = writer.Count().acknowledged;
    return WaitUntil("rows", [&] { return writer.Count().acknowledged > rows + 20; });
  }

  std::unique_ptr<TestCluster> cluster_;
};
ON_SERVERS(CutOff, "MariaDB", "MySQL");

TEST_P(CutOff, ADeadPrimaryThatNobodyOwnsIsReplacedAndFollowsWhenItIsStartedAgain) {
  StartHosts(FailoverPolicy::kAvailability, DurabilityMode::kSemiSync);
  if (HasFatalFailure()) return;
  const auto writer = cluster_->NewClient(true, Milliseconds(3));
  ASSERT_TRUE(WaitRows(*writer));
  cluster_->Signal(kNode1, SIGKILL);
  ASSERT_TRUE(WaitPromoted(kNode2));
  ASSERT_TRUE(WaitRows(*writer));
  EXPECT_TRUE(HasEvent(*cluster_, "FailoverDone"));
  StartServer(kNode1);
  bool follows = false;
  ExpectFollowsOrIsDiverged(*cluster_, kNode1, &follows);
  if (!follows) return ExpectNoneLost(*writer);
  ASSERT_TRUE(WaitHealthyNow());
  // Nothing proves the next death either, and it comes too soon.
  cluster_->Signal(kNode2, SIGKILL);
  ASSERT_TRUE(WaitBlocked(BlockReason::kCoolDown));
  EXPECT_EQ(cluster_->Primary(), kNode2);
  cluster_->HandIn(Acknowledge{});
  ASSERT_TRUE(WaitPromoted(kNode1));
  ASSERT_TRUE(WaitRows(*writer));
  StartServer(kNode2);
  ExpectFollowsOrIsDiverged(*cluster_, kNode2, &follows);
  EXPECT_EQ(cluster_->Last()->counters.failovers_done, 2u);
  ExpectNoneLost(*writer);
}

TEST_P(CutOff, AHungPrimaryThatNobodyOwnsIsReplacedAndClosedAfterItsThaw) {
  StartHosts(FailoverPolicy::kAvailability, DurabilityMode::kSemiSync);
  if (HasFatalFailure()) return;
  const auto writer = cluster_->NewClient(true, Milliseconds(3));
  ASSERT_TRUE(WaitRows(*writer));
  cluster_->Signal(kNode1, SIGSTOP);
  ASSERT_TRUE(WaitPromoted(kNode2));
  ASSERT_TRUE(WaitRows(*writer));
  cluster_->Signal(kNode1, SIGCONT);
  const auto judged = [](const Snapshot& s) {
    const DatabaseSeen* node1 = FindSeen(s.seen, kNode1);
    return node1->state.known() && !node1->state->writable &&
           s.decision.memory.nodes.at(kNode1).history != History::kUnjudged;
  };
  // A commit that was under way in the freeze waits for good after it, and then only a person can
  // end that, who is told how.
  ASSERT_TRUE(cluster_->WaitFor(
      "node1 is closed and judged, or its commits wait",
      [&](const Snapshot& s) { return judged(s) || HasBlock(s, BlockReason::kUnprovenFence); },
      Seconds(60)));
  if (!judged(*cluster_->Last())) {
    std::printf("%s: a commit of node1 waits, and it is killed\n", GetParam());
    const pid_t killed = cluster_->ServerPid(kNode1);
    cluster_->Signal(kNode1, SIGKILL);
    // To start one that seems to run would change nothing.
    ASSERT_TRUE(WaitUntil("its end", [&] { return kill(killed, 0) != 0; }));
    StartServer(kNode1);
    ASSERT_TRUE(cluster_->WaitFor("node1 is closed and judged", judged, Seconds(60)));
  }
  const bool diverged = HasFinding(*cluster_->Last(), FindingCode::kNodeDiverged, kNode1);
  std::printf("%s: after its thaw node1 %s\n", GetParam(),
              diverged ? "waits as diverged, with the row in flight" : "follows");
  if (!diverged) {
    ASSERT_TRUE(WaitHealthyNow());
  }
  EXPECT_EQ(cluster_->Primary(), kNode2);
  ExpectNoneLost(*writer);
}

TEST_P(CutOff, WithoutAProofConsistencyWaitsForAPerson) {
  StartHosts(FailoverPolicy::kConsistency, DurabilityMode::kSemiSync);
  if (HasFatalFailure()) return;
  const auto writer = cluster_->NewClient(true, Milliseconds(3));
  ASSERT_TRUE(WaitRows(*writer));
  cluster_->Signal(kNode1, SIGSTOP);
  ASSERT_TRUE(WaitBlocked(BlockReason::kUnprovenFence));
  EXPECT_TRUE(HasEvent(*cluster_, "FailoverBlocked"));
  // It was only a long stall: it goes on, and nothing has changed.
  cluster_->Signal(kNode1, SIGCONT);
  ASSERT_TRUE(WaitHealthyNow());
  ASSERT_TRUE(WaitRows(*writer));
  EXPECT_EQ(cluster_->Primary(), kNode1);
  EXPECT_FALSE(HasEvent(*cluster_, "FailoverDone"));
  // And now a person knows better.
  cluster_->Signal(kNode1, SIGKILL);
  ASSERT_TRUE(WaitBlocked(BlockReason::kUnprovenFence));
  ForcedFailover wish;
  wish.allow_data_loss = true;
  cluster_->HandIn(wish);
  ASSERT_TRUE(WaitPromoted(kNode2));
  ASSERT_TRUE(WaitRows(*writer));
  StartServer(kNode1);
  bool follows = false;
  ExpectFollowsOrIsDiverged(*cluster_, kNode1, &follows);
  ExpectNoneLost(*writer);
}

class Partition : public CutOff {
 protected:
  void SetUp() override {
    CutOff::SetUp();
    if (IsSkipped()) return;
    const Status entered = PrivateNetwork::Enter();
    if (!entered.ok() && entered.error().code == ErrorCode::kRefused)
      GTEST_SKIP() << entered.error().message;
    ASSERT_TRUE(entered.ok()) << entered.error().message;
  }
};
ON_SERVERS(Partition, "MariaDB", "MySQL");

TEST_P(Partition, APrimaryBehindABrokenPathIsEndedByItsOwnerAndReplaced) {
  StartOurs(FailoverPolicy::kConsistency, DurabilityMode::kSemiSync);
  if (HasFatalFailure()) return;
  const auto writer = cluster_->NewClient(true, Milliseconds(3));
  ASSERT_TRUE(WaitRows(*writer));
  const pid_t cut_off = cluster_->ServerPid(kNode1);
  const TimePoint cut = SystemClock().Now().mono;
  ASSERT_TRUE(PrivateNetwork::CutOff(AddressOf(kNode1)).ok());
  ASSERT_TRUE(WaitPromoted(kNode2));
  EXPECT_NE(kill(cut_off, 0), 0) << "fenced";
  ASSERT_TRUE(WaitRows(*writer));
  std::printf("%s: no row for %s\n", GetParam(),
              FormatDuration(writer->LongestPauseSince(cut)).c_str());
  EXPECT_LE(writer->LongestPauseSince(cut),
            cluster_->spec().database.detection.Budget() + Seconds(2));
  ASSERT_TRUE(PrivateNetwork::Heal(AddressOf(kNode1)).ok());
  bool follows = false;
  ExpectFollowsOrIsDiverged(*cluster_, kNode1, &follows);
  EXPECT_EQ(cluster_->Primary(), kNode2);
  EXPECT_TRUE(HasEvent(*cluster_, "FailoverDone"));
  ExpectNoneLost(*writer);
}

// Under availability, and with durability async, the one who is cut off may have gone on writing:
// this one does, by a scheduled event of its own.
TEST_P(Partition, WhatACutOffPrimaryGoesOnWritingIsFoundAndCounted) {
  StartHosts(FailoverPolicy::kAvailability, DurabilityMode::kAsync);
  if (HasFatalFailure()) return;
  const auto ask = [&](const char* sql) {
    const auto asked = cluster_->Ask(kNode1, sql);
    ASSERT_TRUE(asked.ok()) << asked.error().message;
  };
  ask("SET GLOBAL event_scheduler=1");
  ask("CREATE TABLE pandora.alone (id INT AUTO_INCREMENT PRIMARY KEY) ENGINE=InnoDB");
  const auto writer = cluster_->NewClient(true, Milliseconds(3));
  ASSERT_TRUE(WaitRows(*writer));
  ask("CREATE DEFINER=`pandora`@`%` EVENT pandora.alone ON SCHEDULE EVERY 1 SECOND DO INSERT INTO "
      "pandora.alone VALUES (NULL)");
  ASSERT_TRUE(PrivateNetwork::CutOff(AddressOf(kNode1)).ok());
  ASSERT_TRUE(WaitPromoted(kNode2));
  ASSERT_TRUE(WaitRows(*writer));
  EXPECT_TRUE(HasEvent(*cluster_, "FailoverDone"));
  usleep(2'500'000);
  ASSERT_TRUE(PrivateNetwork::Heal(AddressOf(kNode1)).ok());
  ASSERT_TRUE(
      cluster_->WaitFor("both writers are seen, and node1 is closed", [](const Snapshot& s) {
        const DatabaseSeen* node1 = FindSeen(s.seen, kNode1);
        return node1->state.known() && !node1->state->writable &&
               HasFinding(s, FindingCode::kNodeDiverged, kNode1);
      }));
  EXPECT_GT(Raised(*cluster_, FindingCode::kTwoWritable), 0u);
  EXPECT_EQ(cluster_->Primary(), kNode2);
  const auto last = cluster_->Last();
  for (const Finding& finding : last->status.findings)
    std::printf("%s: %s\n", GetParam(), finding.says.c_str());
  ASSERT_TRUE(WaitRows(*writer));
}

}  // namespace
}  // namespace pandora_ha
