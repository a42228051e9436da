// What a cluster knows of itself in its own database: the marker row, what people have asked for,
// and the marks of others that count as executed.
#include "reconciler/model/json.h"
#include "reconciler/mysql/capabilities.h"
#include "reconciler/mysql/manager_lock.h"
#include "reconciler/mysql/provision.h"
#include "reconciler/mysql/quote.h"
#include "reconciler/mysql/sql_database_node.h"

namespace pandora_ha {
namespace {

// Later servers have words for read_only, and a word is equal to 0.
constexpr const char* kOpen = "CAST(@@global.read_only AS CHAR) IN ('0','OFF')";

}  // namespace

Status SqlDatabaseNode::ReadyMarkerSession(Deadline deadline) {
  if (marker_session_ && !marker_session_->broken()) return Ok();
  PHA_ASSIGN_OR_RETURN(marker_session_, Session::Connect(options_.session, deadline));
  PHA_ASSIGN_OR_RETURN(const ServerVersion version,
                       ParseServerVersion(marker_session_->server_version()));
  // MariaDB's read_only does not hold us up: what comes late must not write behind the back of a
  // switchover. The server closes only between statements, so the question and the write are one.
  // Written as a row, because a replica would answer the question otherwise.
  if (version.flavor != Flavor::kMariaDb) return Ok();
  return marker_session_->Execute("SET SESSION binlog_format=ROW", deadline);
}

Result<bool> SqlDatabaseNode::Mark(const std::string& sql, Deadline deadline) {
  PHA_ASSIGN_OR_RETURN(const ResultSets done, marker_session_->QueryAll(sql, deadline));
  if (done.stopped_by) return *done.stopped_by;
  return done.tables.back().matched > 0;
}

Status SqlDatabaseNode::WriteMarker(Epoch epoch, const NodeName& writer, WallTime now,
                                    Deadline deadline) {
  PHA_TRY(MayChange());
  if (!options_.lock_name.empty()) PHA_TRY(Ready(deadline));
  PHA_ASSIGN_OR_RETURN(const std::string table, HeartbeatTable(options_.schema));
  PHA_TRY(ReadyMarkerSession(deadline));
  const std::string open = std::string(" AND ") + kOpen;
  const std::string number = std::to_string(epoch.number);
  const std::string name = QuoteLiteral(writer.text);
  const std::string written = std::to_string(now.time_since_epoch().count());
  // Asked by the server itself, so that a manager that was frozen just now writes nothing.
  const std::string still_ours =
      options_.lock_name.empty()
          ? "SET @pandora_ha_ours=1; "
          : "SET @pandora_ha_ours=" +
                HoldsManagerLock(options_.lock_name, session_->connection_id()) + "; ";
  PHA_ASSIGN_OR_RETURN(const bool updated,
                       Mark(still_ours + "UPDATE " + table + " SET epoch=" + number +
                                ", writer=" + name + ", written_at_ms=" + written +
                                " WHERE id=1 AND epoch<=" + number + " AND @pandora_ha_ours" + open,
                            deadline));
  if (updated) return Ok();
  PHA_ASSIGN_OR_RETURN(const bool inserted,
                       Mark(still_ours + "INSERT IGNORE INTO " + table +
                                " (id, epoch, writer, written_at_ms) SELECT 1, " + number + ", " +
                                name + ", " + written + " FROM DUAL WHERE @pandora_ha_ours" + open,
                            deadline));
  if (inserted) return Ok();
  return Error{ErrorCode::kConflict,
               "the marker row at " + Where() + " was not written: it has an epoch above " +
                   number +
                   ", or the lock is not held any more, because another manager promoted a primary "
                   "since; or the server is read-only"};
}

// Other managers' markers count, too: ours waits for the row behind one that hangs.
Result<MarkerStanding> SqlDatabaseNode::AskAfterMarker(Deadline deadline) {
  PHA_TRY(Ready(deadline));
  PHA_ASSIGN_OR_RETURN(const ResultSets answers,
                       Ask(dialect_->AskAfterMarker(options_.session.user), deadline));
  if (answers.tables.empty()) {
    return answers.stopped_by.value_or(
        Error{ErrorCode::kInternal, "the server at " + Where() + " did not tell of its writes"});
  }
  MarkerStanding standing;
  bool for_replica = false;
  for (std::size_t i = 0; i < answers.tables[0].size(); ++i) {
    const RowReader row(answers.tables[0], i);
    const std::string doing = row.Text("doing");
    // Whoever commits behind one that waits for a replica waits for it, too.
    for_replica = for_replica || row.Text("for_replica") == "1";
    if (row.Text("ours") != "1") continue;
    standing.pending = true;
    if (row.Text("commits") != "1" && !standing.doing.empty()) continue;
    standing.in_commit = row.Text("commits") == "1";
    standing.doing = doing;
  }
  standing.in_commit = standing.in_commit && !for_replica;
  return standing;
}

Status SqlDatabaseNode::WriteGuards(const GuardsCopy& copy, Epoch epoch, std::uint64_t holder,
                                    Deadline deadline) {
  const std::string document = PrintGuards(copy.guards);
  if (document.size() > kMostGuardsBytes) {
    return Error{ErrorCode::kInvalid, "what people have asked for is longer than " +
                                          std::to_string(kMostGuardsBytes) +
                                          " bytes and cannot be shared; resume or unfence a node"};
  }
  PHA_ASSIGN_OR_RETURN(const std::string table, GuardsTable(options_.schema));
  PHA_ASSIGN_OR_RETURN(const std::string heartbeat, HeartbeatTable(options_.schema));
  PHA_TRY(ReadyMarkerSession(deadline));
  const std::string in_epoch = std::to_string(copy.version.epoch.number);
  const std::string change = std::to_string(copy.version.change);
  const std::string writer = QuoteLiteral(copy.writer), text = QuoteLiteral(document);
  std::string may = std::string(kOpen) + " AND NOT EXISTS (SELECT 1 FROM " + heartbeat +
                    " WHERE id=1 AND epoch>" + std::to_string(epoch.number) + ")";
  if (!options_.lock_of_another.empty() && holder != 0)
    may += " AND " + HoldsManagerLock(options_.lock_of_another, holder);
  PHA_ASSIGN_OR_RETURN(
      const bool updated,
      Mark("UPDATE " + table + " SET epoch=" + in_epoch + ", version=" + change +
               ", writer=" + writer + ", document=" + text + " WHERE id=1 AND (epoch<" + in_epoch +
               " OR (epoch=" + in_epoch + " AND version<" + change + ")) AND " + may,
           deadline));
  if (updated) return Ok();
  PHA_ASSIGN_OR_RETURN(
      const bool inserted,
      Mark("INSERT IGNORE INTO " + table + " (id, epoch, version, writer, document) SELECT 1, " +
               in_epoch + ", " + change + ", " + writer + ", " + text + " FROM DUAL WHERE " + may,
           deadline));
  if (inserted) return Ok();
  return Error{ErrorCode::kConflict,
               "what people have asked for was not written at " + Where() +
                   ": a later copy or a higher epoch is there, or the lock is not held any more, "
                   "or the server is read-only"};
}

Status SqlDatabaseNode::InjectEmpty(const GtidSet& transactions, Deadline deadline) {
  PHA_TRY(MayChange());
  PHA_TRY(Ready(deadline));
  for (const auto& [source, ranges] : transactions.sources()) {
    for (const GtidSet::Range& range : ranges) {
      for (std::uint64_t number = range.first; number <= range.last; ++number) {
        const std::string sql = dialect_->InjectEmpty(source + ":" + std::to_string(number));
        if (sql.empty()) {
          return Error{ErrorCode::kUnsupported,
                       "the server at " + Where() + " knows no empty transactions"};
        }
        const Status done = Change(sql, deadline);
        if (done.ok()) continue;
        // Its name must not stay on the session: the next transaction would carry it.
        if (session_ && !session_->broken()) [[maybe_unused]]
          const auto undone = Ask("ROLLBACK; SET SESSION gtid_next='AUTOMATIC'", deadline);
        return done;
      }
    }
  }
  return Ok();
}

}  // namespace pandora_ha
