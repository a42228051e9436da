// MariaDB 10.5 and later.
#include <algorithm>
#include <map>

#include "reconciler/mysql/dialect.h"
#include "reconciler/mysql/quote.h"

namespace pandora_ha {
namespace {

// Undoes what StartApplierAlone() did to the parallel workers in the same session.
constexpr char kThreadsBack[] =
    "SET GLOBAL slave_parallel_threads="
    "CAST(GREATEST(@@global.slave_parallel_threads, COALESCE(@pandora_ha_threads, 0)) AS SIGNED); ";
constexpr std::string_view kReadAll = "Slave has read all relay log";

}  // namespace

std::string MariaDbPosition(const GtidSet& set) {
  std::map<std::string, std::pair<std::uint64_t, std::string>> last;
  for (const auto& [source, ranges] : set.sources()) {
    auto& entry = last[source.substr(0, source.find('-'))];
    const std::uint64_t number = ranges.back().last;
    if (number >= entry.first) entry = {number, source + "-" + std::to_string(number)};
  }
  std::string text;
  for (const auto& [domain, entry] : last) text += (text.empty() ? "" : ",") + entry.second;
  return text;
}

namespace {

class MariaDbDialect final : public Dialect {
 public:
  explicit MariaDbDialect(const Capabilities& can) : Dialect(can) {}

  std::string Look(const Watched& watched) const override {
    const std::string sql =
        "SELECT @@global.server_id AS server_id, @@global.read_only AS read_only, "
        "@@global.gtid_strict_mode AS gtid_strict_mode, @@global.log_bin AS log_bin, "
        "@@global.log_slave_updates AS log_replica_updates, @@global.sync_binlog AS sync_binlog, "
        "@@global.innodb_flush_log_at_trx_commit AS flush_log, "
        "@@global.rpl_semi_sync_master_enabled AS source_enabled, "
        "@@global.rpl_semi_sync_master_wait_no_slave AS wait_no_replica, "
        "@@global.rpl_semi_sync_slave_enabled AS replica_enabled";
    return sql + "; " +
           StatusQuery("information_schema.GLOBAL_STATUS",
                       {"rpl_semi_sync_master_status", "rpl_semi_sync_master_clients",
                        "rpl_semi_sync_slave_status"}) +
           "; " + LookAtReplica() + "; " +
           AccountsAndRowsQuery("mysql.global_priv", "SET STATEMENT lock_wait_timeout=0 FOR ",
                                watched);
  }

  Result<DatabaseState> ReadLook(const ResultSets& answers, const Watched& watched) const override {
    if (answers.tables.size() < 5 || answers.tables[0].empty()) {
      return answers.stopped_by.value_or(
          Error{ErrorCode::kInternal, "the server's answer is incomplete"});
    }
    const RowReader row(answers.tables[0], 0);
    PHA_ASSIGN_OR_RETURN(const StatusValues status, ReadStatus(answers.tables[1]));
    PHA_ASSIGN_OR_RETURN(const ReplicaStanding standing,
                         ReadReplica(answers.tables, kReplicaInLook));
    DatabaseState state =
        ReadCommonState(row, status, standing, "rpl_semi_sync_master", "rpl_semi_sync_slave");
    // server_uuid stays empty: @@server_uid names the machine and port, so two servers of one
    // machine share it.
    state.writable = ReadWritable(row);
    state.run_id = status.started;
    state.gtid_on = row.True("gtid_strict_mode");
    PHA_TRY(ReadAccountsAndRows(answers, 4, watched, &state));
    return state;
  }

  std::string LookAtReplica() const override {
    return "SELECT @@global.gtid_binlog_state AS binlog_state, @@global.gtid_slave_pos AS "
           "slave_pos; "
           "SHOW ALL SLAVES STATUS";
  }

