#include "tests/integration/on_servers.h"

#include <algorithm>
#include <fstream>
#include <sstream>

namespace pandora_ha {

std::string FileText(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

bool HasFinding(const Snapshot& snapshot, FindingCode code, const NodeName& about) {
  const auto& all = snapshot.status.findings;
  return std::any_of(all.begin(), all.end(), [&](const Finding& finding) {
    return finding.code == code && finding.about == about;
  });
}

bool StandsBy(const Snapshot& snapshot) {
  const auto& all = snapshot.status.findings;
  return std::any_of(all.begin(), all.end(), [](const Finding& finding) {
    return finding.code == FindingCode::kAnotherManagerActs;
  });
}

bool HasBlock(const Snapshot& snapshot, BlockReason reason) {
  const auto& all = snapshot.status.blocked;
  return std::any_of(all.begin(), all.end(),
                     [&](const Blocked& blocked) { return blocked.reason == reason; });
}

std::uint64_t Raised(const TestCluster& cluster, FindingCode code) {
  const auto last = cluster.Last();
  if (!last) return 0;
  const auto found = last->counters.findings_raised.find(std::string(ToString(code)));
  return found == last->counters.findings_raised.end() ? 0 : found->second;
}

bool HasEvent(const TestCluster& cluster, const std::string& reason) {
  const auto history = cluster.History();
  return history.ok() && std::any_of(history->begin(), history->end(),
                                     [&](const Event& event) { return event.reason == reason; });
}

bool WaitUntil(const std::string& what, const std::function<bool()>& condition, Seconds at_most) {
  const Deadline deadline(SystemClock(), at_most);
  while (!condition()) {
    if (deadline.passed()) {
      ADD_FAILURE() << "Never came: " << what;
      return false;
    }
    usleep(1000);
  }
  return true;
}

bool WaitAcknowledged(const DemoWriter& writer, std::uint64_t more) {
  const std::uint64_t wanted = writer.Count().acknowledged + more;
  const bool came = WaitUntil("rows acknowledged by the primary",
                              [&] { return writer.Count().acknowledged >= wanted; });
  EXPECT_TRUE(came) << writer.Count().last_error;
  return came;
}

bool WaitWhole(TestCluster& cluster) {
  return cluster.WaitFor("Healthy, semiSync in force", [](const Snapshot& s) {
    return s.status.state == ClusterState::kHealthy &&
           s.status.durability_in_force == DurabilityMode::kSemiSync;
  });
}

void OnServers::ExpectFollowsOrIsDiverged(TestCluster& cluster, const NodeName& killed,
                                          bool* follows) const {
  const DurabilityMode declared = cluster.spec().database.replication.durability;
  ASSERT_TRUE(cluster.WaitFor(killed.text + " follows, or is diverged", [&](const Snapshot& s) {
    return HasFinding(s, FindingCode::kNodeDiverged, killed) ||
           (s.status.state == ClusterState::kHealthy && s.status.durability_in_force == declared);
  }));
  const auto last = cluster.Last();
  *follows = !HasFinding(*last, FindingCode::kNodeDiverged, killed);
  if (*follows) return;
  std::printf("%s: %s waits as diverged, with what was in flight\n", GetParam(),
              killed.text.c_str());
  EXPECT_TRUE(mysql()) << "MariaDB takes it back";
  EXPECT_LE(last->decision.memory.nodes.at(killed).errant.CountMissingIn({}), 2u);
}

DemoWriterCount ExpectNothingLost(const char* flavor, DemoWriter& writer) {
  writer.Stop();
  const auto lost = writer.CountLost(Deadline(SystemClock(), Seconds(20)));
  EXPECT_TRUE(lost.ok()) << lost.error().message;
  EXPECT_EQ(lost.ok() ? *lost : 0u, 0u);
  const DemoWriterCount count = writer.Count();
  std::printf("%s: %llu rows acknowledged, %s lost, longest pause %s, %llu cut, %llu refused %s\n",
              flavor, static_cast<unsigned long long>(count.acknowledged),
              lost.ok() ? std::to_string(*lost).c_str() : "?",
              FormatDuration(count.longest_pause).c_str(),
              static_cast<unsigned long long>(count.cut),
              static_cast<unsigned long long>(count.refused), count.last_error.c_str());
  return count;
}

void ExpectSameRows(const TestCluster& cluster) {
  const auto sum = [&](const NodeName& node) {
    const auto rows = cluster.Ask(node, std::string("CHECKSUM TABLE ") + kDemoTable);
    return rows.ok() && !rows->empty() ? rows->cells[0][1].value_or("none")
                                       : "unknown on " + node.text;
  };
  WaitUntil("the same rows on every node", [&] {
    const std::string first = sum(kNode1);
    const auto& nodes = cluster.spec().database.nodes;
    return first != "none" && std::all_of(nodes.begin(), nodes.end(), [&](const auto& node) {
             return sum(node.name) == first;
           });
  });
}

void ExpectBroughtBackInPlace(TestCluster& cluster, const DemoWriter& writer,
                              const std::string& why_not_node2) {
  const pid_t before = cluster.ServerPid(kNode1);
  cluster.Signal(kNode1, SIGKILL);
  ASSERT_TRUE(
      WaitUntil("a blocked failover", [&] { return HasEvent(cluster, "FailoverBlocked"); }));
  const auto history = cluster.History();
  ASSERT_TRUE(history.ok());
  const auto blocked = std::find_if(history->begin(), history->end(), [](const Event& event) {
    return event.reason == "FailoverBlocked";
  });
  EXPECT_NE(blocked->message.find(why_not_node2), std::string::npos) << blocked->message;
  ASSERT_TRUE(cluster.WaitFor("node1 serves again", [&](const Snapshot& s) {
    const DatabaseSeen* node1 = FindSeen(s.seen, kNode1);
    return cluster.ServerPid(kNode1) != before && node1->state.known() && node1->state->writable &&
           s.status.primary == kNode1 && s.status.publication.primary == kNode1;
  }));
  EXPECT_EQ(cluster.Last()->counters.failovers_done, 0u);
  EXPECT_TRUE(WaitAcknowledged(writer, 20));
}

}  // namespace pandora_ha
