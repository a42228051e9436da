// The named lock by which at most one manager changes a server: GET_LOCK on the very session that
// the changing statements run on. Pure text and reading; database_node.h says what it protects.
//
// Measured on MariaDB 10.11, 11.8 and MySQL 9.7: KILL frees the lock within 10 ms, also inside a
// long statement, and not before that statement has ended; wait_timeout closes an idle session and
// frees it (the client's next call gets 2006, 2013 or 4031); read_only does not hinder any of it.
// MySQL takes names of 64 characters at most and compares them without letter case; MariaDB with.
// Both count repeated GET_LOCKs of one session, hence a lock that is held is not taken again.
#pragma once

#include <cstdint>
#include <string>

#include "reconciler/base/result.h"
#include "reconciler/model/observation.h"
#include "reconciler/mysql/rows.h"

namespace pandora_ha {

// "pandora_ha:CLUSTER", cut and numbered when longer than 64 characters.
std::string ManagerLockName(const std::string& cluster);

// One row for ReadManagerLock(), which leaves `who` empty. Part of every look, hence nothing that
// MariaDB would write to its tmpdir, as it does for the process list.
std::string AskManagerLock(const std::string& name);
Result<ManagerLockSeen> ReadManagerLock(const Rows& rows);

// One row with `who`, or none when it has gone.
std::string AskWhoIs(std::uint64_t connection);

// Does not wait for another holder. What came of it is for AskManagerLock().
std::string TakeManagerLock(const std::string& name);
// Ends whichever other session holds it at that moment; error 1094 when there is none.
std::string KillManagerLockHolder(const std::string& name);
// An expression: 1 while that connection has it, else 0.
std::string HoldsManagerLock(const std::string& name, std::uint64_t connection);
std::string ReleaseManagerLock(const std::string& name);

}  // namespace pandora_ha
