// What a replica committed by itself is counted and kept, and then it may be made anew.
#include <gmock/gmock.h>

#include <filesystem>

#include "reconciler/binlog/archive.h"
#include "reconciler/substrate/local/merger.h"
#include "tests/integration/on_servers.h"
#include "tests/support/pandora_tables.h"

namespace pandora_ha {
namespace {

using testing::HasSubstr;
using testing::Not;

class Archiving : public OnServers {
 protected:
  void StartWhole(SplitBrainSpec declared) {
    cluster_.emplace(*flavor_, 2, [&](ClusterSpec& spec) { spec.database.split_brain = declared; });
    cluster_->StartManager();
    ASSERT_TRUE(WaitWhole(*cluster_));
    writer_ = cluster_->NewWriter();
    ASSERT_TRUE(WaitAcknowledged(*writer_, 100));
    ASSERT_TRUE(WaitUntil("the table on the replica", [&] {
      return cluster_->Ask(kNode2, std::string("SELECT 1 FROM ") + kDemoTable + " LIMIT 1").ok();
    }));
  }
  // Somebody opens node2 behind our back and writes.
  void Diverge() {
    const auto schema = cluster_->spec().database.schema;
    for (const std::string& sql :
         {"CREATE TABLE " + schema + ".own (id INT PRIMARY KEY, text VARCHAR(200))",
          "INSERT INTO " + schema + ".own VALUES (1,'it''s (own);\\n'),(2,'two'),(3,NULL)",
          "UPDATE " + schema + ".own SET text='changed' WHERE id=2"}) {
      // The manager closes it again and again.
      ASSERT_TRUE(WaitUntil("a write on node2", [&] {
        return cluster_->Ask(kNode2, "SET GLOBAL read_only=0").ok() &&
               cluster_->Ask(kNode2, sql).ok();
      })) << sql;
    }
  }
  void ExpectWhole() {
    ExpectNothingLost(GetParam(), *writer_);
    ExpectSameRows(*cluster_);
    // Its own transactions are not what a restart may lose.
    const auto history = cluster_->History();
    ASSERT_TRUE(history.ok());
    for (const Event& event : *history)
      EXPECT_THAT(event.message, Not(HasSubstr("ReceivedTailLost")));
  }
  const NodeStatus& Node2(const Snapshot& s) { return s.status.nodes.at(1); }

