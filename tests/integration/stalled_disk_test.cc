// The data of one node lies on a disk that stops answering: its looks go on, its writes do not.
#include <filesystem>

#include "reconciler/substrate/local/local_cluster.h"
#include "tests/integration/on_servers.h"
#include "tests/support/stalling_disk.h"

namespace pandora_ha {
namespace {

namespace fs = std::filesystem;

class StalledDisk : public OnServers {
 protected:
  explicit StalledDisk(NodeName node = kNode1) : node_(std::move(node)) {}

  // Its data moves to a disk of its own while nothing runs: a mount point cannot be renamed, which
  // is how data is put in place.
  void SetUp() override {
    OnServers::SetUp();
    if (IsSkipped()) return;
    cluster_ = std::make_unique<TestCluster>(*flavor_);
    cluster_->StartManager();
    ASSERT_TRUE(WaitWhole(*cluster_));
    cluster_->StopManager();
    const std::string nodes = cluster_->spec().local->directory;
    const std::string data = nodes + "/" + node_.text + "/data";
    ASSERT_TRUE(StopLocalServers(nodes, {PANDORA_HA_TEST_SUPERVISOR}, SystemClock(),
                                 Deadline(SystemClock(), Seconds(20)))
                    .ok());
    fs::rename(data, data + ".moved");
    auto disk = StallingDisk::Mount(cluster_->directory() + "/disk", data);
    if (!disk.ok()) GTEST_SKIP() << disk.error().message;
    disk_ = *std::move(disk);
    fs::copy(data + ".moved", data, fs::copy_options::recursive);
    fs::remove_all(data + ".moved");
    const TimePoint started = SystemClock().Now().mono;
    cluster_->StartManager();
    ASSERT_TRUE(cluster_->WaitFor("a look of the new manager",
                                  [&](const Snapshot& s) { return s.times.began > started; }));
    ASSERT_TRUE(WaitWhole(*cluster_));
    ASSERT_EQ(cluster_->Primary(), kNode1);
    writer_ = cluster_->NewClient(true, Milliseconds(3));
    ASSERT_TRUE(WaitUntil("rows", [&] { return writer_->Count().acknowledged > 20; }));
  }
  void TearDown() override {
    if (disk_) disk_->Thaw();
    writer_.reset();
    if (cluster_) cluster_->StopManager();
    disk_.reset();
    cluster_.reset();
  }
  void ExpectNoneLost() {
    const auto lost = cluster_->CountLost(*writer_);
    ASSERT_TRUE(lost.ok()) << lost.error().message;
    EXPECT_EQ(*lost, 0u);
  }
  Duration Budget() const {
    const DetectionSpec& detection = cluster_->spec().database.detection;
    return detection.interval + (detection.connect_retries + 1) * detection.timeout;
  }

