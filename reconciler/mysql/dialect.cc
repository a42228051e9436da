#include "reconciler/mysql/dialect.h"

#include <algorithm>
#include <cstdio>

#include "reconciler/mysql/quote.h"

namespace pandora_ha {
namespace {

constexpr int kNoSuchDatabase = 1049;
constexpr int kNoSuchTable = 1146;
constexpr int kLockWaitTimeout = 1205;

std::string QuotedList(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ",") + QuoteLiteral(name);
  return list.empty() ? "''" : list;
}

}  // namespace

std::unique_ptr<Dialect> MakeDialect(const Capabilities& can) {
  return can.version.flavor == Flavor::kMariaDb ? MakeMariaDbDialect(can) : MakeMySqlDialect(can);
}

std::optional<std::string> StatusValues::Get(std::string_view name) const {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const RowReader row(rows, i);
    if (row.Text("name") == name) return row.Text("value");
  }
  return std::nullopt;
}

int StatusValues::Number(std::string_view name) const {
  return std::atoi(Get(name).value_or("0").c_str());
}

bool StatusValues::On(std::string_view name) const {
  return Get(name) == "ON";
}

std::string StatusQuery(const std::string& table, const std::vector<std::string>& names) {
  std::vector<std::string> all = names;
  all.emplace_back("uptime");
  return "SELECT LOWER(VARIABLE_NAME) AS name, VARIABLE_VALUE AS value, UNIX_TIMESTAMP() AS "
         "asked_at FROM " +
         table + " WHERE VARIABLE_NAME IN (" + QuotedList(all) + ")";
}

Result<StatusValues> ReadStatus(const Rows& rows) {
  StatusValues values;
  values.rows = rows;
  // Both servers compute Uptime as the statement's own time less the time they started, in whole
  // seconds; the statement's time less Uptime is therefore that start, exactly, whatever was done
  // to the machine's clock since.
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const RowReader row(rows, i);
    if (row.Text("name") != "uptime") continue;
    const auto asked_at = row.Number("asked_at");
    const auto uptime = row.Number("value");
    if (asked_at && uptime) values.started = std::to_string(*asked_at - *uptime);
  }
  if (values.started.empty()) {
    return Error{ErrorCode::kInternal, "the server's status does not tell its uptime"};
  }
  return values;
}

std::string AccountsAndHeartbeatQuery(const std::string& user_table, const std::string& at_once,
                                      const Watched& watched) {
  return "SELECT COUNT(*) AS accounts FROM " + user_table + " WHERE Host='%' AND User IN (" +
         QuotedList(watched.accounts) + "); " + at_once +
         "SELECT epoch, writer, written_at_ms FROM " + watched.heartbeat_table + " WHERE id=1";
}

Status ReadAccountsAndHeartbeat(const ResultSets& answers, std::size_t first,
                                const Watched& watched, DatabaseState* state) {
  if (answers.tables.size() <= first || answers.tables[first].empty()) {
    return Error{ErrorCode::kInternal, "the server did not count its accounts"};
  }
  const auto accounts = RowReader(answers.tables[first], 0).Number("accounts");
  if (answers.stopped_by) {
    const int number = answers.stopped_by->number;
    if (number == kNoSuchDatabase || number == kNoSuchTable) return Ok();
    if (number != kLockWaitTimeout) return *answers.stopped_by;
  }
  state->provisioned = accounts == static_cast<std::int64_t>(watched.accounts.size());
  if (answers.tables.size() <= first + 1 || answers.tables[first + 1].empty()) return Ok();
  const RowReader row(answers.tables[first + 1], 0);
  HeartbeatSeen heartbeat;
  heartbeat.epoch = Epoch(static_cast<std::uint64_t>(row.Number("epoch").value_or(0)));
  heartbeat.writer = NodeName(row.Text("writer"));
  heartbeat.written_at = WallTime(Milliseconds(row.Number("written_at_ms").value_or(0)));
  state->heartbeat = heartbeat;
  return Ok();
}

ReplicationSeen ReadChannelIn(const RowReader& row, const std::string& source,
                              const std::string& replica) {
  ReplicationSeen seen;
  seen.source = {row.Text(source + "_Host"),
                 static_cast<std::uint16_t>(row.Number(source + "_Port").value_or(0))};
  seen.io = ReadThread(row.Text(replica + "_IO_Running"));
  seen.sql = ReadThread(row.Text(replica + "_SQL_Running"));
  seen.io_errno = static_cast<int>(row.Number("Last_IO_Errno").value_or(0));
  seen.sql_errno = static_cast<int>(row.Number("Last_SQL_Errno").value_or(0));
  seen.io_error = row.Text("Last_IO_Error");
  seen.sql_error = row.Text("Last_SQL_Error");
  seen.lag = ReadLag(row.Number("Seconds_Behind_" + source), seen.io, seen.sql);
  return seen;
}

DatabaseState Dialect::ReadCommonState(const RowReader& row, const StatusValues& status,
                                       const ReplicaStanding& standing, const std::string& source,
                                       const std::string& replica) const {
  DatabaseState state;
  state.version = can_.version;
  state.server_id = static_cast<ServerId>(row.Number("server_id").value_or(0));
  state.executed = standing.executed;
  state.replication = standing.channel;
  state.semi_sync = {.source_enabled = row.True("source_enabled"),
                     .source_waiting = status.On(source + "_status"),
                     .waits_without_replica = row.True("wait_no_replica"),
                     .acknowledgers = status.Number(source + "_clients"),
                     .replica_enabled = row.True("replica_enabled"),
                     .replica_active = status.On(replica + "_status")};
  state.log_bin = row.True("log_bin");
  state.log_replica_updates = row.True("log_replica_updates");
  state.durable = row.Number("sync_binlog") == 1 && row.Number("flush_log") == 1;
  return state;
}

ThreadState ReadThread(const std::string& running) {
  if (running == "Yes") return ThreadState::kRunning;
  // "Connecting", and MariaDB's "Preparing"; anything unknown is not running either.
  return running == "No" || running.empty() ? ThreadState::kStopped : ThreadState::kConnecting;
}

std::optional<Seconds> ReadLag(std::optional<std::int64_t> reported, ThreadState io,
                               ThreadState sql) {
  if (!reported || io != ThreadState::kRunning || sql != ThreadState::kRunning) return std::nullopt;
  return Seconds(*reported);
}

std::string SecondsText(Milliseconds time) {
  char text[32];
  std::snprintf(text, sizeof text, "%lld.%03lld", static_cast<long long>(time.count() / 1000),
                static_cast<long long>(time.count() % 1000));
  return text;
}

}  // namespace pandora_ha