  std::optional<TestCluster> cluster_;
  std::unique_ptr<DemoWriter> writer_;
};
ON_SERVERS(Archiving, "MariaDB", "MariaDB118", "MySQL");

TEST_P(Archiving, OwnRowsAreCountedAndKeptBeforeTheNodeIsMadeAnew) {
  StartWhole({});
  Diverge();
  if (HasFatalFailure()) return;
  ASSERT_TRUE(cluster_->WaitFor("node2's own rows are archived",
                                [&](const Snapshot& s) { return !Node2(s).archive.empty(); }));
  const auto told = cluster_->Last();
  const NodeStatus node = Node2(*told);
  EXPECT_EQ(node.divergence->transactions - node.divergence->marks, 3u);
  const std::string table = cluster_->spec().database.schema + ".own";
  EXPECT_EQ(node.divergence->tables.at(table), (RowCounts{3, 1, 0}));
  EXPECT_EQ(node.divergence->statement_count, 1u) << "the table itself";
  EXPECT_TRUE(VerifyArchive(node.archive).ok());
  EXPECT_TRUE(WaitUntil("RowsArchived", [&] { return HasEvent(*cluster_, "RowsArchived"); }));
  EXPECT_TRUE(HasFinding(*told, FindingCode::kNodeDiverged, kNode2));
  EXPECT_FALSE(*node.writable);

  const auto record = cluster_->WaitForEnd(cluster_->HandIn(Resync{kNode2}), Seconds(120));
  ASSERT_TRUE(record);
  EXPECT_EQ(record->state, IntentState::kDone) << record->says;
  ASSERT_TRUE(WaitWhole(*cluster_));
  EXPECT_FALSE(cluster_->Ask(kNode2, "SELECT 1 FROM " + table).ok());
  const auto manifest = ReadManifest(node.archive);
  ASSERT_TRUE(manifest.ok()) << manifest.error().message;
  EXPECT_EQ(manifest->divergence, *node.divergence);
  EXPECT_TRUE(VerifyArchive(node.archive).ok()) << "the new data has not touched it";
  ExpectWhole();
}

class Marks : public Archiving {};
ON_SERVERS(Marks, "MySQL");

// Nobody misses them, so that no data is copied and no person is asked.
TEST_P(Marks, OfAManagerThatOnlyTheReplicaHasDoNotKeepItOut) {
  StartWhole({});
  const std::string row = cluster_->spec().database.schema + ".pandora_ha_heartbeat";
  const std::string server = "SELECT @@server_uuid";
  ASSERT_TRUE(WaitUntil("node2 writes a mark by itself", [&] {
    return cluster_
        ->Ask(kNode2,
              "SET GLOBAL read_only=0; UPDATE " + row + " SET written_at_ms=written_at_ms+1")
        .ok();
  }));
  ASSERT_TRUE(WaitUntil("node1 counts it as executed", [&] {
    const auto uuid = cluster_->Ask(kNode2, server);
    const auto found = cluster_->Ask(
        kNode1, "SELECT @@gtid_executed LIKE '%" + (uuid.ok() ? *uuid->cells[0][0] : "?") + "%'");
    return found.ok() && *found->cells[0][0] == "1";
  }));
  ASSERT_TRUE(WaitWhole(*cluster_));
  EXPECT_FALSE(HasEvent(*cluster_, "ResyncStarted"));
  ExpectWhole();
}

// It created a table, which is not rewound.
TEST_P(Archiving, WhereRowsAreToStayInTheArchiveTheNodeComesBackByItself) {
  SplitBrainSpec declared;
  declared.autofix = true;
  declared.rows = SplitBrainRows::kArchive;
  StartWhole(declared);
  Diverge();
  if (HasFatalFailure()) return;
  EXPECT_TRUE(WaitUntil("RowsArchived", [&] { return HasEvent(*cluster_, "RowsArchived"); }));
  ASSERT_TRUE(WaitUntil("ResyncDone", [&] { return HasEvent(*cluster_, "ResyncDone"); }));
  ASSERT_TRUE(WaitWhole(*cluster_));
  ExpectWhole();
}

// What can be added is added, once; what cannot stays in the archive; then the node is whole again.
TEST_P(Archiving, WhereRowsAreToBeMergedThePrimaryGetsThemAndTheNodeComesBackByItself) {
  SplitBrainSpec declared;
  declared.autofix = true;
  StartWhole(declared);
  const auto schema = cluster_->spec().database.schema;
  const std::string use = "USE " + schema + "; ";
  const std::string events = "FROM " + schema + ".tevento";
  ASSERT_TRUE(cluster_->Ask(kNode1, use + kPandoraTables).ok());
  ASSERT_TRUE(WaitUntil("node2 has them", [&] {
    const auto found = cluster_->Ask(kNode2, "SELECT evento " + events);
    return found.ok() && !found->empty();
  }));
  // The manager closes node2 again and again; all of it is one transaction.
  ASSERT_TRUE(WaitUntil("node2 writes by itself", [&] {
    return cluster_
        ->Ask(kNode2, "SET GLOBAL read_only=0; " + use +
                          "BEGIN; INSERT INTO tevento VALUES (2,1,'its own',1700000001,10); "
                          "INSERT INTO tagente_datos VALUES (10,1.5,1700000001); "
                          "UPDATE tevento SET evento='changed' WHERE id_evento=1; COMMIT")
        .ok();
  }));
  std::string archive;
  ASSERT_TRUE(cluster_->WaitFor("node2's rows are merged", [&](const Snapshot& s) {
    archive = Node2(s).archive;
    return Node2(s).merged.has_value();
  }));
  EXPECT_TRUE(WaitUntil("RowsMerged", [&] { return HasEvent(*cluster_, "RowsMerged"); }));
  const bool rewinds = flavor_->flavor == Flavor::kMariaDb;
  ASSERT_TRUE(WaitUntil(
      "it is back", [&] { return HasEvent(*cluster_, rewinds ? "NodeRewound" : "ResyncDone"); }));
  ASSERT_TRUE(WaitWhole(*cluster_));
  EXPECT_NE(HasEvent(*cluster_, "ResyncStarted"), rewinds);
  for (const NodeName& node : {kNode1, kNode2}) {
    const auto rows = [&] {
      const auto found = cluster_->Ask(
          node,
          "SELECT CONCAT(GROUP_CONCAT(evento ORDER BY id_evento), ' ', (SELECT SUM(datos) "
          "FROM " +
              schema + ".tagente_datos)) " + events);
      return found.ok() ? found->cells[0][0].value_or("NULL") : found.error().message;
    };
    // A replica that follows again may be a moment behind.
    EXPECT_TRUE(WaitUntil("the rows", [&] { return rows() == "of both,its own 1.5"; }))
        << node.text << ": " << rows();
  }
  const auto account = ReadMergeAccount(archive);
  ASSERT_TRUE(account.ok()) << account.error().message;
  EXPECT_EQ(account->rows, (MergedRows{2, 0, 1, 0}));
  EXPECT_TRUE(WaitUntil("NodeVerified", [&] { return HasEvent(*cluster_, "NodeVerified"); }));
  EXPECT_FALSE(HasFinding(*cluster_->Last(), FindingCode::kRowsDiffer, kNode2));
  ExpectWhole();
}

class Rewound : public Archiving {};
ON_SERVERS(Rewound, "MariaDB");

// A row that node2 lost long before, without a trace in any log.
TEST_P(Rewound, ANodeWhoseRowsDifferIsToldUntilItIsMadeAnew) {
  SplitBrainSpec declared;
  declared.autofix = true;
  declared.rows = SplitBrainRows::kArchive;
  StartWhole(declared);
  const auto schema = cluster_->spec().database.schema;
  const std::string use = "USE " + schema + "; ";
  ASSERT_TRUE(cluster_->Ask(kNode1, use + kPandoraTables).ok());
  ASSERT_TRUE(WaitUntil("node2 has them", [&] {
    const auto found = cluster_->Ask(kNode2, "SELECT 1 FROM " + schema + ".tevento");
    return found.ok() && !found->empty();
  }));
  ASSERT_TRUE(
      cluster_
          ->Ask(kNode2, use + "SET SESSION sql_log_bin=0; DELETE FROM tevento WHERE id_evento=1")
          .ok());
  ASSERT_TRUE(WaitUntil("node2 writes by itself", [&] {
    return cluster_
        ->Ask(kNode2, use +
                          "SET GLOBAL read_only=0; INSERT INTO tagente_datos VALUES "
                          "(10,1.5,1700000001)")
        .ok();
  }));
  std::string says;
  ASSERT_TRUE(cluster_->WaitFor("RowsDiffer", [&](const Snapshot& s) {
    for (const Finding& finding : s.status.findings) {
      if (finding.code == FindingCode::kRowsDiffer) says = finding.says;
    }
    return !says.empty();
  }));
  EXPECT_THAT(says, HasSubstr("tevento: 1 row only on node1"));
  EXPECT_TRUE(HasEvent(*cluster_, "NodeRewound"));
  EXPECT_FALSE(HasEvent(*cluster_, "NodeVerified"));
  const auto record = cluster_->WaitForEnd(cluster_->HandIn(Resync{kNode2}), Seconds(120));
  ASSERT_TRUE(record);
  EXPECT_EQ(record->state, IntentState::kDone) << record->says;
  ASSERT_TRUE(WaitWhole(*cluster_));
  ExpectWhole();
}

}  // namespace
}  // namespace pandora_ha
