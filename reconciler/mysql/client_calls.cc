#include "reconciler/mysql/client_calls.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>

namespace pandora_ha {
namespace {

// Several statements in one round trip; an UPDATE reports the rows that it matched.
constexpr unsigned long kClientFlags = CLIENT_MULTI_STATEMENTS | CLIENT_FOUND_ROWS;

// Waits for `events` on the connection for `milliseconds` at most. Returns what happened; 0:
// nothing.
int PollSocket(MYSQL* mysql, short events, int milliseconds) {
  pollfd one{SocketOf(mysql), events, 0};
  const int ready = poll(&one, 1, milliseconds);
  if (ready < 0) return 0;  // EINTR: the caller looks at its deadline and comes again
  return ready == 0 ? 0 : one.revents;
}

#ifdef PANDORA_HA_CLIENT_IS_MARIADB

// OpenSSL, the resolver and the loading of a plugin all run on the library's own stack.
constexpr std::size_t kCallStack = 256 * 1024;

// Waits for what a suspended call wants. Returns 0 when the deadline passed.
int WaitFor(MYSQL* mysql, int wanted, Deadline deadline) {
  short events = 0;
  if ((wanted & MYSQL_WAIT_READ) != 0) events = static_cast<short>(events | POLLIN);
  if ((wanted & MYSQL_WAIT_WRITE) != 0) events = static_cast<short>(events | POLLOUT);
  if ((wanted & MYSQL_WAIT_EXCEPT) != 0) events = static_cast<short>(events | POLLPRI);
  do {
    const int got = PollSocket(mysql, events, deadline.poll_milliseconds());
    int status = 0;
    if ((got & (POLLIN | POLLHUP | POLLERR)) != 0) status |= wanted & MYSQL_WAIT_READ;
    if ((got & (POLLOUT | POLLHUP | POLLERR)) != 0) status |= wanted & MYSQL_WAIT_WRITE;
    if ((got & POLLPRI) != 0) status |= wanted & MYSQL_WAIT_EXCEPT;
    if (status != 0) return status;
    // An error that is none of the wanted events still has to wake the call.
    if (got != 0) return wanted & (MYSQL_WAIT_READ | MYSQL_WAIT_WRITE);
  } while (!deadline.passed());
  return 0;
}

// The TLS handshake is the one part of a connect that the library does with blocking reads; these
// bound it, by the deadline and, should the library try again, by whole seconds.
void BoundHandshake(MYSQL* mysql, Deadline deadline) {
  const int fd = SocketOf(mysql);
  const unsigned int seconds = static_cast<unsigned>(deadline.poll_milliseconds() / 1000 + 1);
  if (fd < 0) {
    mysql_options(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
    return;
  }
  const auto left = std::max<std::int64_t>(1, deadline.left().count());
  const timeval limit{left / 1000000, left % 1000000};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

// Runs a start/cont pair of the library. A call that is out of time is told so until it has unwound
// its own stack: dropping it half-way would leak what it holds.
template <class Start, class Continue>
bool Drive(MYSQL* mysql, Deadline deadline, Start start, Continue proceed) {
  int wanted = start();
  while (wanted != 0) {
    const int got = WaitFor(mysql, wanted, deadline);
    if (got == 0) {
      shutdown(SocketOf(mysql), SHUT_RDWR);
      for (int i = 0; wanted != 0 && i < 16; ++i) wanted = proceed(MYSQL_WAIT_TIMEOUT);
      return false;
    }
    wanted = proceed(got);
  }
  return true;
}

#else

// libmysqlclient does not say whether it waits to read or to write. Writing waits only until the
// connection is made and in the rare case of a full socket buffer, for which the slices are there.
template <class Call>
CallResult Drive(MYSQL* mysql, Deadline deadline, Call call) {
  int slice = 1;
  while (true) {
    const net_async_status status = call();
    if (status == NET_ASYNC_ERROR) return CallResult::kFailed;
    if (status != NET_ASYNC_NOT_READY) return CallResult::kDone;
    if (deadline.passed()) return CallResult::kTimedOut;
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    const int fd = SocketOf(mysql);
    // No socket to be told yet: the connect itself, which is asked about again soon.
    if (fd < 0) slice = 1;
    const bool connected = getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0;
    PollSocket(mysql, connected ? POLLIN : POLLOUT, std::min(slice, deadline.poll_milliseconds()));
    slice = std::min(slice * 2, 64);
  }
}

#endif

}  // namespace

int SocketOf(MYSQL* mysql) {
#ifdef PANDORA_HA_CLIENT_IS_MARIADB
  return static_cast<int>(mysql_get_socket(mysql));
#else
  return mysql->net.fd;
#endif
}

MYSQL* NewHandle() {
  MYSQL* mysql = mysql_init(nullptr);
  if (mysql == nullptr) return nullptr;
  const unsigned int off = 0;
  // A server must not be able to ask us for files.
  mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &off);
  mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
  // "localhost" must mean the declared port, not some socket file.
  const unsigned int tcp = MYSQL_PROTOCOL_TCP;
  mysql_options(mysql, MYSQL_OPT_PROTOCOL, &tcp);
#ifdef PANDORA_HA_CLIENT_IS_MARIADB
  mysql_options(mysql, MYSQL_OPT_NONBLOCK, &kCallStack);
#else
  // Filled in once connected; until then it would read as standard input.
  mysql->net.fd = -1;
#endif
  return mysql;
}

void SetTls(MYSQL* mysql, const TlsSpec& tls) {
#ifdef PANDORA_HA_CLIENT_IS_MARIADB
  const my_bool on = 1;
  const my_bool off = 0;
  mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, tls.enabled ? &on : &off);
  mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, tls.enabled ? &on : &off);
#else
  const unsigned int mode = tls.enabled ? SSL_MODE_VERIFY_IDENTITY : SSL_MODE_DISABLED;
  mysql_options(mysql, MYSQL_OPT_SSL_MODE, &mode);
  // Without encryption caching_sha2_password sends the password under the server's key, which this
  // library fetches only when told to.
  const bool fetch = !tls.enabled;
  mysql_options(mysql, MYSQL_OPT_GET_SERVER_PUBLIC_KEY, &fetch);
#endif
  if (!tls.enabled) return;
  mysql_options(mysql, MYSQL_OPT_SSL_CA, tls.ca_file.c_str());
  if (!tls.certificate_file.empty()) {
    mysql_options(mysql, MYSQL_OPT_SSL_CERT, tls.certificate_file.c_str());
    mysql_options(mysql, MYSQL_OPT_SSL_KEY, tls.key_file.c_str());
  }
}

