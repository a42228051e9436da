// A MySQL or MariaDB server behind the DatabaseNode port.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "reconciler/model/spec.h"
#include "reconciler/mysql/session.h"
#include "reconciler/port/database.h"

namespace pandora_ha {

struct DatabaseNodeOptions {
  SessionOptions session;             // the admin account
  std::string schema;                 // holds the heartbeat table
  std::vector<std::string> accounts;  // must be there for DatabaseState::provisioned
  // The manager's lock, at most 64 characters; empty: changes need none (simple tools, the beater).
  std::string lock_name{};
  // The lock that WriteGuards asks for, which another object of this manager holds (the beater).
  std::string lock_of_another{};
  // With a lock: after how long without a question the server closes the session and so frees the
  // lock of a manager that is frozen or cut off. Zero: the server's own wait_timeout.
  Seconds wait_timeout{};

  bool operator==(const DatabaseNodeOptions&) const = default;
};

DatabaseNodeOptions DatabaseNodeOptionsFor(const ClusterSpec& spec, const DatabaseNodeSpec& node,
                                           const ResolvedCredentials& passwords);

// The options of a manager that changes servers: with the lock of that cluster, and a wait_timeout
// of at least 5 s and of twice the time in which a dead server is noticed. A manager that looks at
// every interval never loses the lock by it; one whose plan leaves a node unasked for longer does,
// and takes it again.
DatabaseNodeOptions WithManagerLock(DatabaseNodeOptions options, const ClusterSpec& spec);

// What the lock protects. With a lock_name, every changing statement is sent on the session that
// took the lock, and is not sent at all when that session has gone. A manager that was frozen and
// replaced therefore changes nothing when it thaws: its session was ended (EvictHolder, which
// returns only when the old session's last statement is over) or has expired, and its next change
// is refused here. Changes of several statements stop at the point where the session goes.
//
// WriteMarker() writes on a connection of its own, because the write may wait for an
// acknowledgement for ever; the server asks for the lock in the same round trip. The beater has no
// lock: for the heartbeat it relies on the row alone, where an epoch below the one in it is not
// written; for the guards the statement itself asks who holds the lock.
// Not protected is what the lock cannot see: a person, and a manager that was given no lock_name.
//
// Finds out by itself which family and version answers, anew on every connection. Uses at most two
// connections: one for looks and steps, one for the marker row, which may block for as long as no
// replica acknowledges. Closing a MySQL server takes a third for that moment. The beater is a node
// of its own.
std::unique_ptr<DatabaseNode> MakeDatabaseNode(DatabaseNodeOptions options);

}  // namespace pandora_ha
