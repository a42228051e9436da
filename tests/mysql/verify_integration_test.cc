// Two real servers that replicate, and what is not the same on both.
#include "reconciler/mysql/verify.h"

#include <gmock/gmock.h>

#include <atomic>
#include <optional>
#include <thread>

#include "tests/mysql/pair.h"

namespace pandora_ha::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Verdict = VerifyReport::Verdict;

class VerifyTest : public OnBoth {
 protected:
  void SetUp() override {
    OnBoth::SetUp();
    if (IsSkipped()) return;
    pair_.emplace(GetParam());
    primary_ = pair_->one.Admin();
    node_ = pair_->two.Admin();
    Do(*primary_, "CREATE DATABASE v CHARACTER SET utf8mb4; USE v");
    for (
        const char* sql :
        {"CREATE TABLE tevento (id_evento BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, evento TEXT, "
         "at DATETIME NULL, value DOUBLE, kind ENUM('a','b') DEFAULT 'a', raw VARBINARY(20), flags "
         "BIT(5), price DECIMAL(9,3))",
         "CREATE TABLE tagente_datos (id_agente_modulo INT UNSIGNED NOT NULL, datos DOUBLE NULL, "
         "utimestamp BIGINT NULL, KEY data_index1 (id_agente_modulo, utimestamp))",
         "CREATE TABLE named (name VARCHAR(40) PRIMARY KEY, n INT) COLLATE utf8mb4_general_ci",
         "CREATE TABLE rare (a INT NULL, b INT NULL, KEY ab (a, b))",
         "CREATE TABLE bare (text VARCHAR(20) NULL)", "CREATE TABLE empty_one (id INT PRIMARY KEY)",
         "INSERT INTO tevento (evento, at, value, raw, flags, price) VALUES "
         "('it''s (a),\\n\\\\', '2026-11-26 01:02:03', 0.1, x'00ff27', b'10101', 1.5), "
         "(NULL, NULL, NULL, NULL, NULL, NULL), ('', NULL, -1e300, x'', b'0', 0)",
         "INSERT INTO tevento (evento, value) SELECT CONCAT('\xf0\x9f\x94\xa5', a.id_evento), "
         "a.id_evento/3 FROM tevento a, tevento b, tevento c",
         "INSERT INTO tagente_datos SELECT MOD(id_evento,3), value, FLOOR(id_evento/2) FROM "
         "tevento",
         // More of one key than a piece has rows.
         "INSERT INTO tagente_datos SELECT 2, id_evento, 1 FROM tevento",
         "INSERT INTO tagente_datos VALUES (1,NULL,NULL),(1,NULL,NULL),(1,5,NULL)",
         "INSERT INTO named SELECT CONCAT(CHAR(65+MOD(id_evento,26)), 'x\xc3\xa4', id_evento), "
         "id_evento FROM tevento",
         "INSERT INTO rare VALUES (NULL,NULL),(NULL,1),(1,NULL),(1,NULL),(1,1),(2,NULL),(2,2)",
         "INSERT INTO rare SELECT 3, id_evento FROM tevento",
         "INSERT INTO bare VALUES ('a'),('a'),(NULL)"})
      Do(*primary_, sql);
    Do(*node_, "SET GLOBAL read_only=0; SET SESSION sql_log_bin=0");
    ASSERT_EQ(Verify().verdict(), Verdict::kSame);
    Do(*node_, "USE v");
  }
  static void Do(Session& session, const std::string& sql) {
    const Status done = session.Execute(sql, In(Seconds(20)));
    ASSERT_TRUE(done.ok()) << done.error().message << "\n" << sql;
  }
  Result<VerifyReport> Try() {
    const auto primary = pair_->one.Admin(), node = pair_->two.Admin();
    return VerifyNode(*primary, *node, options_);
  }
  VerifyReport Verify() {
    auto report = Try();
    EXPECT_TRUE(report.ok()) << report.error().message;
    return report.ok() ? *std::move(report) : VerifyReport();
  }

  std::optional<Pair> pair_;
  std::unique_ptr<Session> primary_, node_;
  VerifyOptions options_{.schema = "v",
                         .tables = {},
                         .rows_a_piece = 7,
                         .patience = Seconds(20),
                         .locked = Seconds(2),
                         .progress = {}};
};
ON_BOTH_SERVERS(VerifyTest);

TEST_P(VerifyTest, EveryRowIsInOnePiece) {
  VerifyProgress last;
  options_.progress = [&](const VerifyProgress& progress) { last = progress; };
  for (const std::size_t rows : {1u, 2u, 7u, 1000u}) {
    options_.rows_a_piece = rows;
    const VerifyReport report = Verify();
    EXPECT_EQ(report.verdict(), Verdict::kSame);
    std::uint64_t all = 0;
    for (const auto& [name, table] : report.tables) {
      EXPECT_EQ(std::to_string(table.rows), pair_->one.Sql("SELECT COUNT(*) FROM v." + name))
          << name << " by " << rows;
      all += table.rows;
    }
    EXPECT_EQ(last.rows, all);
    EXPECT_EQ(report.tables.at("bare").pieces, 1u);
    EXPECT_EQ(report.tables.at("empty_one").pieces, 1u);
    EXPECT_GE(report.tables.at("tagente_datos").pieces, rows == 7 ? 5u : 1u);
  }
}

