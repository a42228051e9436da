// MySQL 8.0.23 and later, and Percona Server.
#include "reconciler/mysql/dialect.h"
#include "reconciler/mysql/quote.h"

namespace pandora_ha {
namespace {

class MySqlDialect final : public Dialect {
 public:
  explicit MySqlDialect(const Capabilities& can)
      : Dialect(can),
        source_(can.semi_sync_new_words ? "rpl_semi_sync_source" : "rpl_semi_sync_master"),
        replica_(can.semi_sync_new_words ? "rpl_semi_sync_replica" : "rpl_semi_sync_slave"),
        no_replica_(can.semi_sync_new_words ? "_wait_no_replica" : "_wait_no_slave"),
        for_replica_count_(can.semi_sync_new_words ? "_wait_for_replica_count"
                                                   : "_wait_for_slave_count"),
        new_names_(AtLeast(can.version, 8, 0, 26)) {}

  std::string Look(const Watched& watched) const override {
    std::string sql =
        "SELECT @@global.server_uuid AS server_uuid, @@global.server_id AS server_id, "
        "@@global.read_only AS read_only, @@global.super_read_only AS super_read_only, "
        "@@global.gtid_mode AS gtid_mode, @@global.log_bin AS log_bin, "
        "@@global.sync_binlog AS sync_binlog, @@global.innodb_flush_log_at_trx_commit AS "
        "flush_log, ";
    sql += new_names_ ? "@@global.log_replica_updates" : "@@global.log_slave_updates";
    sql += " AS log_replica_updates";
    if (can_.semi_sync_source) {
      sql += ", @@global." + source_ + "_enabled AS source_enabled, @@global." + source_ +
             no_replica_ + " AS wait_no_replica";
    }
    if (can_.semi_sync_replica) sql += ", @@global." + replica_ + "_enabled AS replica_enabled";
    return sql + "; " +
           StatusQuery("performance_schema.global_status",
                       {source_ + "_status", source_ + "_clients", replica_ + "_status"}) +
           "; " + LookAtReplica() + "; " + AccountsAndRowsQuery("mysql.user", "", watched);
  }

  Result<DatabaseState> ReadLook(const ResultSets& answers, const Watched& watched) const override {
    if (answers.tables.size() < 6 || answers.tables[0].empty()) {
      return answers.stopped_by.value_or(
          Error{ErrorCode::kInternal, "the server's answer is incomplete"});
    }
    const RowReader row(answers.tables[0], 0);
    PHA_ASSIGN_OR_RETURN(const StatusValues status, ReadStatus(answers.tables[1]));
    PHA_ASSIGN_OR_RETURN(const ReplicaStanding standing,
                         ReadReplica(answers.tables, kReplicaInLook));
    DatabaseState state = ReadCommonState(row, status, standing, source_, replica_);
    state.server_uuid = row.Text("server_uuid");
    state.writable = ReadWritable(row);
    state.run_id = state.server_uuid + "@" + status.started;
    state.gtid_on = row.Text("gtid_mode") == "ON";
    PHA_TRY(ReadAccountsAndRows(answers, 5, watched, &state));
    return state;
  }

  std::string LookAtReplica() const override {
    return "SELECT @@global.gtid_executed AS executed; SHOW REPLICA STATUS; "
           "SELECT COUNT_RECEIVED_HEARTBEATS AS heartbeats, LAST_HEARTBEAT_TIMESTAMP AS "
           "last_heartbeat "
           "FROM performance_schema.replication_connection_status WHERE CHANNEL_NAME=''";
  }

