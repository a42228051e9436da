// Servers that live and cannot be worked with: nothing is changed for that.
#include <filesystem>
#include <sstream>

#include "reconciler/api/answers.h"
#include "tests/integration/on_servers.h"

namespace pandora_ha {
namespace {

class Refused : public OnServers {};
ON_SERVERS(Refused, "MariaDB", "MySQL");

// Everything that the product tells or writes, but for the servers' own data.
std::string EverythingTold(const TestCluster& cluster, const Noticeboard& noticeboard) {
  const Answers answers({noticeboard,
                         SystemClock(),
                         [] { return std::map<std::string, TimePoint>(); },
                         {},
                         {},
                         Seconds(90),
                         {}});
  std::string told;
  for (const char* part : {"", "/plan", "/explain"})
    told += answers.To(Audience::kLocal, {"GET", "/api/v1/clusters/test" + std::string(part)}).body;
  const auto history = cluster.History();
  EXPECT_TRUE(history.ok());
  for (const Event& event : *history) told += event.message + "\n";
  for (auto entry = std::filesystem::recursive_directory_iterator(cluster.directory());
       entry != std::filesystem::recursive_directory_iterator(); ++entry) {
    if (entry->is_directory() && entry->path().filename() == "data") {
      entry.disable_recursion_pending();
    } else if (entry->is_regular_file()) {
      told += FileText(entry->path());
    }
  }
  return told;
}

TEST_P(Refused, AWrongPasswordIsSaidAndChangesNothing) {
  ::testing::internal::CaptureStderr();
  {
    TestCluster cluster(*flavor_);
    cluster.StartManager();
    ASSERT_TRUE(WaitWhole(cluster));
    const Epoch before = cluster.Last()->status.epoch;
    const std::string right = cluster.passwords().admin.Reveal();
    const pid_t server1 = cluster.ServerPid(kNode1), server2 = cluster.ServerPid(kNode2);
    cluster.StopManager();
    cluster.passwords().admin = Secret("not-the-secret");
    cluster.StartManager();
    ASSERT_TRUE(cluster.WaitFor("AccessDenied for both", [](const Snapshot& s) {
      return HasFinding(s, FindingCode::kAccessDenied, kNode1) &&
             HasFinding(s, FindingCode::kAccessDenied, kNode2) &&
             HasBlock(s, BlockReason::kAccessDenied);
    }));
    const std::uint64_t looks = cluster.Last()->counters.looks;
    // More looks than it takes to give up an unanswering primary.
    ASSERT_TRUE(cluster.WaitFor("more looks", [&](const Snapshot& s) {
      EXPECT_TRUE(s.decision.plan.empty()) << s.decision.plan.purpose;
      return s.counters.looks >= looks + 20;
    }));
    const auto last = cluster.Last();
    EXPECT_EQ(last->status.primary, kNode1);
    EXPECT_EQ(last->status.epoch, before);
    EXPECT_EQ(last->status.state, ClusterState::kUnknown);
    for (const Finding& finding : last->status.findings) {
      if (finding.code != FindingCode::kAccessDenied) continue;
      EXPECT_NE(finding.says.find("root"), std::string::npos) << finding.says;
    }
    const std::string told = EverythingTold(cluster, cluster.noticeboard());
    EXPECT_NE(told.find("AccessDenied"), std::string::npos);
    for (const char* secret :
         {"admin-secret", "not-the-secret", "replication-secret", "application-secret"}) {
      EXPECT_EQ(told.find(secret), std::string::npos) << secret;
    }
    cluster.StopManager();
    cluster.passwords().admin = Secret(right);
    EXPECT_EQ(cluster.Value(kNode1, "SELECT @@global.read_only"), "0");
    EXPECT_EQ(cluster.Value(kNode2, "SELECT @@global.read_only"), "1");
    cluster.StartManager();
    ASSERT_TRUE(cluster.WaitFor("the epoch again", [&](const Snapshot& s) {
      return s.status.state == ClusterState::kHealthy && s.status.epoch == before;
    }));
    EXPECT_EQ(cluster.ServerPid(kNode1), server1);
    EXPECT_EQ(cluster.ServerPid(kNode2), server2);
  }
  const std::string log = ::testing::internal::GetCapturedStderr();
  std::fputs(log.c_str(), stderr);
  EXPECT_NE(log.find("refuses our account"), std::string::npos);
  EXPECT_EQ(log.find("not-the-secret"), std::string::npos);
  EXPECT_EQ(log.find("admin-secret"), std::string::npos);
  EXPECT_EQ(log.find("replication-secret"), std::string::npos);
}

TEST_P(Refused, ADuplicateServerIdIsSaidAndNeverPromoted) {
  TestCluster cluster(*flavor_);
  cluster.StartManager();
  ASSERT_TRUE(WaitWhole(cluster));
  const auto writer = cluster.NewWriter();
  ASSERT_TRUE(WaitAcknowledged(*writer, 50));
  ASSERT_TRUE(cluster.Ask(kNode2, "SET GLOBAL server_id = 1").ok());
  ASSERT_TRUE(cluster.WaitFor("DuplicateServerId", [](const Snapshot& s) {
    return HasFinding(s, FindingCode::kDuplicateServerId, kNode2);
  }));
  EXPECT_TRUE(WaitAcknowledged(*writer, 20)) << "the primary goes on";
  ExpectBroughtBackInPlace(cluster, *writer, "server_id");
  ExpectNothingLost(GetParam(), *writer);
}

}  // namespace
}  // namespace pandora_ha