  Result<ReplicaStanding> ReadReplica(const std::vector<Rows>& tables,
                                      std::size_t first) const override {
    if (tables.size() < first + 2 || tables[first].empty()) {
      return Error{ErrorCode::kInternal, "the server did not tell its GTID state"};
    }
    ReplicaStanding standing;
    const RowReader state(tables[first], 0);
    PHA_ASSIGN_OR_RETURN(const GtidSet logged,
                         GtidSet::Parse(Flavor::kMariaDb, state.Text("binlog_state")));
    PHA_ASSIGN_OR_RETURN(const GtidSet applied,
                         GtidSet::Parse(Flavor::kMariaDb, state.Text("slave_pos")));
    standing.executed = logged.Union(applied);
    if (tables[first + 1].empty()) return standing;
    PHA_TRY(ReadChannel(RowReader(tables[first + 1], 0), &standing));
    return standing;
  }

  std::string AskWritable() const override { return "SELECT @@global.read_only AS read_only"; }
  // A switch up to 11; later OFF, ON, NO_LOCK, NO_LOCK_NO_ADMIN.
  bool ReadWritable(const RowReader& row) const override {
    return row.Text("read_only") == "0" || row.Text("read_only") == "OFF";
  }

  std::string AskAfterMarker(const std::string& admin) const override {
    return MarkersIn({"information_schema.PROCESSLIST", "ID", "USER", "STATE", "INFO"}, admin);
  }

  std::string CloseForClients(Milliseconds within) const override {
    return "SET STATEMENT max_statement_time=" + SecondsText(within) +
           ", lock_wait_timeout=10 FOR SET GLOBAL read_only=1";
  }
  std::string OpenForClients() const override { return "SET GLOBAL read_only=0"; }
  std::string StopReceiver() const override { return "STOP SLAVE IO_THREAD"; }
  std::string StopApplier() const override { return "STOP SLAVE SQL_THREAD"; }
  std::string StartReceiver() const override { return "START SLAVE IO_THREAD"; }
  std::string StartApplier() const override { return "START SLAVE SQL_THREAD"; }
  std::string StartBoth() const override { return "START SLAVE"; }

  std::string WaitForExecuted(const GtidSet& received, Milliseconds most) const override {
    return "SELECT MASTER_GTID_WAIT(" + QuoteLiteral(MariaDbPosition(received)) + ", " +
           SecondsText(most) + ")";
  }

  std::string StartApplierAlone(const RelayPlace& from) const override {
    // Parallel workers may still be busy when the applier says that it has read everything.
    return "SET @pandora_ha_threads=GREATEST(@@global.slave_parallel_threads, "
           "COALESCE(@pandora_ha_threads, 0)); SET GLOBAL slave_parallel_threads=0; "
           "CHANGE MASTER TO MASTER_USE_GTID=no, RELAY_LOG_FILE=" +
           QuoteLiteral(from.file) + ", RELAY_LOG_POS=" + std::to_string(from.position) +
           "; START SLAVE SQL_THREAD";
  }

  std::string WhoAppliesAPart() const override { return ""; }

  std::string Forget() const override {
    return "STOP SLAVE; " + std::string(kThreadsBack) + "RESET SLAVE ALL";
  }

  std::string Follow(const SourceToFollow& source, const GtidSet& executed) const override {
    std::string sql = "STOP SLAVE; " + std::string(kThreadsBack) +
                      "SET GLOBAL slave_net_timeout=" + std::to_string(kNetTimeoutSeconds);
    // A former primary executed what it wrote itself, which gtid_slave_pos does not know: without
    // this it would ask for its own transactions again.
    sql += "; SET GLOBAL gtid_slave_pos=" + QuoteLiteral(MariaDbPosition(executed));
    sql += "; CHANGE MASTER TO MASTER_HOST=" + QuoteLiteral(source.address.host) +
           ", MASTER_PORT=" + std::to_string(source.address.port) +
           ", MASTER_USER=" + QuoteLiteral(source.user) +
           ", MASTER_PASSWORD=" + QuoteLiteral(source.password.Reveal()) +
           ", MASTER_USE_GTID=slave_pos, MASTER_HEARTBEAT_PERIOD=0.5, MASTER_CONNECT_RETRY=1";
    sql += source.ca_file ? ", MASTER_SSL=1, MASTER_SSL_VERIFY_SERVER_CERT=1, MASTER_SSL_CA=" +
                                QuoteLiteral(*source.ca_file)
                          : ", MASTER_SSL=0, MASTER_SSL_VERIFY_SERVER_CERT=0";
    return sql + "; START SLAVE";
  }

