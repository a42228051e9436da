// What a stopped MariaDB replica's relay log holds beyond what was executed.
//
// After a restart the server names neither the transactions in its relay log (Gtid_IO_Pos is empty)
// nor, after a crash, the place up to which they were executed. An acknowledged row may be there
// and nowhere else.
#pragma once

#include <optional>

#include "reconciler/mysql/dialect.h"
#include "reconciler/mysql/session.h"

namespace pandora_ha {

struct RelayTail {
  GtidSet holds;                              // transactions found from the recorded place on
  std::optional<RelayPlace> first_unapplied;  // none: all of them are executed
  bool complete = true;  // false: too long for one go, or not readable to its end
};

// Reads from `standing.executed_to` to the end, file after file, for at most half of the time. Both
// threads must be stopped.
Result<RelayTail> ReadRelayTail(Session& session, const ReplicaStanding& standing,
                                Deadline deadline);

}  // namespace pandora_ha