  Result<ReplicaStanding> ReadReplica(const std::vector<Rows>& tables,
                                      std::size_t first) const override {
    if (tables.size() < first + 3 || tables[first].empty()) {
      return Error{ErrorCode::kInternal, "the server did not tell its GTID state"};
    }
    ReplicaStanding standing;
    PHA_ASSIGN_OR_RETURN(
        standing.executed,
        GtidSet::Parse(Flavor::kMySql, RowReader(tables[first], 0).Text("executed")));
    if (tables[first + 1].empty()) return standing;
    const RowReader row(tables[first + 1], 0);
    ReplicationSeen seen = ReadChannelIn(row, "Source", "Replica");
    if (seen.source.host.empty()) return standing;
    PHA_ASSIGN_OR_RETURN(const GtidSet retrieved,
                         GtidSet::Parse(Flavor::kMySql, row.Text("Retrieved_Gtid_Set")));
    seen.received = standing.executed.Union(retrieved);
    seen.applied_all = standing.executed.Contains(retrieved);
    seen.arrival_token = "gtid=" + retrieved.ToString() + " at=" + row.Text("Source_Log_File") +
                         ":" + row.Text("Read_Source_Log_Pos");
    if (!tables[first + 2].empty()) {
      const RowReader beat(tables[first + 2], 0);
      seen.arrival_token +=
          " heartbeats=" + beat.Text("heartbeats") + "@" + beat.Text("last_heartbeat");
    }
    standing.by_gtid = row.True("Auto_Position");
    standing.channel = std::move(seen);
    return standing;
  }

  std::string AskWritable() const override {
    return "SELECT @@global.read_only AS read_only, @@global.super_read_only AS super_read_only";
  }
  bool ReadWritable(const RowReader& row) const override {
    return row.Text("read_only") == "0" && row.Text("super_read_only") == "0";
  }

  // Not information_schema.PROCESSLIST: it hangs with the disk.
  std::string AskAfterMarker(const std::string& admin) const override {
    return MarkersIn({"performance_schema.threads", "PROCESSLIST_ID", "PROCESSLIST_USER",
                      "PROCESSLIST_STATE", "PROCESSLIST_INFO"},
                     admin);
  }

  std::string CloseForClients(Milliseconds within) const override {
    // Whole seconds, one at least: the second net behind StatementLimit, which is the finer one.
    const auto seconds = within.count() / 1000 + 1;
    return "SET SESSION lock_wait_timeout=" + std::to_string(seconds) +
           "; SET GLOBAL super_read_only=1";
  }
  std::string OpenForClients() const override {
    return "SET GLOBAL super_read_only=0; SET GLOBAL read_only=0";
  }
  std::string StopReceiver() const override { return "STOP REPLICA IO_THREAD"; }
  std::string StopApplier() const override { return "STOP REPLICA SQL_THREAD"; }
  std::string StartReceiver() const override { return "START REPLICA IO_THREAD"; }
  std::string StartApplier() const override { return "START REPLICA SQL_THREAD"; }
  std::string StartBoth() const override { return "START REPLICA"; }

  std::string WaitForExecuted(const GtidSet& received, Milliseconds most) const override {
    return "SELECT WAIT_FOR_EXECUTED_GTID_SET(" + QuoteLiteral(received.ToString()) + ", " +
           SecondsText(most) + ")";
  }
  std::string StartApplierAlone(const RelayPlace&) const override { return ""; }
  std::string WhoAppliesAPart() const override {
    return "SELECT t.PROCESSLIST_ID AS id FROM "
           "performance_schema.replication_applier_status_by_worker w "
           "JOIN performance_schema.threads t ON t.THREAD_ID=w.THREAD_ID "
           "JOIN performance_schema.replication_connection_status c "
           "ON c.CHANNEL_NAME=w.CHANNEL_NAME WHERE w.CHANNEL_NAME='' AND "
           "w.APPLYING_TRANSACTION<>'' AND c.SERVICE_STATE<>'ON' AND "
           "GTID_SUBSET(c.RECEIVED_TRANSACTION_SET, @@global.gtid_executed)";
  }
  std::string Forget() const override { return "STOP REPLICA; RESET REPLICA ALL"; }

