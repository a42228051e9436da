// A diverged node's own rows, merged from its archive into a primary that went on by itself. The
// node is a second server; the primary has the same rows up to the fork.
#include <gmock/gmock.h>

#include <array>
#include <cstdlib>
#include <random>
#include <set>

#include "reconciler/binlog/archive.h"
#include "reconciler/mysql/merge.h"
#include "tests/binlog/one_server.h"

namespace pandora_ha::testing {
namespace {

using ::testing::HasSubstr;

// Of Pandora's schema what a merge touches, with its types, keys and references.
const std::vector<std::string>& Schema() {
  static const std::vector<std::string> kTables = {
      "CREATE TABLE tagente (id_agente INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, "
      "nombre VARCHAR(600) NOT NULL DEFAULT '')",
      "CREATE TABLE tagente_modulo (id_agente_modulo INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY "
      "KEY, id_agente INT UNSIGNED NOT NULL DEFAULT 0, nombre TEXT)",
      "CREATE TABLE tagente_datos (id_agente_modulo INT UNSIGNED NOT NULL DEFAULT 0, datos DOUBLE "
      "DEFAULT NULL, utimestamp BIGINT DEFAULT 0, KEY data_index1 (id_agente_modulo, utimestamp))",
      "CREATE TABLE tagente_datos_string (id_agente_modulo INT UNSIGNED NOT NULL DEFAULT 0, datos "
      "MEDIUMTEXT NOT NULL, utimestamp INT UNSIGNED NOT NULL DEFAULT 0, "
      "KEY data_string_index_1 (id_agente_modulo, utimestamp))",
      "CREATE TABLE tevento (id_evento BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, "
      "id_agente INT NOT NULL DEFAULT 0, id_usuario VARCHAR(255) NOT NULL DEFAULT '0', id_grupo "
      "MEDIUMINT NOT NULL DEFAULT 0, estado TINYINT UNSIGNED NOT NULL DEFAULT 0, timestamp "
      "DATETIME NOT NULL DEFAULT '1970-01-01 00:00:00', evento TEXT, utimestamp BIGINT NOT NULL "
      "DEFAULT 0, event_type ENUM('going_unknown','unknown','alert_fired','system','error') "
      "DEFAULT "
      "'unknown', id_agentmodule INT NOT NULL DEFAULT 0, criticity INT UNSIGNED NOT NULL DEFAULT "
      "0, tags TEXT, id_extra TINYTEXT, custom_data TEXT, data TINYTEXT)",
      "CREATE TABLE tevent_comment (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, "
      "id_event BIGINT UNSIGNED NOT NULL, utimestamp BIGINT NOT NULL DEFAULT 0, comment TEXT, "
      "id_user VARCHAR(255), FOREIGN KEY (id_event) REFERENCES tevento(id_evento) ON UPDATE "
      "CASCADE ON DELETE CASCADE)",
      "CREATE TABLE tconfig (id_config INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, token "
      "VARCHAR(100) NOT NULL DEFAULT '', value TEXT NOT NULL)",
      "CREATE TABLE tserver (id_server INT PRIMARY KEY, name VARCHAR(100))",
      "CREATE TABLE pandora_ha_heartbeat (id TINYINT UNSIGNED NOT NULL PRIMARY KEY, epoch BIGINT "
      "UNSIGNED NOT NULL, writer VARCHAR(253) NOT NULL, written_at_ms BIGINT NOT NULL)",
      "INSERT INTO pandora_ha_heartbeat VALUES (1,7,'node1',0)",
      "INSERT INTO tconfig (token,value) VALUES ('days_purge','30'),('event_purge','15')",
      "INSERT INTO tagente VALUES (1,'web'),(2,'db')",
      "INSERT INTO tagente_modulo VALUES (10,1,'cpu'),(11,1,'log'),(20,2,'cpu')",
      "INSERT INTO tevento (id_evento,evento,utimestamp) VALUES (100,'of both',1700000000)",
      "INSERT INTO tserver VALUES (1,'pandora1')"};
  return kTables;
}

constexpr std::int64_t kNow = 1700000000;

// `server_` is the node; `primary_` the other one.
class MergeTest : public OneServer {
 protected:
  void SetUp() override {
    OneServer::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    primary_server_.emplace(GetParam(), 2, 12);
    primary_ = primary_server_->Admin();
    ASSERT_NE(primary_, nullptr);
    On("SET GLOBAL read_only=0");
    On("CREATE DATABASE pandora CHARACTER SET utf8mb4; USE pandora");
    for (const std::string& sql : Schema()) {
      Do(sql);
      On(sql);
    }
    known_ = Executed();
  }
  void On(const std::string& sql) {
    const auto done = primary_->Execute(sql, In(Seconds(20)));
    ASSERT_TRUE(done.ok()) << done.error().message << "\n" << sql;
  }
  std::string Archive() { return Archive(Executed().Subtract(known_)); }
  std::string Archive(const GtidSet& own) {
    const std::string id = "node2-" + std::to_string(++archives_);
    const auto made = MakeArchive(
        {id, NodeName("node2"), GetParam(), Data() + "/bin.index",
         server_->directory() + "/archive", "pandora", known_, own},
        [](std::int64_t, std::int64_t) {}, SystemClock().Now().wall);
    EXPECT_TRUE(made.ok()) << made.error().message;
    return server_->directory() + "/archive/" + id;
  }
  MergeOptions Options(const std::string& archive) const {
    MergeOptions options;
    options.archive = archive;
    options.epoch = Epoch{7};
    options.now = WallTime(Seconds(kNow + 3600));
    return options;
  }
  static Result<MergeReport> Merge(const TestServer& primary, const MergeOptions& options) {
    const auto session = primary.Admin();
    return MergeArchive(*session, options);
  }
  // Until one comes to its end; how many did not.
  int MergeKilledAfterEveryTransaction(MergeOptions options) {
    int kills = 0;
    for (std::uint64_t at = 1; at < 60; ++at) {
      const auto session = primary_server_->Admin();
      options.progress = [&](std::uint64_t transactions) {
        if (transactions != at) return;
        ++kills;
        On("KILL " + std::to_string(session->connection_id()));
      };
      const auto merged = MergeArchive(*session, options);
      if (merged.ok()) break;
      EXPECT_THAT(merged.error().code,
                  ::testing::AnyOf(ErrorCode::kUnreachable, ErrorCode::kTimeout))
          << merged.error().message;
    }
    return kills;
  }
  // All rows of a query, a line each, sorted.
  std::vector<std::string> Lines(const std::string& select) {
    const auto rows = primary_->Query(select, In(Seconds(10)));
    EXPECT_TRUE(rows.ok()) << rows.error().message;
    std::vector<std::string> lines;
    for (const auto& row : rows->cells) {
      std::string line;
      for (const Cell& cell : row) line += (line.empty() ? "" : "|") + cell.value_or("NULL");
      lines.push_back(line);
    }
    std::sort(lines.begin(), lines.end());
    return lines;
  }
  static void ExpectAccounted(const MergeReport& report) {
    for (const auto& [name, table] : report.tables) {
      std::uint64_t sum = table.merged + table.already_there;
      for (const auto& [reason, rows] : table.rejected) sum += rows;
      EXPECT_EQ(table.diverged, sum) << name;
    }
  }
  // What both sides do apart.
  void Part() {
    // The same numbers mean other agents and modules; one agent is made on both sides.
    Do("INSERT INTO tagente VALUES (3,'only of the node'),(4,'of both sides')");
    Do("INSERT INTO tagente_modulo VALUES (30,3,'cpu'),(31,4,'cpu'),(32,1,'disk')");
    On("INSERT INTO tagente VALUES (3,'of both sides'),(4,'only of the primary')");
    On("INSERT INTO tagente_modulo (id_agente_modulo,id_agente,nombre) VALUES "
       "(30,4,'cpu'),(31,3,'memory'),(32,3,'cpu')");
    On("INSERT INTO tevento (id_evento,evento,utimestamp) VALUES (101,'the "
       "primary''s',1700000100)");
    On("DELETE FROM tagente_modulo WHERE id_agente_modulo=20");
    On("INSERT INTO tagente_datos VALUES (10,5,1700000050)");

    Do("INSERT INTO tagente_datos VALUES "
       "(10,1.5,1700000001),(10,0.1,1700000002),(10,NULL,1700000003)");
    Do("INSERT INTO tagente_datos VALUES (10,5,1700000050)");  // there already
    Do("INSERT INTO tagente_datos VALUES (20,1,1700000001)");  // deleted there
    Do("INSERT INTO tagente_datos VALUES (30,3,1700000001),(31,4,1700000002),(32,6,1700000003)");
    Do("INSERT INTO tagente_datos VALUES (10,9,1600000000)");  // too old
    Do("INSERT INTO tagente_datos_string VALUES (11,'it''s (1,2);\\n\\\\x27 "
       "\xf0\x9f\x94\xa5',1700000005)");
    Do("INSERT INTO tevento "
       "(id_evento,id_agente,id_agentmodule,evento,utimestamp,event_type,timestamp) "
       "VALUES (101,1,10,'a &#40;b&#41; ''c'' (7,',1700000010,'alert_fired','2023-11-14 "
       "22:13:30')");
    Do("INSERT INTO tevent_comment (id_event,comment) VALUES (101,'mine'),(100,'of both')");
    Do("UPDATE tevento SET estado=1 WHERE id_evento=101");
    Do("UPDATE tevento SET estado=1 WHERE id_evento=100");
    Do("BEGIN; INSERT INTO tevento (id_evento,evento,utimestamp) VALUES (102,'gone',1700000011); "
       "DELETE FROM tevento WHERE id_evento=102; COMMIT");
    Do("INSERT INTO tevento (id_evento,id_agente,evento,utimestamp) VALUES "
       "(103,4,'mapped',1700000012)");
    Do("INSERT INTO tevento (id_evento,id_agente,evento,utimestamp) VALUES "
       "(104,3,'nobody''s',1700000012)");
    On("INSERT INTO tevento (id_evento,evento,utimestamp) VALUES (104,'another''s',1700000100)");
    Do("INSERT INTO tevent_comment (id_event,comment) VALUES (104,'of an event that stays')");
    Do("UPDATE tserver SET name='other'");
    Do("UPDATE pandora_ha_heartbeat SET written_at_ms=1");
    Do("CREATE TABLE tnew (id INT)");
  }
  void ExpectMerged() {
    EXPECT_THAT(Lines("SELECT id_agente_modulo, datos, utimestamp FROM tagente_datos"),
                ::testing::ElementsAre("10|0.1|1700000002", "10|1.5|1700000001", "10|5|1700000050",
                                       "10|NULL|1700000003", "32|4|1700000002"));
    EXPECT_THAT(Lines("SELECT id_agente_modulo, HEX(datos) FROM tagente_datos_string"),
                ::testing::ElementsAre("11|697427732028312C32293B0A5C78323720F09F94A5"));
    EXPECT_THAT(
        Lines(
            "SELECT id_agente, id_agentmodule, estado, event_type, timestamp, evento FROM tevento"),
        ::testing::ElementsAre("0|0|0|unknown|1970-01-01 00:00:00|another's",
                               "0|0|0|unknown|1970-01-01 00:00:00|of both",
                               "0|0|0|unknown|1970-01-01 00:00:00|the primary's",
                               "1|10|1|alert_fired|2023-11-14 22:13:30|a &#40;b&#41; 'c' (7,",
                               "3|0|0|unknown|1970-01-01 00:00:00|mapped"));
    EXPECT_THAT(Lines("SELECT e.evento, c.comment FROM tevent_comment c JOIN tevento e ON "
                      "e.id_evento=c.id_event"),
                ::testing::ElementsAre("a &#40;b&#41; 'c' (7,|mine", "of both|of both"));
    EXPECT_THAT(Lines("SELECT name FROM tserver"), ::testing::ElementsAre("pandora1"));
  }

