// Versions, quoting, errors and the reading of rows, without a server. The rows were recorded from
// MariaDB 10.11.19 and MySQL 9.7.4, and cut to the columns that matter.
#include <gtest/gtest.h>

#include <cerrno>

#include "reconciler/mysql/blockers.h"
#include "reconciler/mysql/capabilities.h"
#include "reconciler/mysql/contact.h"
#include "reconciler/mysql/dialect.h"
#include "reconciler/mysql/manager_lock.h"
#include "reconciler/mysql/merge_ledger.h"
#include "reconciler/mysql/provision.h"
#include "reconciler/mysql/quote.h"

namespace pandora_ha {
namespace {

// One row of column → value pairs.
Rows Row(std::vector<std::pair<std::string, Cell>> cells) {
  Rows rows;
  rows.cells.emplace_back();
  for (auto& [column, cell] : cells) {
    rows.columns.push_back(column);
    rows.cells[0].push_back(cell);
  }
  return rows;
}

Rows SemiSyncVariables(std::vector<std::string> names) {
  Rows rows;
  rows.columns = {"Variable_name", "Value"};
  for (auto& name : names) rows.cells.push_back({name, "OFF"});
  return rows;
}

std::unique_ptr<Dialect> DialectOf(const std::string& version, std::vector<std::string> semi_sync) {
  return MakeDialect(
      ReadCapabilities(*ParseServerVersion(version), SemiSyncVariables(std::move(semi_sync))));
}
std::unique_ptr<Dialect> MariaDb() {
  return DialectOf("10.11.19-MariaDB-log",
                   {"rpl_semi_sync_master_enabled", "rpl_semi_sync_slave_enabled"});
}
std::unique_ptr<Dialect> MySql97() {
  return DialectOf("9.7.4-2", {"rpl_semi_sync_source_enabled", "rpl_semi_sync_replica_enabled"});
}

TEST(ServerVersionTest, ReadsWhatServersSay) {
  EXPECT_EQ(ParseServerVersion("9.7.4-2")->flavor, Flavor::kMySql);
  EXPECT_EQ(ParseServerVersion("8.0.36-28")->patch, 36);
  EXPECT_EQ(ParseServerVersion("10.11.19-MariaDB-0+deb12u1-log")->flavor, Flavor::kMariaDb);
  const auto disguised = ParseServerVersion("5.5.5-10.6.18-MariaDB");
  EXPECT_EQ(disguised->major, 10);
  EXPECT_EQ(disguised->minor, 6);
}

TEST(ServerVersionTest, RefusesWhatIsTooOldOrUnknown) {
  for (const char* text : {"8.0.22", "5.7.44-log", "10.4.34-MariaDB", "", "unknown"}) {
    const auto version = ParseServerVersion(text);
    ASSERT_FALSE(version.ok()) << text;
    EXPECT_EQ(version.error().code, ErrorCode::kUnsupported);
  }
}

TEST(QuoteTest, LiteralsCannotEnd) {
  EXPECT_EQ(QuoteLiteral("plain"), "'plain'");
  EXPECT_EQ(QuoteLiteral("a'b\"c\\d"), "'a\\'b\\\"c\\\\d'");
  EXPECT_EQ(QuoteLiteral(std::string_view("\0\n\r\x1a", 4)), "'\\0\\n\\r\\Z'");
}

TEST(QuoteTest, IdentifiersAreAllowListed) {
  EXPECT_EQ(*QuoteIdentifier("pandora_db-1$"), "`pandora_db-1$`");
  EXPECT_EQ(*QuoteGrantSchema("pandora_db"), "`pandora\\_db`");
  for (const std::string& bad :
       {std::string(), std::string("a`b"), std::string("a b"), std::string("a%"), std::string("ü"),
        std::string(65, 'a'), std::string("a;DROP")}) {
    EXPECT_EQ(QuoteIdentifier(bad).error().code, ErrorCode::kInvalid) << bad;
  }
}

TEST(ContactOfTest, EveryKindOfFailure) {
  const auto contact = [](int number) { return ContactOf({CodeOf(number), "", number}); };
  for (const int number : {1045, 1044, 1698, 1227, 1142, 1130, 2059, 2061})
    EXPECT_EQ(contact(number), Contact::kDenied);
  EXPECT_EQ(contact(2026), Contact::kTlsRefused);
  for (const int number : {1040, 1203, 1226}) EXPECT_EQ(contact(number), Contact::kBusy);
  for (const int number : {2006, 2012, 2013, 2055, 1053, 1927})
    EXPECT_EQ(contact(number), Contact::kHungUp);
  EXPECT_EQ(contact(ECONNREFUSED), Contact::kRefusedPort);
  EXPECT_EQ(contact(EHOSTUNREACH), Contact::kUnroutable);
  EXPECT_EQ(contact(ENETUNREACH), Contact::kUnroutable);
  EXPECT_EQ(contact(2005), Contact::kUnroutable);
  EXPECT_EQ(contact(ETIMEDOUT), Contact::kSilent);
  EXPECT_EQ(contact(ECONNRESET), Contact::kHungUp);
  EXPECT_EQ(ContactOf({ErrorCode::kTimeout, "", 0}), Contact::kSilent);
  EXPECT_EQ(CodeOf(1205), ErrorCode::kConflict);
  EXPECT_EQ(CodeOf(1290), ErrorCode::kRefused);
}

TEST(RowReaderTest, ColumnsByNameAndNullIsNotZero) {
  const Rows rows = Row(
      {{"Seconds_Behind_Source", std::nullopt}, {"Port", "3306"}, {"On", "ON"}, {"Bad", "12x"}});
  const RowReader row(rows, 0);
  EXPECT_EQ(row.Number("seconds_behind_source"), std::nullopt);
  EXPECT_EQ(row.Number("port"), 3306);
  EXPECT_EQ(row.Number("Bad"), std::nullopt);
  EXPECT_EQ(row.Number("absent"), std::nullopt);
  EXPECT_TRUE(row.True("on"));
  EXPECT_FALSE(row.True("absent"));
  EXPECT_FALSE(row.Has("absent"));
}

Rows MariaDbChannel(Cell lag, std::string io, std::string sql, std::string gtid,
                    std::string using_gtid, std::string read_position,
                    std::string executed_position, std::string state = "") {
  return Row({{"Master_Host", "127.0.0.9"},
              {"Master_Port", "3306"},
              {"Slave_IO_Running", io},
              {"Slave_SQL_Running", sql},
              {"Last_IO_Errno", "0"},
              {"Last_SQL_Errno", "0"},
              {"Seconds_Behind_Master", lag},
              {"Gtid_IO_Pos", gtid},
              {"Using_Gtid", using_gtid},
              {"Master_Log_File", "bin.000001"},
              {"Relay_Master_Log_File", "bin.000001"},
              {"Read_Master_Log_Pos", read_position},
              {"Exec_Master_Log_Pos", executed_position},
              {"Relay_Log_File", "relay.000002"},
              {"Relay_Log_Pos", "1072"},
              {"Slave_SQL_Running_State", state},
              {"Slave_received_heartbeats", "2"}});
}

const Rows kMariaDbSets = Row({{"binlog_state", "0-1-6,0-2-4"}, {"slave_pos", "0-1-6"}});

TEST(RejectedPlacesTest, AreWrittenShortAndReadBack) {
  RejectedPlaces places;
  EXPECT_EQ(places.ToString(), "");
  for (const std::uint64_t place : {0u, 1u, 2u, 5u, 9u, 10u}) places.Add(place);
  EXPECT_EQ(places.ToString(), "0-2,5,9-10");
  const RejectedPlaces read = RejectedPlaces::Parse(places.ToString());
  EXPECT_EQ(read.ToString(), places.ToString());
  for (std::uint64_t place = 0; place < 12; ++place)
    EXPECT_EQ(read.Contains(place), place < 3 || place == 5 || place == 9 || place == 10) << place;
  EXPECT_TRUE(RejectedPlaces::Parse("").empty());
  EXPECT_EQ(RejectedPlaces::Parse("3-x").ToString(), "");
}

TEST(MariaDbDialectTest, ReceivedIsExecutedAndWhatTheReceiverHas) {
  const auto standing = MariaDb()->ReadReplica(
      {kMariaDbSets, MariaDbChannel("0", "Yes", "Yes", "0-1-8", "Slave_Pos", "1737", "1323")}, 0);
  ASSERT_TRUE(standing.ok());
  EXPECT_EQ(standing->executed.ToString(), "0-1-6,0-2-4");
  EXPECT_EQ(standing->channel->received.ToString(), "0-1-8,0-2-4");
  EXPECT_FALSE(standing->channel->applied_all);
  EXPECT_FALSE(standing->tail_unknown);
  EXPECT_EQ(standing->channel->lag, Seconds(0));
  EXPECT_EQ(standing->channel->source, (Address{"127.0.0.9", 3306}));
}

TEST(MariaDbDialectTest, LagIsNeverZeroByMistake) {
  for (const auto& [lag, io, sql] :
       {std::tuple<Cell, const char*, const char*>{std::nullopt, "Yes", "Yes"},
        {"0", "Connecting", "Yes"},
        {"0", "Preparing", "Yes"},
        {"0", "Yes", "No"}}) {
    const auto standing = MariaDb()->ReadReplica(
        {kMariaDbSets, MariaDbChannel(lag, io, sql, "0-1-6", "Slave_Pos", "1", "1")}, 0);
    EXPECT_EQ(standing->channel->lag, std::nullopt) << io << sql;
  }
}

TEST(MariaDbDialectTest, ARelayLogWithoutNamesIsNotTakenForApplied) {
  const auto after_restart = MariaDb()->ReadReplica(
      {kMariaDbSets, MariaDbChannel(std::nullopt, "No", "No", "", "Slave_Pos", "1737", "1323")}, 0);
  EXPECT_TRUE(after_restart->tail_unknown);
  EXPECT_FALSE(after_restart->channel->applied_all);
  const auto by_file = MariaDb()->ReadReplica(
      {kMariaDbSets, MariaDbChannel(std::nullopt, "No", "Yes", "", "No", "1737", "1737",
                                    "Reading event from the relay log")},
      0);
  EXPECT_FALSE(by_file->channel->applied_all);
  const auto drained = MariaDb()->ReadReplica(
      {kMariaDbSets, MariaDbChannel(std::nullopt, "No", "Yes", "", "No", "1737", "1737",
                                    "Slave has read all relay log; waiting for more updates")},
      0);
  EXPECT_TRUE(drained->channel->applied_all);
}

TEST(MariaDbDialectTest, PositionsNameOneTransactionPerDomain) {
  const GtidSet executed = *GtidSet::Parse(Flavor::kMariaDb, "0-1-6,0-2-9,7-1-3");
  EXPECT_NE(MariaDb()->WaitForExecuted(executed, Milliseconds(1250)).find("'0-2-9,7-1-3', 1.250"),
            std::string::npos);
  const std::string follow =
      MariaDb()->Follow({{"h", 3306}, "u", Secret("p'w"), std::nullopt}, executed);
  EXPECT_NE(follow.find("gtid_slave_pos='0-2-9,7-1-3'"), std::string::npos);
  EXPECT_NE(follow.find("MASTER_PASSWORD='p\\'w'"), std::string::npos);
}

constexpr char kUuid[] = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

TEST(MySqlDialectTest, ReadsAReplica) {
  const std::string set = kUuid;
  const Rows status = Row({{"Replica_IO_State", ""},
                           {"Source_Host", "127.0.0.9"},
                           {"Source_Port", "3306"},
                           {"Replica_IO_Running", "Connecting"},
                           {"Replica_SQL_Running", "Yes"},
                           {"Last_IO_Errno", "2003"},
                           {"Last_IO_Error", "cannot connect"},
                           {"Last_SQL_Errno", "0"},
                           {"Seconds_Behind_Source", "0"},
                           {"Retrieved_Gtid_Set", set + ":6-9"},
                           {"Source_Log_File", "bin.000002"},
                           {"Read_Source_Log_Pos", "197"},
                           {"Auto_Position", "1"}});
  const auto standing =
      MySql97()->ReadReplica({Row({{"executed", set + ":1-7"}}), status,
                              Row({{"heartbeats", "3"}, {"last_heartbeat", "t"}})},
                             0);
  ASSERT_TRUE(standing.ok());
  EXPECT_EQ(standing->channel->received.ToString(), set + ":1-9");
  EXPECT_FALSE(standing->channel->applied_all);
  EXPECT_EQ(standing->channel->io, ThreadState::kConnecting);
  EXPECT_EQ(standing->channel->io_errno, 2003);
  EXPECT_EQ(standing->channel->lag, std::nullopt);
  EXPECT_TRUE(standing->by_gtid);
}

TEST(MySqlDialectTest, SpeaksTheWordsOfTheVersion) {
  EXPECT_NE(
      MySql97()->SemiSync(SemiSyncRole::kSource).find("rpl_semi_sync_source_wait_no_replica=ON"),
      std::string::npos);
  const auto old =
      DialectOf("8.0.25", {"rpl_semi_sync_master_enabled", "rpl_semi_sync_slave_enabled"});
  EXPECT_NE(old->SemiSync(SemiSyncRole::kSource).find("rpl_semi_sync_master_wait_no_slave=ON"),
            std::string::npos);
  EXPECT_NE(old->Look({"t", "g", {}}).find("@@global.log_slave_updates"), std::string::npos);
  EXPECT_NE(MySql97()->Look({"t", "g", {}}).find("@@global.log_replica_updates"),
            std::string::npos);
  const auto bare = DialectOf("9.7.4", {});
  EXPECT_EQ(bare->SemiSync(SemiSyncRole::kSource), "");
  EXPECT_EQ(bare->SemiSync(SemiSyncRole::kOff), "");
  EXPECT_EQ(bare->Look({"t", "g", {}}).find("rpl_semi_sync_slave_enabled"), std::string::npos);
}

TEST(StatusTest, TheStartIsTheStatementsTimeLessUptime) {
  Rows rows;
  rows.columns = {"name", "value", "asked_at"};
  rows.cells = {{"uptime", "397", "1795368580"},
                {"rpl_semi_sync_master_status", "ON", "1795368580"}};
  const auto status = ReadStatus(rows);
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(status->started, "1795368183");
  EXPECT_TRUE(status->On("rpl_semi_sync_master_status"));
  rows.cells.erase(rows.cells.begin());
  EXPECT_FALSE(ReadStatus(rows).ok());
}

TEST(ProvisionTest, IsRepeatableAndNeverFlushesPrivileges) {
  ClusterSpec spec;
  spec.database.schema = "pandora_db";
  spec.database.credentials.replication.user = "replica";
  spec.database.credentials.application.user = "pandora";
  const ResolvedCredentials passwords{Secret("a"), Secret("b'"), Secret("c")};
  const std::string sql = *ProvisionStatements(*MySql97(), spec, passwords, true);
  EXPECT_EQ(sql.find("FLUSH"), std::string::npos);
  EXPECT_NE(sql.find("CREATE USER IF NOT EXISTS 'replica'@'%' IDENTIFIED WITH "
                     "caching_sha2_password BY 'b\\''"),
            std::string::npos);
  EXPECT_NE(sql.find("'pandora'@'%' IDENTIFIED WITH mysql_native_password BY 'c'"),
            std::string::npos);
  EXPECT_NE(sql.find("ON `pandora\\_db`.* TO 'pandora'@'%'"), std::string::npos);
  spec.database.schema = "x`; DROP";
  EXPECT_FALSE(ProvisionStatements(*MySql97(), spec, passwords, true).ok());
}

TEST(ManagerLockName, FitsAndTellsClustersApart) {
  EXPECT_EQ(ManagerLockName("pandora"), "pandora_ha:pandora");
  const std::string a(253, 'a'), b = std::string(252, 'a') + "b";
  EXPECT_EQ(ManagerLockName(a).size(), 64U);
  EXPECT_NE(ManagerLockName(a), ManagerLockName(b));
  // Another build of another manager must come to the same name.
  EXPECT_EQ(ManagerLockName(a), "pandora_ha:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-8e8f6581e0ff9e30");
}

TEST(ManagerLock, HolderIsRead) {
  using Holder = ManagerLockSeen::Holder;
  const auto read = [](Cell holder) {
    return *ReadManagerLock({{"holder", "me"}, {{holder, "7"}}});
  };
  EXPECT_EQ(read(std::nullopt).holder, Holder::kNobody);
  EXPECT_EQ(read("7").holder, Holder::kOurs);
  EXPECT_EQ(read("8"), (ManagerLockSeen{Holder::kOther, 8, ""}));
  EXPECT_FALSE(ReadManagerLock({}).ok());
}

TEST(Blockers, AreReadInOrderAndWithoutSecrets) {
  const Rows rows{{"id", "user", "host", "statement", "running", "in_transaction", "committing",
                   "writes", "holds", "age"},
                  {{"1", "u", "h:1", "update t\nset v=1", "1", "1", "0", "1", "0", "9"},
                   {"2", "u", "h:2", "SET Password = 'x'", "1", "0", "0", "1", "0", "8"},
                   {"3", "u", "h:3", "", "0", "1", "0", "0", "0", "7"},
                   {"4", "u", "h:4", "", "0", "0", "0", "0", "1", "6"},
                   {"5", "u", "h:5", "commit", "1", "1", "1", "1", "1", "5"},
                   {"6", "u", "h:6", "select 1", "1", "0", "0", "0", "0", "4"},
                   {"7", "u", "h:7", "", "0", "0", "0", "0", "0", "3"}}};
  const std::vector<Blocker> read = ReadBlockers(rows);
  ASSERT_EQ(read.size(), 5U);
  EXPECT_EQ(read[0],
            (Blocker{Blocker::Kind::kStatement, 1, "u", "h:1", Seconds(9), "update t set v=1"}));
  EXPECT_EQ(read[1].statement, "(a statement that may hold a password)");
  EXPECT_EQ(read[2].kind, Blocker::Kind::kTransaction);
  EXPECT_EQ(read[3].kind, Blocker::Kind::kTableLock);
  EXPECT_EQ(read[4].kind, Blocker::Kind::kCommit);
}

}  // namespace
}  // namespace pandora_ha
