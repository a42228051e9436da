// One connection to one database server.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "reconciler/base/clock.h"
#include "reconciler/base/result.h"
#include "reconciler/base/secret.h"
#include "reconciler/model/ids.h"
#include "reconciler/model/spec.h"
#include "reconciler/mysql/rows.h"

namespace pandora_ha {

// Name and version of the protocol library this program runs with, for people.
std::string ClientLibrary();

struct SessionOptions {
  Address address;
  std::string user;
  Secret password;
  // When enabled, the server must show a certificate of that CA which names `address.host`, and the
  // session must be encrypted; else there is no session.
  TlsSpec tls;

  bool operator==(const SessionOptions&) const = default;
};

// The results of several statements sent together. The server stops at the first that fails.
struct ResultSets {
  std::vector<Rows> tables;
  std::optional<Error> stopped_by;  // what the statement after the last of `tables` met
};

// One thread at a time. Every call ends by its deadline: kTimeout means that the outcome is unknown
// and that the connection is gone. After kTimeout or kUnreachable broken() is true and every later
// call fails at once. Host names are resolved by the system's resolver, whose time is not bounded
// here: declare addresses.
//
// The session has sql_mode='', time zone UTC, autocommit on and no limit on a statement's time: a
// server that ends a commit waiting for its semi-sync acknowledgement makes it visible
// unacknowledged.
class Session {
 public:
  static Result<std::unique_ptr<Session>> Connect(const SessionOptions& options, Deadline deadline);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // One statement.
  Result<Rows> Query(const std::string& sql, Deadline deadline);
  // Statements separated by "; ", in one round trip. Fails only with the connection.
  Result<ResultSets> QueryAll(const std::string& sql, Deadline deadline);
  // Statements separated by "; ", whose results do not matter; fails with the first that fails.
  Status Execute(const std::string& sql, Deadline deadline);
  // As Execute, for statements that hold a password: the error's sentence never repeats a word of
  // the statement, which the server's own would.
  Status ExecuteSecret(const std::string& sql, Deadline deadline);

  bool broken() const;
  int descriptor() const;
  // The server's number of this connection, for KILL.
  std::uint64_t connection_id() const;
  // As the server said it on connect.
  const std::string& server_version() const;
  // Empty: not encrypted.
  std::string tls_cipher() const;

 private:
  struct Connection;
  explicit Session(std::unique_ptr<Connection> connection);
  std::unique_ptr<Connection> connection_;
};

}  // namespace pandora_ha
