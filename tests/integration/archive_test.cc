// What a replica committed by itself is counted and kept, and then it may be made anew.
#include <gmock/gmock.h>

#include <filesystem>

#include "reconciler/binlog/archive.h"
#include "tests/integration/on_servers.h"

namespace pandora_ha {
namespace {

using testing::HasSubstr;

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
  ExpectNothingLost(GetParam(), *writer_);
  ExpectSameRows(*cluster_);
}

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
  ExpectNothingLost(GetParam(), *writer_);
  ExpectSameRows(*cluster_);
}

}  // namespace
}  // namespace pandora_ha
