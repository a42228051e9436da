// Real servers, a real manager, clients through the endpoint: another node is made primary on
// purpose, there and back.
#include "tests/integration/on_servers.h"

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

}  // namespace
}  // namespace pandora_ha
