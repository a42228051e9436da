// What a stopped MariaDB replica's relay log holds beyond what was executed.
//
// After a restart the server names neither the transactions in its relay log (Gtid_IO_Pos is empty)
// nor, after a crash, the place up to which they were executed. An acknowledged row may be there
// and nowhere else.
#pragma once

#include "reconciler/mysql/dialect.h"
#include "reconciler/mysql/relay_page.h"
#include "reconciler/mysql/session.h"

namespace pandora_ha {

// Reads from `standing.executed_to` to the end, file after file, for at most half of the time. Both
// threads must be stopped.
Result<RelayTail> ReadRelayTail(Session& session, const ReplicaStanding& standing,
                                Deadline deadline);

}  // namespace pandora_ha