  const NodeName node_;
  std::unique_ptr<TestCluster> cluster_;
  std::unique_ptr<StallingDisk> disk_;
  std::unique_ptr<ClientWriter> writer_;
};
ON_SERVERS(StalledDisk, "MariaDB", "MySQL");

TEST_P(StalledDisk, ThePrimaryIsReplaced) {
  const TimePoint frozen = SystemClock().Now().mono;
  ASSERT_TRUE(disk_->Freeze().ok());
  ASSERT_TRUE(cluster_->WaitFor("node2 is primary", [](const Snapshot& s) {
    return s.status.primary == kNode2 && !s.decision.memory.promotion;
  }));
  EXPECT_GE(Raised(*cluster_, FindingCode::kPrimaryStalled), 1u);
  const std::uint64_t rows = writer_->Count().acknowledged;
  ASSERT_TRUE(WaitUntil("rows", [&] { return writer_->Count().acknowledged > rows + 20; }));
  const Duration pause = writer_->LongestPauseSince(frozen);
  std::printf("%s: no row for %s; the budget is %s\n", GetParam(), FormatDuration(pause).c_str(),
              FormatDuration(Budget()).c_str());
  // MariaDB's replica tries for two seconds to reach its source when it is told to stop, and the
  // kernel keeps the port of a server that cannot end.
  EXPECT_LT(pause, Budget() + (mysql() ? Milliseconds(2000) : Milliseconds(4000)));

  // What the disk held ends when it answers, and the node comes back.
  disk_->Thaw();
  bool follows = false;
  ExpectFollowsOrIsDiverged(*cluster_, kNode1, &follows);
  ExpectNoneLost();
}

TEST_P(StalledDisk, AShortStallIsNoDeath) {
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(disk_->Freeze().ok());
    usleep(static_cast<useconds_t>(Budget() / std::chrono::microseconds(1) / 2));
    disk_->Thaw();
    ASSERT_TRUE(WaitWhole(*cluster_));
    const std::uint64_t rows = writer_->Count().acknowledged;
    ASSERT_TRUE(WaitUntil("rows", [&] { return writer_->Count().acknowledged > rows + 20; }));
  }
  EXPECT_EQ(cluster_->Primary(), kNode1);
  EXPECT_FALSE(HasEvent(*cluster_, "FailoverStarted"));
  ExpectNoneLost();
}

class StalledReplica : public StalledDisk {
 protected:
  StalledReplica() : StalledDisk(kNode2) {}
};
ON_SERVERS(StalledReplica, "MariaDB", "MySQL");

// It answers, and every commit waits for what it cannot write down.
TEST_P(StalledReplica, WritesGoOnWithoutIt) {
  const TimePoint frozen = SystemClock().Now().mono;
  ASSERT_TRUE(disk_->Freeze().ok());
  ASSERT_TRUE(WaitUntil("rows after a pause",
                        [&] { return writer_->LongestPauseSince(frozen) > Milliseconds(500); }));
  std::printf("%s: no row for %s\n", GetParam(),
              FormatDuration(writer_->LongestPauseSince(frozen)).c_str());
  // A manager that has just begun lets them wait for a lease.
  EXPECT_LT(writer_->LongestPauseSince(frozen),
            cluster_->spec().lease.duration + Budget() + Seconds(1));
  disk_->Thaw();
  ASSERT_TRUE(WaitWhole(*cluster_));
  EXPECT_EQ(cluster_->Primary(), kNode1);
  EXPECT_FALSE(HasEvent(*cluster_, "FailoverStarted"));
  ExpectNoneLost();
}

// Every commit stands behind a large one for longer than the looks take, on a slow disk that works.
TEST_P(StalledDisk, ALargeTransactionIsNoStall) {
  auto session = cluster_->Connect(kNode1);
  ASSERT_TRUE(session.ok()) << session.error().message;
  const auto run = [&](const std::string& sql) {
    const Status done = (*session)->Execute(sql, Deadline(SystemClock(), Seconds(60)));
    ASSERT_TRUE(done.ok()) << sql << ": " << done.error().message;
  };
  run("CREATE DATABASE large");
  run("CREATE TABLE large.rows_ (id BIGINT AUTO_INCREMENT PRIMARY KEY, body LONGBLOB)");
  run("START TRANSACTION");
  run("INSERT INTO large.rows_ (body) VALUES (REPEAT('x', 200000))");
  for (int doubled = 0; doubled < 9; ++doubled)
    run("INSERT INTO large.rows_ (body) SELECT body FROM large.rows_");
  if (const Status slow = disk_->LimitWrites(10'000'000); !slow.ok())
    GTEST_SKIP() << slow.error().message;
  const TimePoint began = SystemClock().Now().mono;
  run("COMMIT");
  const Duration took = SystemClock().Now().mono - began;
  ASSERT_TRUE(disk_->LimitWrites(0).ok());
  const std::uint64_t rows = writer_->Count().acknowledged;
  ASSERT_TRUE(WaitUntil("rows", [&] { return writer_->Count().acknowledged > rows + 20; }));
  std::printf("%s: a commit of 100 MB took %s; no row for %s\n", GetParam(),
              FormatDuration(took).c_str(),
              FormatDuration(writer_->LongestPauseSince(began)).c_str());
  EXPECT_GT(writer_->LongestPauseSince(began), 2 * Budget()) << "or it shows nothing";
  EXPECT_EQ(cluster_->Primary(), kNode1);
  EXPECT_EQ(Raised(*cluster_, FindingCode::kPrimaryStalled), 0u);
  EXPECT_FALSE(HasEvent(*cluster_, "FailoverStarted"));
  ExpectNoneLost();
}

// Commits stand still as long, and the disk is in order.
TEST_P(StalledDisk, ALockIsNoStall) {
  auto session = cluster_->Connect(kNode1);
  ASSERT_TRUE(session.ok()) << session.error().message;
  const Deadline soon(SystemClock(), Seconds(10));
  ASSERT_TRUE((*session)->Execute("FLUSH TABLES WITH READ LOCK", soon).ok());
  usleep(static_cast<useconds_t>(2 * Budget() / std::chrono::microseconds(1)));
  ASSERT_TRUE((*session)->Execute("UNLOCK TABLES", soon).ok());
  const std::uint64_t rows = writer_->Count().acknowledged;
  ASSERT_TRUE(WaitUntil("rows", [&] { return writer_->Count().acknowledged > rows + 20; }));
  EXPECT_EQ(cluster_->Primary(), kNode1);
  EXPECT_EQ(Raised(*cluster_, FindingCode::kPrimaryStalled), 0u);
  EXPECT_FALSE(HasEvent(*cluster_, "FailoverStarted"));
}

}  // namespace
}  // namespace pandora_ha
