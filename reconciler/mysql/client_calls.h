// The few calls of the MySQL C API that wait for the network, each with a deadline of ours.
//
// MariaDB Connector/C and libmysqlclient both have non-blocking calls, of different shapes; this
// file gives them one. The libraries' own timeouts are not used: they count whole seconds, and
// libmysqlclient repeats a timed-out read.
#pragma once

#include <mysql.h>

#include <string>

#include "reconciler/base/clock.h"
#include "reconciler/model/spec.h"

namespace pandora_ha {

enum class CallResult {
  kDone,
  kFailed,    // mysql_errno() tells
  kTimedOut,  // the connection is in the middle of something: only CloseConnection may follow
};

// A new handle with every option set that does not depend on the server. Null: out of memory.
MYSQL* NewHandle();
// The connection's socket; -1 while there is none.
int SocketOf(MYSQL* mysql);
// Demands verified TLS, or leaves it out.
void SetTls(MYSQL* mysql, const TlsSpec& tls);

CallResult ConnectCall(MYSQL* mysql, const std::string& host, unsigned port,
                       const std::string& user, const std::string& password, Deadline deadline);
CallResult QueryCall(MYSQL* mysql, const std::string& sql, Deadline deadline);
// *result is null for a statement without rows.
CallResult StoreResultCall(MYSQL* mysql, MYSQL_RES** result, Deadline deadline);
// Goes on to the next result of a multiple statement; *more is false when there is none.
CallResult NextResultCall(MYSQL* mysql, bool* more, Deadline deadline);

// Never waits for the server. `polite`: say good-bye first; only on a connection that is idle.
void CloseConnection(MYSQL* mysql, bool polite);

}  // namespace pandora_ha