  std::optional<TestServer> primary_server_;
  std::unique_ptr<Session> primary_;
  GtidSet known_;
  int archives_ = 0;
};
ON_BOTH_SERVERS(MergeTest);

TEST_P(MergeTest, EveryRowIsMergedThereAlreadyOrRejectedWithAReason) {
  Part();
  if (HasFatalFailure()) return;
  MergeOptions options = Options(Archive());
  options.dry_run = true;
  const auto told = Merge(*primary_server_, options);
  ASSERT_TRUE(told.ok()) << told.error().message;
  EXPECT_EQ(Lines("SELECT COUNT(*) FROM tevento").front(), "3") << "a dry run changes nothing";
  EXPECT_EQ(Lines("SHOW TABLES LIKE 'pandora_ha_merged%'").size(), 0u);
  options.dry_run = false;
  const auto merged = Merge(*primary_server_, options);
  ASSERT_TRUE(merged.ok()) << merged.error().message;
  EXPECT_EQ(*told, *merged);
  ExpectMerged();
  ExpectAccounted(*merged);

  const MergedTable& data = merged->tables.at("tagente_datos");
  EXPECT_EQ(data.diverged, 9u);
  EXPECT_EQ(data.merged, 4u);
  EXPECT_EQ(data.already_there, 1u);
  EXPECT_EQ(data.rejected.at("its agent is not on the primary"), 1u);
  EXPECT_EQ(data.rejected.at("its module is not on the primary"), 2u) << "deleted, and never there";
  EXPECT_EQ(data.rejected.at("older than the 30 days that the primary keeps"), 1u);
  const MergedTable& events = merged->tables.at("tevento");
  EXPECT_EQ(events.diverged, 7u);
  EXPECT_EQ(events.merged, 5u) << "two stay, one of them changed; one comes and goes";
  EXPECT_EQ(merged->tables.at("tserver").rejected.size(), 1u);
  EXPECT_EQ(merged->statements, 1u);
  EXPECT_EQ(merged->tables.count("pandora_ha_heartbeat"), 0u) << "a mark is nobody's row";
}

TEST_P(MergeTest, RunTenTimesItAddsNothingTwice) {
  Part();
  if (HasFatalFailure()) return;
  // What the log holds beside the node's own came from the primary.
  const GtidSet own = Executed().Subtract(known_);
  Do("INSERT INTO tevento (id_evento,evento,utimestamp) VALUES (199,'received',1700000013)");
  const MergeOptions options = Options(Archive(own));
  for (int run = 0; run < 10; ++run) {
    const auto merged = Merge(*primary_server_, options);
    ASSERT_TRUE(merged.ok()) << merged.error().message;
    ExpectAccounted(*merged);
    EXPECT_EQ(merged->tables.at("tevento").merged, run == 0 ? 5u : 0u);
    EXPECT_EQ(merged->tables.at("tevento").rejected.size(), 2u) << "told again";
    EXPECT_EQ(merged->tables.at("tevent_comment").rejected.at("its event was not merged"), 1u);
    ExpectMerged();
  }
  Do("DELETE FROM tevento WHERE id_evento=199");
  // A later archive of the same fork holds the same transactions, and one more.
  Do("INSERT INTO tevento (id_evento,evento,utimestamp) VALUES (105,'later',1700000013)");
  Do("UPDATE tevento SET estado=2 WHERE id_evento=103");
  const auto merged = Merge(*primary_server_, Options(Archive()));
  ASSERT_TRUE(merged.ok()) << merged.error().message;
  EXPECT_EQ(merged->tables.at("tevento").merged, 4u) << "one of them comes and goes";
  EXPECT_THAT(Lines("SELECT estado FROM tevento WHERE evento='mapped'"),
              ::testing::ElementsAre("2"));
}

// What was rejected is no lost cause: a person makes the agent, and merges again.
TEST_P(MergeTest, WhatWasRejectedIsMergedWhenItCanBe) {
  Part();
  if (HasFatalFailure()) return;
  const MergeOptions options = Options(Archive());
  ASSERT_TRUE(Merge(*primary_server_, options).ok());
  ExpectMerged();
  On("INSERT INTO tagente VALUES (50,'only of the node')");
  On("INSERT INTO tagente_modulo VALUES (500,50,'cpu')");
  const auto merged = Merge(*primary_server_, options);
  ASSERT_TRUE(merged.ok()) << merged.error().message;
  ExpectAccounted(*merged);
  EXPECT_EQ(merged->tables.at("tagente_datos").merged, 1u);
  EXPECT_EQ(merged->tables.at("tevento").merged, 1u);
  EXPECT_EQ(merged->tables.at("tevent_comment").merged, 1u);
  EXPECT_THAT(Lines("SELECT datos FROM tagente_datos WHERE id_agente_modulo=500"),
              ::testing::ElementsAre("3"));
  EXPECT_THAT(Lines("SELECT e.id_agente, c.comment FROM tevento e JOIN tevent_comment c ON "
                    "c.id_event=e.id_evento WHERE e.evento='nobody''s'"),
              ::testing::ElementsAre("50|of an event that stays"));
  EXPECT_EQ(Merge(*primary_server_, options)->tables.at("tevento").merged, 0u);
}

// A comment belongs to an event that an earlier merge left out: whenever a later one is
// interrupted, it comes with its event or after it.
TEST_P(MergeTest, InterruptedWhileItMergesWhatWasRejectedItEndsTheSame) {
  Part();
  Do("UPDATE tevento SET estado=2 WHERE id_evento=104");
  Do("INSERT INTO tevent_comment (id_event,comment) VALUES (104,'another one')");
  if (HasFatalFailure()) return;
  MergeOptions options = Options(Archive());
  ASSERT_TRUE(Merge(*primary_server_, options).ok());
  On("INSERT INTO tagente VALUES (50,'only of the node')");
  options.rows_a_group = 1;
  EXPECT_GT(MergeKilledAfterEveryTransaction(options), 3);
  const auto merged = Merge(*primary_server_, options);
  ASSERT_TRUE(merged.ok()) << merged.error().message;
  ExpectAccounted(*merged);
  EXPECT_THAT(Lines("SELECT e.estado, c.comment FROM tevento e JOIN tevent_comment c ON "
                    "c.id_event=e.id_evento WHERE e.evento='nobody''s'"),
              ::testing::ElementsAre("2|another one", "2|of an event that stays"));
}

// A comment has its own time, and may be of another one than its event.
TEST_P(MergeTest, ACommentIsOfItsOwnTime) {
  Do("INSERT INTO tevent_comment (id_event,comment,utimestamp) VALUES (100,'early',1700000001),"
     "(100,'asked for',1700000005)");
  if (HasFatalFailure()) return;
  MergeOptions options = Options(Archive());
  options.since = WallTime(Seconds(1700000003));
  const auto merged = Merge(*primary_server_, options);
  ASSERT_TRUE(merged.ok()) << merged.error().message;
  EXPECT_THAT(Lines("SELECT comment FROM tevent_comment"), ::testing::ElementsAre("asked for"));
  ASSERT_TRUE(Merge(*primary_server_, Options(options.archive)).ok());
  EXPECT_THAT(Lines("SELECT comment FROM tevent_comment"),
              ::testing::ElementsAre("asked for", "early"));
}

// Between two moments first, and the rest another time: together they are all of it.
TEST_P(MergeTest, WhatIsNotOfTheTimeAskedForIsMergedAnotherTime) {
  Part();
  if (HasFatalFailure()) return;
  MergeOptions options = Options(Archive());
  options.since = WallTime(Seconds(1700000003));
  options.until = WallTime(Seconds(1700000011));
  const auto merged = Merge(*primary_server_, options);
  ASSERT_TRUE(merged.ok()) << merged.error().message;
  ExpectAccounted(*merged);
  const auto& rejected = merged->tables.at("tagente_datos").rejected;
  EXPECT_EQ(rejected.at("before 2023-11-14T22:13:23.000Z, which was asked for as the first"), 6u);
  EXPECT_EQ(rejected.at("not before 2023-11-14T22:13:31.000Z, which was asked for as the end"), 1u);
  EXPECT_THAT(Lines("SELECT id_agente_modulo, datos, utimestamp FROM tagente_datos"),
              ::testing::ElementsAre("10|5|1700000050", "10|NULL|1700000003"));
  EXPECT_THAT(Lines("SELECT evento FROM tevento WHERE id_agente=1"),
              ::testing::ElementsAre("a &#40;b&#41; 'c' (7,"));
  const auto rest = Merge(*primary_server_, Options(options.archive));
  ASSERT_TRUE(rest.ok()) << rest.error().message;
  ExpectAccounted(*rest);
  ExpectMerged();
}

// It was a primary once, and rows of another node were merged into it: their archive is merged, and
// from here they would come a second time.
TEST_P(MergeTest, WhatAMergeBroughtThereIsNotMergedOn) {
  Do("CREATE TABLE pandora_ha_merged (id INT)");
  Do("BEGIN; INSERT INTO pandora_ha_merged VALUES (1); "
     "INSERT INTO tagente_datos VALUES (10,7,1700000007); "
     "INSERT INTO tevento (id_evento,evento,utimestamp) VALUES (300,'another''s',1700000007); "
     "INSERT INTO tevent_comment (id_event,comment) VALUES (300,'its'); COMMIT");
  Do("INSERT INTO tevent_comment (id_event,comment) VALUES (300,'later')");
  Do("INSERT INTO tagente_datos VALUES (10,8,1700000008)");
  if (HasFatalFailure()) return;
  const auto merged = Merge(*primary_server_, Options(Archive()));
  ASSERT_TRUE(merged.ok()) << merged.error().message;
  ExpectAccounted(*merged);
  EXPECT_THAT(Lines("SELECT datos FROM tagente_datos"), ::testing::ElementsAre("8"));
  EXPECT_THAT(Lines("SELECT evento FROM tevento"), ::testing::ElementsAre("of both"));
  EXPECT_THAT(Lines("SELECT comment FROM tevent_comment"), ::testing::IsEmpty());
}

// The same number may mean two, and who knows is not readable.
TEST_P(MergeTest, NothingIsGuessedWhereAgentsLookDifferent) {
  On("ALTER TABLE tagente_modulo ADD COLUMN more INT");
  Part();
  if (HasFatalFailure()) return;
  const auto merged = Merge(*primary_server_, Options(Archive()));
  ASSERT_TRUE(merged.ok()) << merged.error().message;
  ExpectAccounted(*merged);
  EXPECT_EQ(merged->tables.at("tagente_datos").merged, 0u);
}

TEST_P(MergeTest, KilledAfterEveryTransactionAndRunAgainItEndsTheSame) {
  Part();
  if (HasFatalFailure()) return;
  MergeOptions options = Options(Archive());
  options.rows_a_group = 1;
  EXPECT_GT(MergeKilledAfterEveryTransaction(options), 10);
  const auto merged = Merge(*primary_server_, options);
  ASSERT_TRUE(merged.ok()) << merged.error().message;
  ExpectAccounted(*merged);
  ExpectMerged();
}

TEST_P(MergeTest, OnlyTheOpenPrimaryOfTheEpochIsWrittenTo) {
  Part();
  if (HasFatalFailure()) return;
  MergeOptions options = Options(Archive());
  const auto position = [&] {
    return primary_server_->Sql(GetParam() == Flavor::kMySql ? "SELECT @@global.gtid_executed"
                                                             : "SELECT @@gtid_binlog_state");
  };
  const std::string before = position();
  options.epoch = Epoch{6};
  EXPECT_EQ(Merge(*primary_server_, options).error().code, ErrorCode::kConflict);
  EXPECT_EQ(position(), before) << "not even a table was made";
  options.epoch = Epoch{7};
  On("SET GLOBAL read_only=1");
  EXPECT_FALSE(Merge(*primary_server_, options).ok());
  On("SET GLOBAL read_only=0");
  if (GetParam() == Flavor::kMySql) On("SET GLOBAL super_read_only=0");
  // Pandora's maintenance holds its lock.
  On("DO GET_LOCK('pandora_pandora_db', 0)");
  const auto held = Merge(*primary_server_, options);
  EXPECT_EQ(held.error().code, ErrorCode::kConflict);
  EXPECT_THAT(held.error().message, HasSubstr("pandora_db"));
  On("DO RELEASE_LOCK('pandora_pandora_db')");
  EXPECT_EQ(Lines("SELECT COUNT(*) FROM tevento").front(), "3");
  EXPECT_TRUE(Merge(*primary_server_, options).ok());
  ExpectMerged();
}

// Against a model that is a few lines: sets of data, events with what was last said of them.
TEST_P(MergeTest, RandomHistoriesEndAsTheModelSays) {
  const char* wanted = std::getenv("PANDORA_HA_TRIALS");
  const int histories = wanted == nullptr ? 40 : std::atoi(wanted);
  std::mt19937 random(20261125);
  const auto below = [&](unsigned limit) {
    return std::uniform_int_distribution<unsigned>(0, limit - 1)(random);
  };
  std::set<std::string> data;
  std::map<unsigned, std::string> events;  // by the node's number
  std::vector<std::string> lasting;        // of earlier histories
  unsigned next = 1000;
  for (int history = 0; history < histories; ++history) {
    known_ = Executed();
    for (const auto& [id, says] : events) lasting.push_back(says);
    events.clear();
    for (unsigned transactions = 1 + below(8); transactions > 0; --transactions) {
      std::string sql = "BEGIN";
      auto data_then = data;
      auto events_then = events;
      for (unsigned changes = 1 + below(5); changes > 0; --changes) {
        const unsigned kind = below(6);
        if (kind < 3 || events_then.empty()) {
          const std::string value = std::to_string(below(4)) + "." + std::to_string(below(3) * 4);
          const std::string at = std::to_string(kNow + below(50));
          sql += "; INSERT INTO tagente_datos VALUES (10," + value + "," + at + ")";
          data_then.insert("10|" + value + "|" + at);
        } else if (kind == 4) {
          auto event = events_then.begin();
          std::advance(event, below(static_cast<unsigned>(events_then.size())));
          sql += "; DELETE FROM tevento WHERE id_evento=" + std::to_string(event->first);
          events_then.erase(event);
        } else {
          auto event = events_then.begin();
          std::advance(event, below(static_cast<unsigned>(events_then.size())));
          const std::string text = "changed " + std::to_string(below(1000));
          sql += "; UPDATE tevento SET evento='" + text +
                 "' WHERE id_evento=" + std::to_string(event->first);
          event->second = text;
        }
        if (kind == 3 || events_then.empty()) {
          const std::string text = "event " + std::to_string(++next);
          sql += "; INSERT INTO tevento (id_evento,evento,utimestamp) VALUES (" +
                 std::to_string(next) + ",'" + text + "'," + std::to_string(kNow) + ")";
          events_then[next] = text;
        }
      }
      const bool commits = below(5) > 0;
      Do(sql + (commits ? "; COMMIT" : "; ROLLBACK"));
      if (!commits) continue;
      data = data_then;
      events = events_then;
    }
    // The primary goes on, and takes numbers of its own.
    On("INSERT INTO tevento (evento,utimestamp) VALUES ('primary'," + std::to_string(kNow) + ")");
    MergeOptions options = Options(Archive());
    options.rows_a_group = 1 + below(20);
    for (int runs = 1 + static_cast<int>(below(2)); runs > 0; --runs) {
      const auto merged = Merge(*primary_server_, options);
      ASSERT_TRUE(merged.ok()) << history << ": " << merged.error().message;
      ExpectAccounted(*merged);
    }
    std::vector<std::string> expected = lasting;
    for (const auto& [id, says] : events) expected.push_back(says);
    std::sort(expected.begin(), expected.end());
    ASSERT_EQ(Lines("SELECT evento FROM tevento WHERE evento NOT IN ('of both','primary')"),
              expected)
        << "history " << history;
    ASSERT_EQ(Lines("SELECT id_agente_modulo, FORMAT(datos,1), utimestamp FROM tagente_datos"),
              std::vector<std::string>(data.begin(), data.end()))
        << "history " << history;
  }
  std::printf("%d histories, %zu events, %zu data\n", histories, lasting.size() + events.size(),
              data.size());
}

}  // namespace
}  // namespace pandora_ha::testing