  std::string SemiSync(SemiSyncRole role) const override {
    switch (role) {
      case SemiSyncRole::kReplica:
        // The server's own default makes STOP SLAVE wait seconds for a primary that hangs; on a
        // replica that waits for acknowledgements, its applier would wait for itself.
        return "SET GLOBAL rpl_semi_sync_master_enabled=OFF, "
               "GLOBAL rpl_semi_sync_slave_kill_conn_timeout=1, GLOBAL "
               "rpl_semi_sync_slave_enabled=ON";
      case SemiSyncRole::kSource:
        return "SET GLOBAL rpl_semi_sync_slave_enabled=OFF, GLOBAL rpl_semi_sync_master_timeout=" +
               std::string(kSemiSyncNever) +
               ", GLOBAL rpl_semi_sync_master_wait_no_slave=ON, "
               "GLOBAL rpl_semi_sync_master_wait_point=AFTER_SYNC, GLOBAL "
               "rpl_semi_sync_master_enabled=ON";
      case SemiSyncRole::kSourceDegraded:
      case SemiSyncRole::kOff:
        return "SET GLOBAL rpl_semi_sync_master_enabled=OFF, GLOBAL "
               "rpl_semi_sync_slave_enabled=OFF";
    }
    return "";
  }

  std::string InjectEmpty(const std::string&) const override { return ""; }

  std::string CommitsWaiting() const override {
    return "SELECT VARIABLE_VALUE AS waiting FROM information_schema.GLOBAL_STATUS "
           "WHERE VARIABLE_NAME='rpl_semi_sync_master_wait_sessions'";
  }

  std::string PasswordClause(const Secret& password, bool) const override {
    return " BY " + QuoteLiteral(password.Reveal());
  }

 private:
  static Status ReadChannel(const RowReader& row, ReplicaStanding* standing) {
    ReplicationSeen seen = ReadChannelIn(row, "Master", "Slave");
    if (seen.source.host.empty()) return Ok();
    const std::string arrived = row.Text("Gtid_IO_Pos");
    PHA_ASSIGN_OR_RETURN(const GtidSet in_relay_log, GtidSet::Parse(Flavor::kMariaDb, arrived));
    seen.received = standing->executed.Union(in_relay_log);
    const bool same_place = row.Text("Master_Log_File") == row.Text("Relay_Master_Log_File") &&
                            row.Text("Read_Master_Log_Pos") == row.Text("Exec_Master_Log_Pos");
    standing->by_gtid = row.Text("Using_Gtid") == "Slave_Pos";
    // After a restart Gtid_IO_Pos is empty although the relay log may hold events, and only the
    // file positions tell. Once the channel was switched to file positions these are equal at once,
    // and only the applier's own word counts.
    const bool drained = row.Text("Slave_SQL_Running_State").starts_with(kReadAll);
    if (!standing->by_gtid) {
      seen.applied_all = drained;
    } else if (in_relay_log.empty()) {
      seen.applied_all = same_place || drained;
    } else {
      seen.applied_all = standing->executed.Contains(in_relay_log);
    }
    seen.arrival_token = "heartbeats=" + row.Text("Slave_received_heartbeats") +
                         " gtid=" + arrived + " at=" + row.Text("Master_Log_File") + ":" +
                         row.Text("Read_Master_Log_Pos");
    standing->executed_to = {row.Text("Relay_Log_File"), row.Number("Relay_Log_Pos").value_or(4)};
    standing->tail_unknown = standing->by_gtid && in_relay_log.empty() && !same_place &&
                             seen.io == ThreadState::kStopped && seen.sql == ThreadState::kStopped;
    standing->channel = std::move(seen);
    return Ok();
  }
};

}  // namespace

std::unique_ptr<Dialect> MakeMariaDbDialect(const Capabilities& can) {
  return std::make_unique<MariaDbDialect>(can);
}

}  // namespace pandora_ha
