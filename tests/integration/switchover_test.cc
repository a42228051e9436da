// Real servers, a real manager, clients through the endpoint: another node is made primary on
// purpose, there and back.
#include <array>

#include "reconciler/publish/sidecar.h"
#include "tests/integration/on_servers.h"
#include "tests/support/programs.h"

namespace pandora_ha {
namespace {

constexpr int kThereAndBack = 5;

class SwitchoverUnderLoad : public OnServers {
 protected:
  // Every change of primary there and back, each from a whole cluster. Prints what it cost.
  void ThereAndBack(TestCluster& cluster, const ClientWriter& writer) {
    for (int i = 0; i < 2 * kThereAndBack; ++i) {
      const NodeName from = cluster.Primary();
      const NodeName to = from == kNode1 ? kNode2 : kNode1;
      const TimePoint asked = SystemClock().Now().mono;
      const auto record = cluster.WaitForEnd(cluster.HandIn(Switchover{to}));
      ASSERT_TRUE(record);
      ASSERT_EQ(record->state, IntentState::kDone) << record->says;
      EXPECT_EQ(record->attempts, 1) << record->says;
      ASSERT_TRUE(WaitWhole(cluster)) << "the old primary follows";
      EXPECT_EQ(cluster.Primary(), to);
      const std::uint64_t before = writer.Count().acknowledged;
      ASSERT_TRUE(WaitUntil("rows on the new primary",
                            [&] { return writer.Count().acknowledged > before + 20; }));
      pauses_.push_back(writer.LongestPauseSince(asked));
    }
  }

  void Report(const char* writer, const ClientWriterCount& count, std::uint64_t lost) {
    std::sort(pauses_.begin(), pauses_.end());
    std::printf(
        "%s, %s: %zu switchovers, %llu rows acknowledged, %llu lost, pause median %s, longest %s; "
        "%llu cut, %llu refused, %llu unconnected %s\n",
        GetParam(), writer, pauses_.size(), static_cast<unsigned long long>(count.acknowledged),
        static_cast<unsigned long long>(lost), FormatDuration(pauses_[pauses_.size() / 2]).c_str(),
        FormatDuration(pauses_.back()).c_str(), static_cast<unsigned long long>(count.cut),
        static_cast<unsigned long long>(count.refused),
        static_cast<unsigned long long>(count.unconnected), count.last_error.c_str());
  }

  std::vector<Duration> pauses_;
};
ON_SERVERS(SwitchoverUnderLoad, "MariaDB", "MySQL");

TEST_P(SwitchoverUnderLoad, AClientThatConnectsAnewSeesNoError) {
  TestCluster cluster(*flavor_);
  cluster.StartManager();
  ASSERT_TRUE(WaitWhole(cluster));
  const auto writer = cluster.NewClient(true);
  ThereAndBack(cluster, *writer);
  if (HasFatalFailure()) return;
  const auto lost = cluster.CountLost(*writer);
  ASSERT_TRUE(lost.ok()) << lost.error().message;
  const ClientWriterCount count = writer->Count();
  Report("connecting anew", count, *lost);
  EXPECT_EQ(*lost, 0u);
  EXPECT_EQ(count.errors(), 0u) << count.last_error;
}

TEST_P(SwitchoverUnderLoad, AKeptConnectionIsOnlyMadeAnew) {
  TestCluster cluster(*flavor_);
  cluster.StartManager();
  ASSERT_TRUE(WaitWhole(cluster));
  const auto writer = cluster.NewClient(false);
  ThereAndBack(cluster, *writer);
  if (HasFatalFailure()) return;
  const auto lost = cluster.CountLost(*writer);
  ASSERT_TRUE(lost.ok()) << lost.error().message;
  const ClientWriterCount count = writer->Count();
  Report("kept", count, *lost);
  EXPECT_EQ(*lost, 0u);
  EXPECT_LE(count.cut, pauses_.size()) << count.last_error;
  EXPECT_EQ(count.refused, 0u) << count.last_error;
  EXPECT_EQ(count.unconnected, 0u) << count.last_error;
}

// Behind a `pandora-ha endpoint` that follows the sidecar, a program of its own.
class SwitchoverBehindAFollower : public SwitchoverUnderLoad {
 protected:
  // Clients use the follower from now on.
  void Follow(TestCluster& cluster) {
    Address& listen = *cluster.spec().endpoint.listen;
    ++listen.port;
    follower_.emplace(RunEndpoint(cluster, listen), cluster.directory() + "/programs.log");
    ASSERT_TRUE(WaitUntil("the follower", [&] { return Connect(cluster).ok(); }));
  }
  static Result<std::unique_ptr<Session>> Connect(const TestCluster& cluster) {
    return Session::Connect({*cluster.spec().endpoint.listen,
                             cluster.spec().database.credentials.application.user,
                             cluster.passwords().application,
                             {}},
                            Deadline(SystemClock(), Seconds(5)));
  }
  static std::string Sidecar(const TestCluster& cluster) {
    return FileText(SidecarName(HostsFilePath(cluster.spec())));
  }