#ifdef PANDORA_HA_CLIENT_IS_MARIADB

CallResult ConnectCall(MYSQL* mysql, const std::string& host, unsigned port,
                       const std::string& user, const std::string& password, Deadline deadline) {
  BoundHandshake(mysql, deadline);
  MYSQL* connected = nullptr;
  const bool in_time = Drive(
      mysql, deadline,
      [&] {
        const int wanted =
            mysql_real_connect_start(&connected, mysql, host.c_str(), user.c_str(),
                                     password.c_str(), nullptr, port, nullptr, kClientFlags);
        BoundHandshake(mysql, deadline);
        return wanted;
      },
      [&](int status) { return mysql_real_connect_cont(&connected, mysql, status); });
  if (!in_time) return CallResult::kTimedOut;
  if (connected == nullptr) return CallResult::kFailed;
  // Left blocking, a TLS session's reads would wait in OpenSSL instead of in our poll.
  const int fd = SocketOf(mysql);
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  return CallResult::kDone;
}

CallResult QueryCall(MYSQL* mysql, const std::string& sql, Deadline deadline) {
  int error = 0;
  const bool in_time = Drive(
      mysql, deadline,
      [&] { return mysql_real_query_start(&error, mysql, sql.data(), sql.size()); },
      [&](int status) { return mysql_real_query_cont(&error, mysql, status); });
  if (!in_time) return CallResult::kTimedOut;
  return error == 0 ? CallResult::kDone : CallResult::kFailed;
}

CallResult StoreResultCall(MYSQL* mysql, MYSQL_RES** result, Deadline deadline) {
  *result = nullptr;
  const bool in_time = Drive(
      mysql, deadline, [&] { return mysql_store_result_start(result, mysql); },
      [&](int status) { return mysql_store_result_cont(result, mysql, status); });
  if (!in_time) return CallResult::kTimedOut;
  return *result == nullptr && mysql_errno(mysql) != 0 ? CallResult::kFailed : CallResult::kDone;
}

CallResult NextResultCall(MYSQL* mysql, bool* more, Deadline deadline) {
  int status_of_next = 0;
  const bool in_time = Drive(
      mysql, deadline, [&] { return mysql_next_result_start(&status_of_next, mysql); },
      [&](int status) { return mysql_next_result_cont(&status_of_next, mysql, status); });
  *more = status_of_next == 0;
  if (!in_time) return CallResult::kTimedOut;
  return status_of_next > 0 ? CallResult::kFailed : CallResult::kDone;
}

#else

CallResult ConnectCall(MYSQL* mysql, const std::string& host, unsigned port,
                       const std::string& user, const std::string& password, Deadline deadline) {
  return Drive(mysql, deadline, [&] {
    return mysql_real_connect_nonblocking(mysql, host.c_str(), user.c_str(), password.c_str(),
                                          nullptr, port, nullptr, kClientFlags);
  });
}

CallResult QueryCall(MYSQL* mysql, const std::string& sql, Deadline deadline) {
  return Drive(mysql, deadline,
               [&] { return mysql_real_query_nonblocking(mysql, sql.data(), sql.size()); });
}

CallResult StoreResultCall(MYSQL* mysql, MYSQL_RES** result, Deadline deadline) {
  *result = nullptr;
  const CallResult called =
      Drive(mysql, deadline, [&] { return mysql_store_result_nonblocking(mysql, result); });
  if (called == CallResult::kTimedOut) return called;
  return *result == nullptr && mysql_errno(mysql) != 0 ? CallResult::kFailed : CallResult::kDone;
}

CallResult NextResultCall(MYSQL* mysql, bool* more, Deadline deadline) {
  *more = mysql_more_results(mysql);
  if (!*more) return CallResult::kDone;
  return Drive(mysql, deadline, [&] { return mysql_next_result_nonblocking(mysql); });
}

#endif

void CloseConnection(MYSQL* mysql, bool polite) {
  if (mysql == nullptr) return;
  const int fd = SocketOf(mysql);
  // mysql_close() writes to the server and, under TLS, may wait for it; a connection that is shut
  // down here fails that write at once.
  if (!polite && fd >= 0) shutdown(fd, SHUT_RDWR);
  mysql_close(mysql);
}

}  // namespace pandora_ha
