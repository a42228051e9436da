#include "reconciler/mysql/dialect.h"

#include <algorithm>
#include <cstdio>

#include "reconciler/model/json.h"
#include "reconciler/mysql/quote.h"

namespace pandora_ha {
namespace {

constexpr int kNoSuchDatabase = 1049;
constexpr int kNoSuchTable = 1146;
constexpr int kLockWaitTimeout = 1205;
// A counter that has come so far was not counted there.
constexpr std::int64_t kMostChanges = std::int64_t{1} << 62;

std::string QuotedList(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ",") + QuoteLiteral(name);
  return list.empty() ? "''" : list;
}

HeartbeatSeen ReadHeartbeat(const RowReader& row) {
  HeartbeatSeen heartbeat;
  heartbeat.epoch = Epoch(static_cast<std::uint64_t>(row.Number("epoch").value_or(0)));
  heartbeat.writer = NodeName(row.Text("writer"));
  heartbeat.written_at = WallTime(Milliseconds(row.Number("written_at_ms").value_or(0)));
  return heartbeat;
}

void ReadGuardsRow(const RowReader& row, DatabaseState* state) {
  const auto epoch = row.Number("epoch");
  const auto change = row.Number("version");
  if (!epoch || !change || *epoch < 0 || *change < 0 || *change > kMostChanges) {
    state->unread_guards = UnreadGuards{{}, "their row has no version"};
    return;
  }
  const GuardsVersion version{Epoch(static_cast<std::uint64_t>(*epoch)),
                              static_cast<std::uint64_t>(*change)};
  const auto guards = ReadGuards(row.Text("document"));
  if (guards.ok()) {
    state->guards = GuardsCopy{version, row.Text("writer"), *guards};
  } else {
    state->unread_guards = UnreadGuards{version, guards.error().message};
  }
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

std::string AccountsAndRowsQuery(const std::string& user_table, const std::string& at_once,
                                 const Watched& watched) {
  return "SELECT COUNT(*) AS accounts FROM " + user_table + " WHERE Host='%' AND User IN (" +
         QuotedList(watched.accounts) + "); " + at_once +
         "SELECT epoch, writer, written_at_ms FROM " + watched.heartbeat_table + " WHERE id=1; " +
         at_once + "SELECT epoch, version, writer, document FROM " + watched.guards_table +
         " WHERE id=1";
}

std::string MarkersIn(const SessionColumns& sessions, const std::string& admin) {
  const std::string state = "COALESCE(" + sessions.state + ",'')";
  const std::string for_replica = state + " LIKE '%semi-sync ACK%'";
  const std::string ours = "COALESCE(" + sessions.user + "=" + QuoteLiteral(admin) + " AND " +
                           sessions.info + " LIKE '%`pandora_ha_heartbeat` SET epoch=%',0)";
  // "Commit", "waiting for handler commit"; a lock that holds commits up is "Waiting for … lock".
  return "SELECT " + ours + " AS ours, " + for_replica + " AS for_replica, " + state +
         " LIKE '%commit%' AND " + state + " NOT LIKE '%lock' AS commits, " + state +
         " AS doing FROM " + sessions.table + " WHERE " + sessions.id + "<>CONNECTION_ID() AND (" +
         ours + " OR " + for_replica + ")";
}

Status ReadAccountsAndRows(const ResultSets& answers, std::size_t first, const Watched& watched,
                           DatabaseState* state) {
  if (answers.tables.size() <= first || answers.tables[first].empty()) {
    return Error{ErrorCode::kInternal, "the server did not count its accounts"};
  }
  const auto accounts = RowReader(answers.tables[first], 0).Number("accounts");
  const std::optional<Error>& stopped = answers.stopped_by;
  const bool missing =
      stopped && (stopped->number == kNoSuchDatabase || stopped->number == kNoSuchTable);
  const bool had_heartbeat = answers.tables.size() > first + 1;
  if (stopped && !missing && !had_heartbeat && stopped->number != kLockWaitTimeout) return *stopped;
  if (stopped && !missing) state->unread_guards = UnreadGuards{{}, stopped->message};
  state->provisioned = !missing && accounts == static_cast<std::int64_t>(watched.accounts.size());
  const auto row_of = [&](std::size_t table) -> std::optional<RowReader> {
    if (answers.tables.size() <= table || answers.tables[table].empty()) return std::nullopt;
    return RowReader(answers.tables[table], 0);
  };
  if (const auto row = row_of(first + 1)) state->heartbeat = ReadHeartbeat(*row);
  if (const auto row = row_of(first + 2)) ReadGuardsRow(*row, state);
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
