// Who would hold up closing a server for clients. Pure text and reading.
//
// Measured on MariaDB 10.11, 11.8 and MySQL 9.7: SET GLOBAL read_only waits for running INSERT,
// UPDATE, DELETE, DDL and SELECT … FOR UPDATE (also while these wait themselves), for LOCK TABLES …
// WRITE, and for a commit that waits for its semi-sync acknowledgement. It does not wait for an
// open transaction between two statements (whose COMMIT then gets 1290), a running plain SELECT,
// LOCK TABLES … READ, a holder of FLUSH TABLES WITH READ LOCK, or BACKUP STAGE.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "reconciler/base/result.h"
#include "reconciler/mysql/capabilities.h"
#include "reconciler/mysql/rows.h"
#include "reconciler/port/database.h"

namespace pandora_ha {

// Whose sessions are no blockers.
struct Ourselves {
  std::string admin_user;  // its statements on the heartbeat table are a manager's
  std::string lock_name;   // its holder is a manager; empty: no lock
};

// One row for each session, oldest first, for ReadBlockers().
std::string AskBlockers(const Capabilities& can, const Ourselves& ours);
// As AskBlockers, of this session only, when it is still the one that was named.
std::string AskBlocker(const Capabilities& can, const Ourselves& ours, const Blocker& blocker);
std::vector<Blocker> ReadBlockers(const Rows& rows);

// KILLs the session if it is still the one that was named, still as busy, and is not committing;
// else error 1094.
std::string EndBlocker(const Ourselves& ours, const Blocker& blocker);
// One row with a number: how many of them are still there.
std::string CountSessions(const std::vector<Blocker>& blockers);

// MariaDB does not tell who holds LOCK TABLES, only which tables are in use. Two results for
// TablesInUseUnexplained(): those that no running statement names.
std::string AskTablesInUse();
std::set<std::string> TablesInUseUnexplained(const Rows& tables, const Rows& statements);

}  // namespace pandora_ha
