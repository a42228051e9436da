// The shared directory of the hosts file hangs, as when its file server is gone.
#include <filesystem>

#include "tests/integration/on_servers.h"
#include "tests/support/stalling_disk.h"

namespace pandora_ha {
namespace {

class HungDirectory : public OnServers {
 protected:
  void TearDown() override {
    if (disk_) disk_->Thaw();
    if (cluster_) cluster_->StopManager();
    disk_.reset();  // before the cluster removes what it is mounted on
    cluster_.reset();
  }
  std::unique_ptr<StallingDisk> disk_;
  std::unique_ptr<TestCluster> cluster_;
};
ON_SERVERS(HungDirectory, "MariaDB");

TEST_P(HungDirectory, DoesNotHoldUpAFailover) {
  cluster_ = std::make_unique<TestCluster>(*flavor_);
  const std::string data_in = cluster_->spec().data_in->path;
  auto disk = StallingDisk::Mount(cluster_->directory() + "/disk", data_in);
  if (!disk.ok()) GTEST_SKIP() << disk.error().message;
  disk_ = *std::move(disk);
  std::filesystem::create_directories(data_in + "/conf");
  cluster_->StartManager();
  ASSERT_TRUE(WaitWhole(*cluster_));
  const auto writer = cluster_->NewClient(true, Milliseconds(3));
  ASSERT_TRUE(WaitUntil("rows", [&] { return writer->Count().acknowledged > 20; }));

  ASSERT_TRUE(disk_->Freeze().ok());
  const TimePoint killed = SystemClock().Now().mono;
  cluster_->Signal(kNode1, SIGKILL);
  ASSERT_TRUE(
      cluster_->WaitFor("node2 is primary, and the directory is named", [](const Snapshot& s) {
        return s.status.primary == kNode2 && !s.decision.memory.promotion &&
               s.seen.publication.problem.find("has not answered") != std::string::npos;
      }));
  const std::uint64_t rows = writer->Count().acknowledged;
  ASSERT_TRUE(WaitUntil("rows", [&] { return writer->Count().acknowledged > rows + 20; }));
  std::printf("%s: no row for %s\n", GetParam(),
              FormatDuration(writer->LongestPauseSince(killed)).c_str());
  EXPECT_LT(writer->LongestPauseSince(killed), Seconds(6))
      << "one wait for the directory, not more";

  disk_->Thaw();
  ASSERT_TRUE(WaitWhole(*cluster_));
  EXPECT_EQ(FileText(data_in + "/conf/pandora_ha_hosts.conf"),
            FindNode(cluster_->spec(), kNode2)->address);
}

}  // namespace
}  // namespace pandora_ha
