// A node's own transactions, taken back from their archive on a real server.
#include "reconciler/mysql/rewind.h"

#include <gmock/gmock.h>

#include <random>

#include "reconciler/binlog/archive.h"
#include "tests/binlog/one_server.h"

namespace pandora_ha::testing {
namespace {

using ::testing::HasSubstr;

const std::vector<std::string>& Schema() {
  static const std::vector<std::string> kStatements = {
      "CREATE TABLE tagente (id_agente INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, nombre "
      "VARCHAR(600) NOT NULL DEFAULT '')",
      "CREATE TABLE tagente_datos (id_agente_modulo INT UNSIGNED NOT NULL DEFAULT 0, datos DOUBLE "
      "DEFAULT NULL, utimestamp BIGINT DEFAULT 0, KEY data_index1 (id_agente_modulo, utimestamp))",
      "CREATE TABLE tevento (id_evento BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, estado "
      "TINYINT UNSIGNED NOT NULL DEFAULT 0, timestamp DATETIME NOT NULL DEFAULT '1970-01-01 "
      "00:00:00', evento TEXT, event_type ENUM('unknown','system','error') DEFAULT 'unknown')",
      "CREATE TABLE tevent_comment (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, "
      "id_event BIGINT UNSIGNED NOT NULL, comment TEXT, FOREIGN KEY (id_event) REFERENCES "
      "tevento(id_evento) ON UPDATE CASCADE ON DELETE CASCADE)",
      "CREATE TABLE kinds (a TINYINT, b BIGINT UNSIGNED, c FLOAT, d DECIMAL(20,6), e DATE, f "
      "DATETIME(3), g TIMESTAMP(6) NULL, h SET('x','y','z'), i BLOB, j VARCHAR(200) CHARACTER SET "
      "latin1, k CHAR(20), l MEDIUMINT, KEY (a))",
      "CREATE TABLE pandora_ha_heartbeat (id TINYINT UNSIGNED NOT NULL PRIMARY KEY, epoch BIGINT "
      "UNSIGNED NOT NULL, writer VARCHAR(253) NOT NULL, written_at_ms BIGINT NOT NULL)",
      "INSERT INTO pandora_ha_heartbeat VALUES (1,7,'node1',0)",
      "INSERT INTO tagente VALUES (1,'web'),(2,'db')",
      "INSERT INTO tagente_datos VALUES (1,0.1,100),(1,0.1,100),(1,NULL,100),(2,-3.5e300,101)",
      "INSERT INTO tevento (id_evento,evento) VALUES (100,'it''s (up)'),(101,NULL)",
      "INSERT INTO tevent_comment VALUES (1,100,'seen')"};
  return kStatements;
}

class RewindTest : public OneServer {
 protected:
  void SetUp() override {
    OneServer::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    for (const std::string& sql : Schema()) Do(sql);
    Part();
  }
  // What both sides have ends here.
  void Part() {
    known_ = Executed();
    before_ = Sums();
  }
  // Of all rows of all tables, in any order.
  std::vector<std::string> Sums() const {
    const auto tables = session_->Query(
        "SELECT TABLE_NAME AS t FROM information_schema.TABLES WHERE TABLE_SCHEMA='pandora' AND "
        "TABLE_NAME<>'pandora_ha_rewound' ORDER BY 1",
        In(Seconds(10)));
    std::vector<std::string> sums;
    for (std::size_t i = 0; i < tables->size(); ++i) {
      const std::string table = RowReader(*tables, i).Text("t");
      sums.push_back(table + " " + server_->Sql("CHECKSUM TABLE pandora." + table + " EXTENDED"));
    }
    return sums;
  }
  std::string Archive() {
    const std::string id = "node1-" + std::to_string(++archives_);
    const auto made = MakeArchive(
        {id, NodeName("node1"), GetParam(), Data() + "/bin.index",
         server_->directory() + "/archive", "pandora", known_, Executed().Subtract(known_)},
        [](std::int64_t, std::int64_t) {}, SystemClock().Now().wall);
    EXPECT_TRUE(made.ok()) << made.error().message;
    Do("SET GLOBAL read_only=1");
    return server_->directory() + "/archive/" + id;
  }
  Result<RewindReport> Rewind(RewindOptions options) const {
    const auto session = server_->Admin();
    return RewindNode(*session, options);
  }
  void ExpectAsBefore() const {
    EXPECT_EQ(Sums(), before_);
    EXPECT_EQ(Executed(), known_);
    EXPECT_EQ(server_->Sql("SELECT @@gtid_strict_mode"), "1");
    EXPECT_EQ(server_->Sql("SHOW TABLES FROM pandora LIKE 'pandora_ha_rew%'"), "");
  }
  // The first words of an error, of a node on which nothing has changed.
  void ExpectRefused(const std::string& why, RewindOptions options,
                     ErrorCode code = ErrorCode::kUnsupported) const {
    const GtidSet executed = Executed();
    const auto sums = Sums();
    const auto rewound = Rewind(std::move(options));
    ASSERT_FALSE(rewound.ok()) << why;
    EXPECT_EQ(rewound.error().code, code) << rewound.error().message;
    EXPECT_THAT(rewound.error().message, HasSubstr(why));
    EXPECT_EQ(Sums(), sums) << why;
    EXPECT_EQ(Executed(), executed) << why;
  }

