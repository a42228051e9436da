// A replica whose data is made anew from the primary's, while the primary goes on.
#include <gmock/gmock.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "reconciler/substrate/local/copy_work.h"
#include "reconciler/substrate/local/process.h"
#include "tests/integration/on_servers.h"

namespace pandora_ha {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

class Resyncing : public OnServers {
 protected:
  void StartWhole(const ResyncSpec& declared = {}) {
    cluster_.emplace(*flavor_, 2, [&](ClusterSpec& spec) {
      spec.database.resync = declared;
      spec.database.resync.sleep = Seconds(1);
      spec.database.resync.wait_retries = 3;
    });
    cluster_->StartManager();
    ASSERT_TRUE(WaitWhole(*cluster_));
    writer_ = cluster_->NewWriter();
    ASSERT_TRUE(WaitAcknowledged(*writer_, 100));
    ASSERT_TRUE(WaitUntil("the table on the replica", [&] {
      return cluster_->Ask(kNode2, std::string("SELECT 1 FROM ") + kDemoTable + " LIMIT 1").ok();
    }));
  }
  IntentState Ask(Wish wish) {
    const auto record = cluster_->WaitForEnd(cluster_->HandIn(std::move(wish)), Seconds(120));
    if (!record) return IntentState::kUnderWay;
    says_ = record->says;
    return record->state;
  }
  // The same tools as ours, called by a shell script. It waits while Hold() is in force.
  ResyncSpec ByScript() {
    ResyncSpec declared;
    const auto program = FindServerProgram(flavor_->flavor, flavor_->server_root,
                                           Deadline(SystemClock(), Seconds(10)));
    const auto tool = FindTool(*program, mysql() ? "mysql" : "mariadb-backup");
    EXPECT_TRUE(tool.ok()) << (tool.ok() ? "" : tool.error().message);
    std::string call;
    for (const std::string& word : tool->argv) call += word + " ";
    const std::string copies =
        mysql() ? "rmdir $PANDORA_HA_DATA\n" + call +
                      "--no-defaults -u$user -p$pass -S $PANDORA_HA_SOURCE_SOCKET -e \"CLONE LOCAL "
                      "DATA DIRECTORY = '$PANDORA_HA_DATA'\"\n"
                : call +
                      "--backup --user=$user --password=$pass "
                      "--socket=$PANDORA_HA_SOURCE_SOCKET --datadir=$PANDORA_HA_SOURCE_DATA "
                      "--target-dir=$PANDORA_HA_DATA\n" +
                      call + "--prepare --target-dir=$PANDORA_HA_DATA\n";
    folder_ = ::testing::TempDir() + "pandora-ha-script.XXXXXX";
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
    declared.method = ResyncMethod::kScript;
    declared.script = folder_ + "/resync";
    std::ofstream(declared.script) << "#!/bin/sh -e\ncd " << folder_ << "\n"
                                   << "while [ -e hold ]; do sleep 0.1; done\n"
                                   << "echo $# $2 $3 >>calls\n"
                                   << "user=$(sed -n 's/^dbuser //p' $1)\n"
                                   << "pass=$(sed -n 's/^dbpass //p' $1)\n"
                                   << copies;
    fs::permissions(declared.script, fs::perms::owner_all);
    return declared;
  }
  void Hold() const { std::ofstream(folder_ + "/hold") << "no copy yet"; }
  void LetGo() const { fs::remove(folder_ + "/hold"); }
  void TearDown() override {
    if (!folder_.empty()) fs::remove_all(folder_);
  }
  // node2 misses what node1 has purged.
  void Purge() {
    ASSERT_EQ(Ask(Fence{kNode2}), IntentState::kDone);
    ASSERT_TRUE(cluster_->WaitFor("node2 is down", [](const Snapshot& s) {
      const auto& process = FindSeen(s.seen, kNode2)->process;
      return process.known() && process->phase != ProcessState::Phase::kRunning;
    }));
    ASSERT_TRUE(WaitAcknowledged(*writer_, 50));
    ASSERT_TRUE(cluster_->Ask(kNode1, "FLUSH BINARY LOGS").ok());
    ASSERT_TRUE(WaitAcknowledged(*writer_, 50));
    const auto logs = cluster_->Ask(kNode1, "SHOW BINARY LOGS");
    ASSERT_TRUE(logs.ok());
    ASSERT_TRUE(
        cluster_->Ask(kNode1, "PURGE BINARY LOGS TO '" + *logs->cells.back()[0] + "'").ok());
    ASSERT_EQ(Ask(Unfence{kNode2}), IntentState::kDone);
    ASSERT_TRUE(cluster_->WaitFor("only a copy helps node2", [](const Snapshot& s) {
      return HasFinding(s, FindingCode::kReplicaBroken, kNode2);
    }));
  }
  void ExpectWholeAndNothingLost() {
    ASSERT_TRUE(WaitWhole(*cluster_));
    ASSERT_TRUE(WaitAcknowledged(*writer_, 50));
    ExpectNothingLost(GetParam(), *writer_);
    ExpectSameRows(*cluster_);
    EXPECT_TRUE(WaitUntil("the old data is gone", [&] {
      return !fs::exists(Directory("/data.old")) && !fs::exists(Directory("/data.new")) &&
             !fs::exists(Directory("/data.seed"));
    }));
  }
  std::string Directory(const std::string& name) const {
    return cluster_->spec().local->directory + "/node2" + name;
  }
  pid_t CopierPid() const {
    const auto found = FindProcesses("--datadir=" + Directory("/data.new"));
    return found.ok() && !found->empty() ? found->front().pid : 0;
  }

