#include "reconciler/mysql/provision.h"

#include "reconciler/model/guards.h"
#include "reconciler/model/own_tables.h"
#include "reconciler/mysql/quote.h"

namespace pandora_ha {
namespace {

// Makes the account when it is missing and gives it the declared password. Both statements are
// repeatable, and neither needs a FLUSH PRIVILEGES.
std::string AccountStatements(const std::string& account, const std::string& password_clause) {
  return "; CREATE USER IF NOT EXISTS " + account + " IDENTIFIED" + password_clause +
         "; ALTER USER " + account + " IDENTIFIED" + password_clause;
}

}  // namespace

Result<std::string> HeartbeatTable(const std::string& schema) {
  PHA_ASSIGN_OR_RETURN(const std::string quoted, QuoteIdentifier(schema));
  return quoted + ".`" + kHeartbeatTable + "`";
}

Result<std::string> GuardsTable(const std::string& schema) {
  PHA_ASSIGN_OR_RETURN(const std::string quoted, QuoteIdentifier(schema));
  return quoted + ".`" + kGuardsTable + "`";
}

Result<std::string> ProvisionStatements(const Dialect& dialect, const ClusterSpec& spec,
                                        const ResolvedCredentials& passwords,
                                        bool native_password) {
  const Credentials& declared = spec.database.credentials;
  PHA_ASSIGN_OR_RETURN(const std::string schema, QuoteIdentifier(spec.database.schema));
  PHA_ASSIGN_OR_RETURN(const std::string grant_schema, QuoteGrantSchema(spec.database.schema));
  PHA_ASSIGN_OR_RETURN(const std::string heartbeat, HeartbeatTable(spec.database.schema));
  PHA_ASSIGN_OR_RETURN(const std::string guards, GuardsTable(spec.database.schema));
  std::string sql = "CREATE DATABASE IF NOT EXISTS " + schema;
  sql += "; CREATE TABLE IF NOT EXISTS " + heartbeat +
         " (id TINYINT UNSIGNED NOT NULL PRIMARY KEY, epoch BIGINT UNSIGNED NOT NULL, "
         "writer VARCHAR(253) CHARACTER SET utf8mb4 NOT NULL, written_at_ms BIGINT NOT NULL) "
         "ENGINE=InnoDB";
  // Apart from the heartbeat, which is written every second and would carry them each time.
  sql += "; CREATE TABLE IF NOT EXISTS " + guards +
         " (id TINYINT UNSIGNED NOT NULL PRIMARY KEY, epoch BIGINT UNSIGNED NOT NULL, "
         "version BIGINT UNSIGNED NOT NULL, writer VARBINARY(64) NOT NULL, document VARBINARY(" +
         std::to_string(kMostGuardsBytes) + ") NOT NULL) ENGINE=InnoDB";
  if (!declared.replication.user.empty()) {
    const std::string account = QuoteLiteral(declared.replication.user) + "@'%'";
    sql += AccountStatements(account, dialect.PasswordClause(passwords.replication, false));
    sql += "; GRANT REPLICATION SLAVE ON *.* TO " + account;
  }
  if (!declared.application.user.empty()) {
    const std::string account = QuoteLiteral(declared.application.user) + "@'%'";
    sql +=
        AccountStatements(account, dialect.PasswordClause(passwords.application, native_password));
    sql += "; GRANT ALL PRIVILEGES ON " + grant_schema + ".* TO " + account;
  }
  return sql;
}

}  // namespace pandora_ha
