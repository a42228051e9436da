// Two managers with a state directory each look after the same servers: one in a process of its
// own (A), which can be killed and frozen, one in this process (B).
#include "tests/integration/on_servers.h"

namespace pandora_ha {
namespace {

class SeveralManagers : public OnServers {
 protected:
  // A acts and the cluster is whole; B observes. `asks` is asked of A before.
  void StartBoth(const std::optional<Wish>& asks = std::nullopt) {
    TestCluster& cluster = cluster_.emplace(*flavor_, 2, [](ClusterSpec& spec) {
      spec.database.replication.durability = DurabilityMode::kAsync;
      spec.database.detection.timeout = Milliseconds(500);
      spec.database.configuration["general_log"] = "1";
      spec.database.configuration["general_log_file"] = "general.log";
      spec.endpoint.listen.reset();
      spec.data_in.reset();
    });
    cluster.StartManagerProcess([&] {
      if (!asks) return;
      cluster.WaitFor("A is ready", [](const Snapshot& s) {
        return s.status.state == ClusterState::kHealthy && s.decision.beat;
      });
      cluster.HandIn(*asks);
    });
    ASSERT_TRUE(WaitUntil(
        "A's primary and its replica",
        [&] {
          return cluster.Value(kNode1, "SELECT @@global.read_only") == "0" &&
                 cluster.Value(kNode2, "SELECT epoch FROM pandora.pandora_ha_heartbeat") == "1";
        },
        Seconds(90)));
    if (asks) {
      ASSERT_TRUE(WaitUntil("the guard in the database", [&] { return !Guards(kNode1).empty(); }));
    }
    cluster.StartSecondManager();
    const bool fences = asks && std::holds_alternative<Fence>(*asks);
    ASSERT_TRUE(cluster.WaitFor("B stands by and knows the primary", [&](const Snapshot& s) {
      return StandsBy(s) && s.status.primary == kNode1 &&
             (fences || s.decision.memory.nodes.at(kNode2).history == History::kContained);
    }));
  }

  static bool FailedOver(const Snapshot& s) {
    return !StandsBy(s) && s.status.primary == kNode2 && !s.decision.memory.promotion;
  }
  // The document as a node has it; empty: none.
  std::string Guards(const NodeName& node) const {
    const std::string document =
        cluster_->Value(node, "SELECT document FROM pandora.pandora_ha_guards");
    return document.starts_with("{") ? document : "";
  }
  // A is killed, and B acts.
  void TakeOver() {
    cluster_->KillManagerProcess();
    ASSERT_TRUE(cluster_->WaitFor("B acts", [](const Snapshot& s) { return !StandsBy(s); }));
  }
  IntentState Ask(Wish wish) {
    const auto record = cluster_->WaitForEnd(cluster_->HandIn(std::move(wish)));
    if (!record) return IntentState::kUnderWay;
    std::printf("%s: %s\n", GetParam(), record->says.c_str());
    return record->state;
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

TEST_P(SeveralManagers, APauseIsKeptByTheOneThatTakesOver) {
  StartBoth(Pause{});
  if (HasFatalFailure()) return;
  ASSERT_TRUE(cluster_->WaitFor("the observer says it",
                                [](const Snapshot& s) { return StandsBy(s) && s.status.paused; }));
  TakeOver();
  if (HasFatalFailure()) return;
  cluster_->Signal(kNode1, SIGKILL);
  ASSERT_TRUE(cluster_->WaitFor(
      "B says why not", [](const Snapshot& s) { return HasBlock(s, BlockReason::kPaused); }));
  usleep(3'000'000);
  EXPECT_EQ(cluster_->Primary(), kNode1);
  EXPECT_EQ(cluster_->Value(kNode2, "SELECT @@global.read_only"), "1");
  EXPECT_NE(FindSeen(cluster_->Last()->seen, kNode1)->contact, Contact::kAnswered);
  EXPECT_EQ(Ask(Resume{}), IntentState::kDone);
  ASSERT_TRUE(cluster_->WaitFor("node2 is primary", FailedOver));
  ASSERT_TRUE(cluster_->WaitHealthy());
  ASSERT_TRUE(WaitUntil("nobody is paused, everywhere", [&] {
    return Guards(kNode1).find("failedOverAt") != std::string::npos &&
           Guards(kNode1).find("paused") == std::string::npos;
  }));
}

TEST_P(SeveralManagers, AFencedNodeIsNotStartedByTheOneThatTakesOver) {
  StartBoth(Fence{kNode2, false});
  if (HasFatalFailure()) return;
  const auto down = [](const Snapshot& s) {
    const DatabaseSeen* node2 = FindSeen(s.seen, kNode2);
    return node2->process.known() && node2->process->phase == ProcessState::Phase::kEnded;
  };
  ASSERT_TRUE(cluster_->WaitFor("A ended it, and the observer knows why", [&](const Snapshot& s) {
    return down(s) && s.decision.memory.guards.fenced_nodes.contains(kNode2);
  }));
  TakeOver();
  if (HasFatalFailure()) return;
  usleep(3'000'000);
  EXPECT_TRUE(down(*cluster_->Last()));
  EXPECT_TRUE(HasFinding(*cluster_->Last(), FindingCode::kFenced, kNode2));
  EXPECT_EQ(Ask(Unfence{kNode2}), IntentState::kDone);
  ASSERT_TRUE(cluster_->WaitHealthy());
}

// B fails over without proof only after the cool-down of a failover that A made.
TEST_P(SeveralManagers, TheCoolDownIsKeptByTheOneThatTakesOver) {
  StartBoth();
  if (HasFatalFailure()) return;
  cluster_->Signal(kNode1, SIGKILL);
  ASSERT_TRUE(cluster_->WaitFor("A has replaced node1, which follows", [](const Snapshot& s) {
    return StandsBy(s) && s.status.primary == kNode2 && s.status.failed_over_at &&
           s.decision.memory.nodes.at(kNode1).history == History::kContained;
  }));
  TakeOver();
  if (HasFatalFailure()) return;
  ASSERT_TRUE(cluster_->WaitHealthy());
  cluster_->Signal(kNode2, SIGSTOP);
  ASSERT_TRUE(cluster_->WaitFor(
      "B says why not", [](const Snapshot& s) { return HasBlock(s, BlockReason::kCoolDown); }));
  usleep(1'000'000);
  EXPECT_EQ(cluster_->Primary(), kNode2);
  EXPECT_EQ(Ask(Acknowledge{}), IntentState::kDone);
  ASSERT_TRUE(cluster_->WaitFor("node1 is primary", [](const Snapshot& s) {
    return s.status.primary == kNode1 && !s.decision.memory.promotion;
  }));
}

}  // namespace
}  // namespace pandora_ha