  std::optional<TestCluster> cluster_;
  std::unique_ptr<DemoWriter> writer_;
  std::string says_, folder_;
};
ON_SERVERS(Resyncing, "MariaDB", "MariaDB118", "MySQL");

TEST_P(Resyncing, APurgedReplicaIsMadeAnewAndCanBePromoted) {
  StartWhole();
  Purge();
  if (HasFatalFailure()) return;
  const TimePoint began = SystemClock().Now().mono;
  EXPECT_EQ(Ask(Resync{kNode2}), IntentState::kDone) << says_;
  std::printf("%s: made anew in %s\n", GetParam(),
              FormatDuration(SystemClock().Now().mono - began).c_str());
  EXPECT_TRUE(HasEvent(*cluster_, "ResyncStarted"));
  EXPECT_TRUE(WaitUntil("ResyncDone", [&] { return HasEvent(*cluster_, "ResyncDone"); }));
  ASSERT_TRUE(WaitWhole(*cluster_));
  // It has the right to a lossless promotion again, and the old primary follows it.
  EXPECT_EQ(Ask(Switchover{kNode2}), IntentState::kDone) << says_;
  ExpectWholeAndNothingLost();
}

// With its accounts and routines, and whatever its names and texts say.
TEST_P(Resyncing, ADumpBringsEverythingAndObeysNothing) {
  ResyncSpec declared;
  declared.method = ResyncMethod::kDump;
  StartWhole(declared);
  if (HasFatalFailure()) return;
  const std::string victim = "/tmp/pha-obeyed-" + std::to_string(getpid());
  const std::string command = "\n\\! touch " + victim + "\n";
  const std::string table = "pandora.`a" + command + "b`";
  const auto on_primary = [&](const std::string& sql) {
    const auto done = cluster_->Ask(kNode1, sql);
    EXPECT_TRUE(done.ok()) << sql << ": " << (done.ok() ? "" : done.error().message);
  };
  on_primary("CREATE TABLE " + table + " (id INT PRIMARY KEY, t TEXT)");
  on_primary("INSERT INTO " + table + " VALUES (1, CONCAT('" + command +
             "', 'it''s (\"quoted\");')), (2, NULL), (3, CONVERT(0xF09F9880 USING utf8mb4))");
  on_primary("CREATE FUNCTION pandora.twice(x INT) RETURNS INT DETERMINISTIC RETURN 2*x");
  on_primary("CREATE USER site@localhost IDENTIFIED BY 'Secret-1'");
  on_primary("GRANT SELECT ON pandora.* TO site@localhost");
  Purge();
  if (HasFatalFailure()) return;
  EXPECT_EQ(Ask(Resync{kNode2}), IntentState::kDone) << says_;
  ASSERT_TRUE(WaitWhole(*cluster_));
  EXPECT_FALSE(fs::exists(victim)) << "a command of the dump was run";
  for (const std::string& sql :
       {"SELECT SHA2(GROUP_CONCAT(COALESCE(t, 'none') ORDER BY id), 256) FROM " + table,
        std::string("SELECT pandora.twice(21)"),
        std::string("SELECT COUNT(*) FROM mysql.user WHERE user='site'"),
        std::string("SELECT COUNT(*) FROM mysql.db WHERE user='site'")}) {
    EXPECT_EQ(cluster_->Value(kNode2, sql), cluster_->Value(kNode1, sql)) << sql;
  }
  EXPECT_EQ(cluster_->Value(kNode2, "SELECT pandora.twice(21)"), "42");
  // It knows what it has: it can lead, and the old primary follows it.
  EXPECT_EQ(Ask(Switchover{kNode2}), IntentState::kDone) << says_;
  ExpectWholeAndNothingLost();
}

// A site's own way: here the same tools as ours, called by a shell script.
TEST_P(Resyncing, AScriptOfTheSiteMakesTheCopy) {
  StartWhole(ByScript());
  if (HasFatalFailure()) return;
  Purge();
  if (HasFatalFailure()) return;
  EXPECT_EQ(Ask(Resync{kNode2}), IntentState::kDone) << says_;
  const auto& nodes = cluster_->spec().database.nodes;
  EXPECT_EQ(FileText(folder_ + "/calls"), "3 " + nodes[0].address + " " + nodes[1].address + "\n");
  ASSERT_TRUE(WaitWhole(*cluster_));
  EXPECT_EQ(Ask(Switchover{kNode2}), IntentState::kDone) << says_;
  ExpectWholeAndNothingLost();
}

TEST_P(Resyncing, WhoeverDiesTheOldDataStaysUntilTheNewIsWhole) {
  StartWhole();
  Purge();
  if (HasFatalFailure()) return;
  const std::string id = cluster_->HandIn(Resync{kNode2});
  ASSERT_TRUE(WaitUntil("the copier", [&] { return CopierPid() > 0; }));
  kill(CopierPid(), SIGKILL);
  ASSERT_TRUE(WaitUntil("an attempt has failed", [&] {
    const auto& rebuild = MemoryOf(cluster_->Last()->decision.memory, kNode2).rebuild;
    return rebuild && rebuild->failures == 1;
  }));
  EXPECT_TRUE(fs::exists(Directory("/data")));
  // The second attempt's supervisor dies; the next one ends its copier and begins anew.
  ASSERT_TRUE(WaitUntil("the copier", [&] { return CopierPid() > 0; }));
  const auto supervisor = FindProcesses(Directory(""));
  ASSERT_TRUE(supervisor.ok() && !supervisor->empty());
  kill(supervisor->front().pid, SIGKILL);
  const auto record = cluster_->WaitForEnd(id, Seconds(120));
  ASSERT_TRUE(record);
  EXPECT_EQ(record->state, IntentState::kDone) << record->says;
  ExpectWholeAndNothingLost();
}

TEST_P(Resyncing, ItIsGivenUpAndTheOldDataServesWhenNoAttemptSucceeds) {
  StartWhole(ByScript());
  Purge();
  if (HasFatalFailure()) return;
  Hold();
  const std::string id = cluster_->HandIn(Resync{kNode2});
  for (int attempt = 1; attempt <= 4; ++attempt) {
    ASSERT_TRUE(WaitUntil("the copier", [&] { return CopierPid() > 0; }));
    const pid_t copier = CopierPid();
    kill(copier, SIGKILL);
    ASSERT_TRUE(WaitUntil("its end", [&] { return kill(copier, 0) != 0; }));
  }
  const auto record = cluster_->WaitForEnd(id, Seconds(60));
  ASSERT_TRUE(record);
  EXPECT_EQ(record->state, IntentState::kTakenBack);
  EXPECT_THAT(record->says, HasSubstr("attempt 4, the last"));
  EXPECT_TRUE(WaitUntil("ResyncFailed", [&] { return HasEvent(*cluster_, "ResyncFailed"); }));
  ASSERT_TRUE(cluster_->WaitFor("the old data serves", [](const Snapshot& s) {
    return HasFinding(s, FindingCode::kRebuildFailed, kNode2) &&
           HasFinding(s, FindingCode::kReplicaBroken, kNode2);
  }));
  // A person asks again.
  LetGo();
  EXPECT_EQ(Ask(Resync{kNode2}), IntentState::kDone) << says_;
  ExpectWholeAndNothingLost();
}

TEST_P(Resyncing, RowsThatAreNotArchivedAreNeverOverwritten) {
  StartWhole();
  if (HasFatalFailure()) return;
  std::ofstream(Directory("/archive")) << "in the way of the folder";
  const std::string open =
      mysql() ? "SET GLOBAL super_read_only=0; SET GLOBAL read_only=0" : "SET GLOBAL read_only=0";
  ASSERT_TRUE(cluster_->Ask(kNode2, open).ok());
  ASSERT_TRUE(cluster_->Ask(kNode2, "CREATE TABLE pandora.mine (id INT PRIMARY KEY)").ok());
  ASSERT_TRUE(cluster_->WaitFor("NodeDiverged", [](const Snapshot& s) {
    return HasFinding(s, FindingCode::kNodeDiverged, kNode2);
  }));
  EXPECT_EQ(Ask(Resync{kNode2}), IntentState::kRefused);
  EXPECT_THAT(says_, HasSubstr("not archived yet"));
  EXPECT_THAT(says_, HasSubstr("--set-aside"));
  ASSERT_TRUE(cluster_->WaitFor("ArchiveFailed", [](const Snapshot& s) {
    return HasFinding(s, FindingCode::kArchiveFailed, kNode2);
  }));
  EXPECT_EQ(Ask(Resync{kNode1, true}), IntentState::kRefused);
  EXPECT_THAT(says_, HasSubstr("it is the primary"));
  EXPECT_EQ(Ask(Resync{kNode2, true}), IntentState::kDone) << says_;
  ExpectWholeAndNothingLost();
  bool kept = false;
  for (const auto& entry : fs::directory_iterator(Directory(""))) {
    if (entry.path().filename().string().starts_with("data.aside-"))
      kept = fs::exists(entry.path() / "pandora" / "mine.ibd");
  }
  EXPECT_TRUE(kept) << "the data with its rows";
}

}  // namespace
}  // namespace pandora_ha
