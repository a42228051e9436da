#include "reconciler/mysql/session.h"

#include <mysql.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "reconciler/mysql/client_calls.h"
#include "reconciler/mysql/contact.h"

namespace pandora_ha {
namespace {

constexpr int kSocketConnectError = 2002;
constexpr int kHostConnectError = 2003;
constexpr int kServerLostError = 2013;
constexpr int kTlsError = 2026;

void InitLibraryOnce() {
  static std::once_flag once;
  std::call_once(once, [] {
    // A TLS write to a server that has gone raises SIGPIPE inside OpenSSL, whose default ends the
    // program.
    std::signal(SIGPIPE, SIG_IGN);
    mysql_library_init(0, nullptr, nullptr);
  });
}

// The libraries keep a little memory per thread.
struct ThreadUse {
  ThreadUse() { mysql_thread_init(); }
  ~ThreadUse() { mysql_thread_end(); }
};

// Both libraries end the text of a failed connect with "(errno)".
int SystemErrorIn(const std::string& text) {
  const std::size_t open = text.rfind('(');
  return open == std::string::npos ? 0 : std::atoi(text.c_str() + open + 1);
}

// Keepalive and the user timeout make the kernel give up on a peer that is cut off while nothing is
// asked, after about three seconds; questions in flight have their own, shorter deadlines.
void TuneSocket(int fd) {
  const int on = 1, idle_seconds = 1, interval_seconds = 1, probes = 3;
  const unsigned unacknowledged_milliseconds = 3000;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_seconds, sizeof idle_seconds);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_seconds, sizeof interval_seconds);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_milliseconds,
             sizeof unacknowledged_milliseconds);
}

Rows TakeRows(MYSQL* mysql, MYSQL_RES* result) {
  Rows rows;
  if (result == nullptr) {
    rows.matched = mysql_affected_rows(mysql);
    return rows;
  }
  const unsigned width = mysql_num_fields(result);
  const MYSQL_FIELD* fields = mysql_fetch_fields(result);
  for (unsigned i = 0; i < width; ++i) rows.columns.emplace_back(fields[i].name);
  while (const MYSQL_ROW row = mysql_fetch_row(result)) {
    const unsigned long* lengths = mysql_fetch_lengths(result);
    std::vector<Cell>& cells = rows.cells.emplace_back(width);
    for (unsigned i = 0; i < width; ++i) {
      if (row[i] != nullptr) cells[i].emplace(row[i], lengths[i]);
    }
  }
  mysql_free_result(result);
  return rows;
}

// The character set is said in so many words: the newest libmysqlclient asks for a collation that
// MariaDB does not have, and MariaDB then takes texts for latin1.
std::string SetUp(const std::string& server_version) {
  std::string sql =
      "SET SESSION sql_mode='', time_zone='+00:00', autocommit=1, lock_wait_timeout=1, "
      "innodb_lock_wait_timeout=2, character_set_client=utf8mb4, character_set_connection=utf8mb4, "
      "character_set_results=utf8mb4";
  if (server_version.find("MariaDB") != std::string::npos) sql += ", max_statement_time=0";
  return sql;
}

}  // namespace

std::string ClientLibrary() {
#ifdef PANDORA_HA_CLIENT_IS_MARIADB
  const std::string name = "MariaDB Connector/C ";
#else
  const std::string name = "libmysqlclient ";
#endif
  return name + mysql_get_client_info();
}

struct Session::Connection {
  MYSQL* mysql = nullptr;
  std::string where;  // "127.0.0.1:3306"
  std::string version;
  bool open = false;  // connected and not in the middle of a call

  ~Connection() { Close(); }

  void Close() {
    CloseConnection(mysql, open);
    mysql = nullptr;
    open = false;
  }

  Error TimedOut() {
    open = false;
    Close();
    return {ErrorCode::kTimeout,
            "no answer from the database at " + where + " within the time allowed"};
  }

  // Closes the connection when the failure means that it is of no more use.
  Error Failed(bool keep_text) {
    const int number = static_cast<int>(mysql_errno(mysql));
    // Below 1000 are the server's own troubles with files (a full tmpdir): it lives, and so does
    // the connection. They must not be read as the errno of a failed connect.
    const bool of_files = number < 1000;
    Error error{of_files ? ErrorCode::kRefused : CodeOf(number), "", of_files ? 0 : number};
    error.message = "the database at " + where + " answered: ";
    error.message += keep_text ? mysql_error(mysql) : "error " + std::to_string(number);
    if (error.code == ErrorCode::kUnreachable) {
      open = false;
      error.message =
          "the connection to the database at " + where + " broke: " + mysql_error(mysql);
      Close();
    }
    return error;
  }

