#include "reconciler/mysql/blockers.h"

#include <algorithm>
#include <cctype>

#include "reconciler/mysql/quote.h"

namespace pandora_ha {
namespace {

constexpr char kCommitting[] =
    "(COALESCE(p.STATE,'') LIKE '%semi-sync%' OR COALESCE(p.STATE,'') LIKE '%commit%' OR "
    "COALESCE(p.INFO,'') LIKE 'commit%')";

// Statements that do not hold the lock that read_only waits for. [ (] because a dump begins so.
constexpr char kWrites[] =
    "(p.COMMAND IN ('Query','Execute') AND p.INFO IS NOT NULL AND (p.INFO NOT RLIKE "
    "'^[[:space:](]*(SELECT|SHOW|DO|SET|EXPLAIN|DESC|USE|KILL|WITH|CHECKSUM|FLUSH|BACKUP|UNLOCK)' "
    "OR p.INFO RLIKE 'FOR[[:space:]]+UPDATE'))";

// Where the server tells it: the very lock. It also finds what the text of a statement hides.
std::string HoldsGlobalLock(const Capabilities& can) {
  if (can.version.flavor == Flavor::kMariaDb) return "0";
  return "EXISTS(SELECT 1 FROM performance_schema.metadata_locks l JOIN "
         "performance_schema.threads h ON h.THREAD_ID=l.OWNER_THREAD_ID WHERE "
         "h.PROCESSLIST_ID=p.ID AND l.OBJECT_TYPE='GLOBAL' AND "
         "l.LOCK_TYPE='INTENTION_EXCLUSIVE' AND l.LOCK_STATUS='GRANTED')";
}

// At least this old: all these times are whole seconds, so what began before the second's end looks
// one second old at once. trx_started is printed in the machine's time zone, whatever the
// session's.
constexpr char kAge[] =
    "GREATEST(0, COALESCE(UNIX_TIMESTAMP()-UNIX_TIMESTAMP(CONVERT_TZ(t.trx_started,'SYSTEM',"
    "'+00:00')), p.TIME)-1)";

std::string FromSessions(const Ourselves& ours) {
  std::string sql =
      " FROM information_schema.PROCESSLIST p LEFT JOIN information_schema.INNODB_TRX t ON "
      "t.trx_mysql_thread_id=p.ID WHERE p.ID<>CONNECTION_ID() AND p.USER NOT IN ('system user', "
      "'event_scheduler') AND p.COMMAND NOT LIKE 'Binlog Dump%' AND p.COMMAND NOT IN ('Daemon', "
      "'Killed') AND NOT (p.USER=" +
      QuoteLiteral(ours.admin_user) + " AND COALESCE(p.INFO,'') LIKE '%`pandora_ha_heartbeat`%')";
  if (!ours.lock_name.empty()) {
    sql += " AND p.ID<>COALESCE(IS_USED_LOCK(" + QuoteLiteral(ours.lock_name) + "),0)";
  }
  return sql;
}

std::string Named(const Blocker& blocker) {
  return " AND p.ID=" + std::to_string(blocker.connection) +
         " AND p.USER=" + QuoteLiteral(blocker.user) + " AND p.HOST=" + QuoteLiteral(blocker.host);
}

std::string Ask(const Capabilities& can) {
  return "SELECT p.ID AS id, p.USER AS user, p.HOST AS host, LEFT(COALESCE(p.INFO,''),80) AS "
         "statement, p.COMMAND<>'Sleep' AS running, t.trx_id IS NOT NULL AS in_transaction, " +
         std::string(kCommitting) + " AS committing, " + kWrites + " AS writes, " +
         HoldsGlobalLock(can) + " AS holds, " + kAge + " AS age";
}

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// The word stands before the secret, so a text that was cut before the word has no secret either.
std::string Presentable(const std::string& statement) {
  const std::string lower = Lower(statement);
  const bool secret =
      lower.find("password") != std::string::npos || lower.find("identified") != std::string::npos;
  if (secret) return "(a statement that may hold a password)";
  std::string text = statement;
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return std::iscntrl(c) != 0; }, ' ');
  return text;
}

}  // namespace

std::string AskBlockers(const Capabilities& can, const Ourselves& ours) {
  return Ask(can) + FromSessions(ours) + " ORDER BY age DESC";
}

std::string AskBlocker(const Capabilities& can, const Ourselves& ours, const Blocker& blocker) {
  return Ask(can) + FromSessions(ours) + Named(blocker);
}

std::vector<Blocker> ReadBlockers(const Rows& rows) {
  std::vector<Blocker> blockers;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const RowReader row(rows, i);
    Blocker blocker;
    if (row.True("committing")) {
      blocker.kind = Blocker::Kind::kCommit;
    } else if (row.True("running") && (row.True("holds") || row.True("writes"))) {
      blocker.kind = Blocker::Kind::kStatement;
    } else if (row.True("holds")) {
      blocker.kind = Blocker::Kind::kTableLock;
    } else if (row.True("in_transaction")) {
      blocker.kind = Blocker::Kind::kTransaction;
    } else {
      continue;
    }
    blocker.connection = static_cast<std::uint64_t>(row.Number("id").value_or(0));
    blocker.user = row.Text("user");
    blocker.host = row.Text("host");
    blocker.age = Seconds(std::max<std::int64_t>(0, row.Number("age").value_or(0)));
    blocker.statement = Presentable(row.Text("statement"));
    blockers.push_back(std::move(blocker));
  }
  return blockers;
}

std::string EndBlocker(const Ourselves& ours, const Blocker& blocker) {
  const auto seconds = std::chrono::duration_cast<Seconds>(blocker.age).count();
  return "SET @pandora_ha_kill=(SELECT p.ID" + FromSessions(ours) + Named(blocker) + " AND " +
         kAge + ">=" + std::to_string(seconds) + " AND NOT " + kCommitting +
         "); KILL @pandora_ha_kill";
}

std::string CountSessions(const std::vector<Blocker>& blockers) {
  std::string ids = "0";
  for (const Blocker& blocker : blockers) ids += "," + std::to_string(blocker.connection);
  return "SELECT COUNT(*) AS sessions FROM information_schema.PROCESSLIST WHERE ID IN (" + ids +
         ")";
}

std::string AskTablesInUse() {
  return "SHOW OPEN TABLES WHERE In_use>0; SELECT LEFT(INFO,4000) AS statement FROM "
         "information_schema.PROCESSLIST WHERE INFO IS NOT NULL AND ID<>CONNECTION_ID()";
}

std::set<std::string> TablesInUseUnexplained(const Rows& tables, const Rows& statements) {
  std::set<std::string> unexplained;
  for (std::size_t i = 0; i < tables.size(); ++i) {
    const RowReader row(tables, i);
    const std::string table = Lower(row.Text("Table"));
    bool named = false;
    for (std::size_t j = 0; j < statements.size(); ++j) {
      named = named ||
              Lower(RowReader(statements, j).Text("statement")).find(table) != std::string::npos;
    }
    if (!named) unexplained.insert(row.Text("Database") + "." + row.Text("Table"));
  }
  return unexplained;
}

}  // namespace pandora_ha