  std::string Follow(const SourceToFollow& source, const GtidSet&) const override {
    std::string sql = "STOP REPLICA; SET GLOBAL ";
    sql += new_names_ ? "replica_net_timeout=" : "slave_net_timeout=";
    sql += std::to_string(kNetTimeoutSeconds);
    sql += "; CHANGE REPLICATION SOURCE TO SOURCE_HOST=" + QuoteLiteral(source.address.host) +
           ", SOURCE_PORT=" + std::to_string(source.address.port) +
           ", SOURCE_USER=" + QuoteLiteral(source.user) +
           ", SOURCE_PASSWORD=" + QuoteLiteral(source.password.Reveal()) +
           // 0 tries for ever; the default gives up after a while and leaves a stopped thread.
           ", SOURCE_AUTO_POSITION=1, SOURCE_HEARTBEAT_PERIOD=0.5, SOURCE_CONNECT_RETRY=1, "
           "SOURCE_RETRY_COUNT=0";
    sql += source.ca_file
               ? ", GET_SOURCE_PUBLIC_KEY=0, SOURCE_SSL=1, SOURCE_SSL_VERIFY_SERVER_CERT=1, "
                 "SOURCE_SSL_CA=" +
                     QuoteLiteral(*source.ca_file)
               : ", SOURCE_SSL=0, SOURCE_SSL_VERIFY_SERVER_CERT=0, GET_SOURCE_PUBLIC_KEY=1";
    return sql + "; START REPLICA";
  }

  std::string SemiSync(SemiSyncRole role) const override {
    const std::string source_off =
        can_.semi_sync_source ? "GLOBAL " + source_ + "_enabled=OFF" : "";
    switch (role) {
      case SemiSyncRole::kReplica:
        if (!can_.semi_sync_replica) return "";
        return "SET GLOBAL " + replica_ + "_enabled=ON" + (source_off.empty() ? "" : ", ") +
               source_off;
      case SemiSyncRole::kSource:
        if (!can_.semi_sync_source) return "";
        return "SET GLOBAL " + source_ + "_timeout=" + kSemiSyncNever + ", GLOBAL " + source_ +
               for_replica_count_ + "=1, GLOBAL " + source_ + no_replica_ + "=ON, GLOBAL " +
               source_ + "_wait_point=AFTER_SYNC, " +
               (can_.semi_sync_replica ? "GLOBAL " + replica_ + "_enabled=OFF, " : "") + "GLOBAL " +
               source_ + "_enabled=ON";
      case SemiSyncRole::kSourceDegraded:
      case SemiSyncRole::kOff:
        break;
    }
    std::string off = source_off;
    if (can_.semi_sync_replica)
      off += (off.empty() ? "" : ", ") + ("GLOBAL " + replica_ + "_enabled=OFF");
    return off.empty() ? "" : "SET " + off;
  }

  std::string InjectEmpty(const std::string& gtid) const override {
    return "SET SESSION gtid_next=" + QuoteLiteral(gtid) +
           "; BEGIN; COMMIT; SET SESSION gtid_next='AUTOMATIC'";
  }

  std::string CommitsWaiting() const override {
    return "SELECT VARIABLE_VALUE AS waiting FROM performance_schema.global_status WHERE "
           "VARIABLE_NAME=" +
           QuoteLiteral(source_ + "_wait_sessions");
  }

  std::string PasswordClause(const Secret& password, bool native_password) const override {
    return std::string(" WITH ") +
           (native_password ? "mysql_native_password" : "caching_sha2_password") + " BY " +
           QuoteLiteral(password.Reveal());
  }

 private:
  const std::string source_, replica_, no_replica_, for_replica_count_;
  const bool new_names_;
};

}  // namespace

std::unique_ptr<Dialect> MakeMySqlDialect(const Capabilities& can) {
  return std::make_unique<MySqlDialect>(can);
}

}  // namespace pandora_ha