TEST_P(VerifyTest, WhatDiffersIsCountedAndNamed) {
  Do(*node_,
     "DELETE FROM tevento WHERE id_evento=9; UPDATE tevento SET kind='b' WHERE "
     "id_evento=20; INSERT INTO tevento (id_evento) VALUES (1000)");
  Do(*node_,
     "UPDATE tagente_datos SET datos=datos+1 WHERE id_agente_modulo=0 AND utimestamp=3; "
     "INSERT INTO tagente_datos VALUES (1,NULL,NULL)");
  Do(*node_, "UPDATE named SET name=UPPER(name) WHERE n=5");
  Do(*node_, "INSERT INTO rare VALUES (NULL,NULL)");
  Do(*node_, "DELETE FROM bare WHERE text='a' LIMIT 1");
  const VerifyReport report = Verify();
  EXPECT_EQ(report.verdict(), Verdict::kDifferent);
  std::vector<std::string> examples;
  std::uint64_t only_primary = 0, only_node = 0, not_the_same = 0;
  for (const auto& [name, table] : report.tables) {
    for (const PieceDifference& one : table.differences) {
      EXPECT_TRUE(one.settled) << name << " " << one.where;
      only_primary += one.only_primary;
      only_node += one.only_node;
      not_the_same += one.not_the_same;
      for (const std::string& example : one.examples) examples.push_back(name + ": " + example);
    }
  }
  EXPECT_EQ(only_primary, 2u + 1u) << "the old name has gone, too";
  EXPECT_EQ(only_node, 3u + 1u);
  EXPECT_EQ(not_the_same, 2u);
  EXPECT_THAT(examples, ::testing::IsSupersetOf({"tevento: id_evento 9 is only on the primary",
                                                 "tevento: id_evento 20 is not the same",
                                                 "tevento: id_evento 1000 is only on the node",
                                                 "rare: a NULL, b NULL is only on the node",
                                                 "bare: a row is only on the primary"}));
  EXPECT_TRUE(report.tables.at("empty_one").differences.empty());
}

TEST_P(VerifyTest, WhatIsWrittenMeanwhileIsNoDifference) {
  std::atomic<bool> over = false;
  std::thread writer([&] {
    const auto session = pair_->one.Admin();
    for (int i = 0; !over; ++i) {
      std::this_thread::sleep_for(Milliseconds(2));  // a replica that is outrun never catches up
      const std::string n = std::to_string(i);
      [[maybe_unused]] const Status done = session->Execute(
          "UPDATE v.tevento SET value=" + n +
              " WHERE id_evento<6; INSERT INTO v.tagente_datos "
              "VALUES (" +
              std::to_string(i % 3) + "," + n + "," + n +
              "); INSERT INTO v.tevento (evento) VALUES ('new'); DELETE FROM v.tevento WHERE "
              "id_evento=40+" +
              n + "; UPDATE v.bare SET text='" + n + "' WHERE text IS NOT NULL LIMIT 1",
          In(Seconds(20)));
    }
  });
  for (int i = 0; i < 5; ++i) {
    const VerifyReport report = Verify();
    for (const auto& [name, table] : report.tables) {
      for (const PieceDifference& one : table.differences)
        ADD_FAILURE() << name << " " << one.where << " " << one.settled << one.on_primary << " "
                      << one.on_node;
    }
  }
  over = true;
  writer.join();
}

TEST_P(VerifyTest, TablesThatCannotBeComparedAreSaid) {
  Do(*node_, "ALTER TABLE named ADD COLUMN more INT; DROP TABLE bare; CREATE TABLE added (id INT)");
  const VerifyReport report = Verify();
  EXPECT_EQ(report.verdict(), Verdict::kDifferent);
  EXPECT_THAT(report.tables.at("named").why_not, HasSubstr("columns"));
  EXPECT_THAT(report.tables.at("bare").why_not, HasSubstr("the node has no"));
  EXPECT_THAT(report.tables.at("added").why_not, HasSubstr("the primary has no"));
  options_.tables = {"tevento", "nowhere"};
  const VerifyReport some = Verify();
  EXPECT_EQ(some.tables.size(), 2u);
  EXPECT_EQ(some.tables.at("tevento").why_not, "");
  EXPECT_THAT(some.tables.at("nowhere").why_not, HasSubstr("no such table"));
}

TEST_P(VerifyTest, ANodeThatDoesNotFollowIsSaid) {
  Do(*node_, pair_->StopApplier());
  Do(*primary_, "INSERT INTO tevento (evento) VALUES ('later')");
  options_.patience = Seconds(1);
  const auto report = Try();
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code, ErrorCode::kConflict);
  EXPECT_THAT(report.error().message, HasSubstr("does not follow"));
}

}  // namespace
}  // namespace pandora_ha::testing