  Error NotConnected() {
    const int number = static_cast<int>(mysql_errno(mysql));
    const std::string text = mysql_error(mysql);
    Error error{CodeOf(number), "cannot log in to the database at " + where + ": " + text, number};
    const bool system = number == kSocketConnectError || number == kHostConnectError;
    if (system && SystemErrorIn(text) > 0) error.number = SystemErrorIn(text);
    Close();
    return error;
  }

  Result<ResultSets> Ask(const std::string& sql, bool keep_text, Deadline deadline) {
    static thread_local ThreadUse use;
    if (!open) {
      return Error{ErrorCode::kUnreachable,
                   "the connection to the database at " + where + " is closed", kServerLostError};
    }
    ResultSets answers;
    CallResult called = QueryCall(mysql, sql, deadline);
    for (bool more = true; more;) {
      MYSQL_RES* result = nullptr;
      if (called == CallResult::kDone) called = StoreResultCall(mysql, &result, deadline);
      if (called == CallResult::kDone) {
        answers.tables.push_back(TakeRows(mysql, result));
        called = NextResultCall(mysql, &more, deadline);
        if (called == CallResult::kDone) continue;
      }
      if (called == CallResult::kTimedOut) return TimedOut();
      const Error error = Failed(keep_text);
      if (!open) return error;
      answers.stopped_by = error;
      more = false;
    }
    return answers;
  }
};

Session::Session(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}
Session::~Session() = default;

Result<std::unique_ptr<Session>> Session::Connect(const SessionOptions& options,
                                                  Deadline deadline) {
  InitLibraryOnce();
  static thread_local ThreadUse use;
  auto connection = std::make_unique<Connection>();
  connection->where = ToString(options.address);
  connection->mysql = NewHandle();
  if (connection->mysql == nullptr) return Error{ErrorCode::kInternal, "out of memory"};
  SetTls(connection->mysql, options.tls);
  switch (ConnectCall(connection->mysql, options.address.host, options.address.port, options.user,
                      options.password.Reveal(), deadline)) {
    case CallResult::kTimedOut:
      return connection->TimedOut();
    case CallResult::kFailed:
      return connection->NotConnected();
    case CallResult::kDone:
      break;
  }
  connection->open = true;
  connection->version = mysql_get_server_info(connection->mysql);
  TuneSocket(SocketOf(connection->mysql));
  std::unique_ptr<Session> session(new Session(std::move(connection)));
  if (options.tls.enabled && session->tls_cipher().empty()) {
    return Error{ErrorCode::kDenied,
                 "the database at " + ToString(options.address) +
                     " does not encrypt, and the document demands TLS: configure its certificate",
                 kTlsError};
  }
  PHA_TRY(session->Execute(SetUp(session->server_version()), deadline));
  return session;
}

Result<ResultSets> Session::QueryAll(const std::string& sql, Deadline deadline) {
  return connection_->Ask(sql, true, deadline);
}

Result<Rows> Session::Query(const std::string& sql, Deadline deadline) {
  PHA_ASSIGN_OR_RETURN(ResultSets answers, QueryAll(sql, deadline));
  if (answers.stopped_by) return *answers.stopped_by;
  return std::move(answers.tables.front());
}

Status Session::Execute(const std::string& sql, Deadline deadline) {
  PHA_ASSIGN_OR_RETURN(const ResultSets answers, connection_->Ask(sql, true, deadline));
  if (answers.stopped_by) return *answers.stopped_by;
  return Ok();
}

Status Session::ExecuteSecret(const std::string& sql, Deadline deadline) {
  PHA_ASSIGN_OR_RETURN(const ResultSets answers, connection_->Ask(sql, false, deadline));
  if (answers.stopped_by) return *answers.stopped_by;
  return Ok();
}

bool Session::broken() const {
  return !connection_->open;
}

int Session::descriptor() const {
  return connection_->open ? SocketOf(connection_->mysql) : -1;
}

std::uint64_t Session::connection_id() const {
  return connection_->open ? mysql_thread_id(connection_->mysql) : 0;
}

const std::string& Session::server_version() const {
  return connection_->version;
}

std::string Session::tls_cipher() const {
  const char* cipher = connection_->open ? mysql_get_ssl_cipher(connection_->mysql) : nullptr;
  return cipher == nullptr ? "" : cipher;
}

}  // namespace pandora_ha