  GtidSet known_;
  std::vector<std::string> before_;
  int archives_ = 0;
};
INSTANTIATE_TEST_SUITE_P(Servers, RewindTest, ::testing::Values(Flavor::kMariaDb),
                         [](const auto& flavor) { return std::string(ToString(flavor.param)); });

std::string RandomChange(std::mt19937& random) {
  const auto number = [&](unsigned below) { return std::to_string(random() % below); };
  switch (random() % 12) {
    case 0:
      return "INSERT INTO tagente (nombre) VALUES ('a" + number(9) + "\\\\ \xF0\x9F\x90\x98')";
    case 1:
      return "UPDATE tagente SET nombre=UPPER(nombre) WHERE id_agente%3=" + number(3);
    case 2:
      return "DELETE FROM tagente WHERE id_agente=" + number(40);
    case 3:
      return "INSERT INTO tagente_datos VALUES (1,0.1,100),(" + number(3) + "," + number(99) +
             "/7,10" + number(9) + "),(1,NULL,100)";
    case 4:
      return "UPDATE tagente_datos SET datos=datos+1e-9 WHERE utimestamp=10" + number(9);
    case 5:
      return "DELETE FROM tagente_datos WHERE id_agente_modulo=" + number(3) + " LIMIT 2";
    case 6:
      return "INSERT INTO tevento (estado,evento,event_type) VALUES (" + number(3) +
             ",'say \"no\";\\n(%s)','error')";
    case 7:
      return "UPDATE tevento SET estado=estado^1, timestamp=NOW(), event_type=" + number(4) +
             " WHERE id_evento%2=" + number(2);
    case 8:
      return "INSERT INTO tevent_comment (id_event,comment) SELECT MAX(id_evento),'x' FROM tevento";
    case 9:
      return "INSERT INTO kinds VALUES (-" + number(9) + ",18446744073709551615," + number(999) +
             "/7," + number(999) +
             ".000001,'0000-00-00',NOW(3),NOW(6),'x,z',x'00ff27',_latin1 x'e4',' a ',-" +
             number(99) + ")";
    case 10:
      return "UPDATE kinds SET c=c*1.1, g=NULL, h='', k='B', j=NULL WHERE a=-" + number(9);
    default:
      return "UPDATE pandora_ha_heartbeat SET written_at_ms=written_at_ms+1";
  }
}

TEST_P(RewindTest, EverythingIsAsItWas) {
  for (unsigned seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(seed);
    Do("SET GLOBAL read_only=0");
    std::mt19937 random(seed);
    for (int transaction = 0; transaction < 60; ++transaction) {
      std::string sql = "BEGIN; ";
      for (auto left = random() % 5 + 1; left > 0; --left) sql += RandomChange(random) + "; ";
      Do(sql + (random() % 8 == 0 ? "ROLLBACK" : "COMMIT"));
    }
    if (seed % 2 == 0) Do("FLUSH BINARY LOGS");
    Do("UPDATE pandora_ha_heartbeat SET epoch=8");
    RewindOptions options;
    options.archive = Archive();
    std::uint64_t told = 0;
    options.progress = [&](std::uint64_t done, std::uint64_t all) {
      EXPECT_LE(done, all);
      told = done;
    };
    const auto rewound = Rewind(options);
    ASSERT_TRUE(rewound.ok()) << rewound.error().message;
    EXPECT_GT(rewound->transactions, 30u);
    EXPECT_GT(rewound->rows, 60u);
    EXPECT_EQ(told, rewound->rows);
    ExpectAsBefore();
    const auto again = Rewind(options);
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_EQ(again->rows, 0u);
    ExpectAsBefore();
  }
}

TEST_P(RewindTest, ARowThatIsThereTwiceAndLargeTextsInOneTransaction) {
  Do("BEGIN; INSERT INTO tagente_datos SELECT * FROM tagente_datos; INSERT INTO tevento (evento) "
     "VALUES (REPEAT('\xF0\x9F\x90\x98',50000)),(REPEAT('b',200000)); DELETE FROM tagente_datos "
     "WHERE datos IS NULL; COMMIT");
  RewindOptions options;
  options.archive = Archive();
  const auto rewound = Rewind(options);
  ASSERT_TRUE(rewound.ok()) << rewound.error().message;
  EXPECT_EQ(*rewound, (RewindReport{1, 8}));
  ExpectAsBefore();
}

TEST_P(RewindTest, InterruptedItIsCompletedByTheNextCall) {
  // May undo the rows, may not begin the logs anew.
  Do("CREATE USER half@'127.%' IDENTIFIED BY 'half'; GRANT ALL ON *.* TO half@'127.%'; REVOKE "
     "RELOAD ON *.* FROM half@'127.%'");
  Part();
  for (int i = 0; i < 1200; ++i)
    Do("INSERT INTO tagente_datos VALUES (7," + std::to_string(i) + ",1)");
  Do("INSERT INTO tagente_datos VALUES (1,0.1,100)");  // as two that both sides have
  RewindOptions options;
  options.archive = Archive();
  const auto after = Sums();
  const auto session = server_->Admin();
  options.progress = [&](std::uint64_t, std::uint64_t) {
    Do("KILL " + std::to_string(session->connection_id()));
  };
  const auto killed = RewindNode(*session, options);
  ASSERT_FALSE(killed.ok());
  EXPECT_EQ(killed.error().code, ErrorCode::kUnreachable) << killed.error().message;
  EXPECT_EQ(Sums(), after);

  options.progress = {};
  {
    const auto half =
        Session::Connect({server_->address(), "half", Secret("half"), {}}, In(Seconds(5)));
    ASSERT_TRUE(half.ok()) << half.error().message;
    EXPECT_FALSE(RewindNode(**half, options).ok());
  }
  EXPECT_EQ(Sums(), before_);
  EXPECT_NE(Executed(), known_);

  // A manager without a memory has archived the same again.
  options.archive = Archive();
  const auto rewound = Rewind(options);
  ASSERT_TRUE(rewound.ok()) << rewound.error().message;
  EXPECT_EQ(rewound->rows, 0u) << "undone twice";
  ExpectAsBefore();
}

// Each leaves a node that only a copy helps.
TEST_P(RewindTest, WhatNoRowsUndoIsRefused) {
  struct Case {
    const char *before, *own, *why;
  };
  const std::vector<Case> cases = {
      {"DO 1", "CREATE TABLE more (i INT)", "statement that no row change undoes: CREATE TABLE"},
      {"DO 1", "SET SESSION binlog_format=STATEMENT; UPDATE tagente SET nombre='x'",
       "statement that no row change undoes: UPDATE"},
      {"CREATE TABLE v (i INT) WITH SYSTEM VERSIONING", "INSERT INTO v VALUES (1)",
       "its columns are not those of the log"},
      {"CREATE TABLE old (i INT) ENGINE=MyISAM", "INSERT INTO old VALUES (1)",
       "its engine is MyISAM"},
      {"CREATE TABLE t (i INT); CREATE TRIGGER also AFTER INSERT ON t FOR EACH ROW UPDATE tagente "
       "SET nombre='y'",
       "INSERT INTO t VALUES (1)", "it has the trigger also"},
      {"CREATE TABLE g (i INT, j INT AS (i+1) STORED)", "INSERT INTO g (i) VALUES (1)",
       "its column j is computed"},
      {"DO 1", "DELETE FROM tevento WHERE id_evento=100", "others may have gone with it"},
      {"DO 1", "UPDATE tevento SET id_evento=200 WHERE id_evento=101",
       "id_evento was changed, and other rows may have followed it"},
      {"DO 1",
       "SET SESSION binlog_row_image=MINIMAL; UPDATE tagente SET nombre='z' WHERE "
       "id_agente=1",
       "the log leaves out column"},
      {"CREATE TABLE p (at TIME)", "INSERT INTO p VALUES ('10:00:00')",
       "its columns are not those of the log"}};
  for (const Case& one : cases) {
    SCOPED_TRACE(one.own);
    Do("SET GLOBAL read_only=0; SET SESSION binlog_format=ROW, binlog_row_image=FULL");
    Do(one.before);
    Part();
    Do(one.own);
    RewindOptions options;
    options.archive = Archive();
    ExpectRefused(one.why, options);
  }
}

TEST_P(RewindTest, ManyRowsAreACopysMatter) {
  Do("INSERT INTO tagente_datos VALUES (5,1,1),(5,2,1),(5,3,1)");
  RewindOptions options;
  options.archive = Archive();
  options.most_rows = 2;
  ExpectRefused("more than 2 rows", options);
}

TEST_P(RewindTest, ANodeThatIsNotAsItsArchiveSaysIsLeftAlone) {
  Do("INSERT INTO tagente_datos VALUES (5,1,1)");
  RewindOptions options;
  options.archive = Archive();
  Do("SET GLOBAL read_only=0");
  ExpectRefused("not read-only", options, ErrorCode::kConflict);
  Do("SET GLOBAL read_only=1; SET SESSION sql_log_bin=0; UPDATE tagente_datos SET datos=2 WHERE "
     "id_agente_modulo=5; SET SESSION sql_log_bin=1");
  ExpectRefused("a row is not as its binary log left it", options);
  Do("INSERT INTO tagente (nombre) VALUES ('one more')");
  ExpectRefused("other transactions", options, ErrorCode::kConflict);
  std::filesystem::resize_file(options.archive + "/" + ReadManifest(options.archive)->files[0].name,
                               100);
  ExpectRefused("", options, ErrorCode::kInvalid);
}

}  // namespace
}  // namespace pandora_ha::testing