  std::optional<Program> follower_;
};
ON_SERVERS(SwitchoverBehindAFollower, "MariaDB", "MySQL");

TEST_P(SwitchoverBehindAFollower, AClientThatConnectsAnewSeesNoError) {
  TestCluster cluster(*flavor_);
  cluster.StartManager();
  ASSERT_TRUE(WaitWhole(cluster));
  Follow(cluster);
  if (HasFatalFailure()) return;
  const auto writer = cluster.NewClient(true);
  ThereAndBack(cluster, *writer);
  if (HasFatalFailure()) return;
  const auto lost = cluster.CountLost(*writer);
  ASSERT_TRUE(lost.ok()) << lost.error().message;
  const ClientWriterCount count = writer->Count();
  Report("connecting anew to a follower", count, *lost);
  EXPECT_EQ(*lost, 0u);
  EXPECT_EQ(count.errors(), 0u) << count.last_error;
}

TEST_P(SwitchoverBehindAFollower, AManagerThatDiesInADrainHoldsNobody) {
  TestCluster cluster(*flavor_);
  cluster.StartManager();
  ASSERT_TRUE(WaitWhole(cluster));
  cluster.StopManager();
  std::array<int, 2> go{};
  ASSERT_EQ(pipe(go.data()), 0);
  cluster.StartManagerProcess([&] {
    char word = 0;
    if (read(go[0], &word, 1) == 1) cluster.HandIn(Switchover{kNode2});
  });
  Follow(cluster);
  if (HasFatalFailure()) return;
  // It is waited for: in a transaction.
  auto session = Connect(cluster);
  ASSERT_TRUE(session.ok()) << session.error().message;
  const Deadline deadline(SystemClock(), Seconds(20));
  ASSERT_TRUE((*session)->Execute("CREATE TABLE pandora.t (id INT PRIMARY KEY)", deadline).ok());
  ASSERT_TRUE((*session)->Execute("BEGIN", deadline).ok());
  ASSERT_TRUE((*session)->Execute("INSERT INTO pandora.t VALUES (1)", deadline).ok());
  ASSERT_EQ(write(go[1], "x", 1), 1);
  ASSERT_TRUE(WaitUntil("the drain is told", [&] {
    return Sidecar(cluster).find("graceMilliseconds") != std::string::npos;
  }));
  cluster.KillManagerProcess();
  const TimePoint killed = SystemClock().Now().mono;
  EXPECT_NE(Sidecar(cluster).find("graceMilliseconds"), std::string::npos) << "killed too late";
  const auto anew = Connect(cluster);
  ASSERT_TRUE(anew.ok()) << anew.error().message;
  const Duration held = SystemClock().Now().mono - killed;
  std::printf("%s: a new client was held for %s\n", GetParam(), FormatDuration(held).c_str());
  EXPECT_GT(held, Milliseconds(100));
  EXPECT_LT(held, Seconds(2));
  const Status committed = (*session)->Execute("COMMIT", deadline);
  EXPECT_TRUE(committed.ok()) << committed.error().message;
  close(go[0]);
  close(go[1]);
  follower_.reset();  // its address is that of the manager which ends the servers
}

}  // namespace
}  // namespace pandora_ha
