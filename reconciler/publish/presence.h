// How a manager learns that the followers of its sidecar have no clients left: while it may have
// some, each holds a shared lock (flock) on the directory of the sidecar. That needs no right to
// write there, and it ends with the process. Internal to reconciler/publish.
//
// Whoever may read the directory can hold such a lock, too, and then makes each drain last until
// its deadline and nothing worse. Between machines nothing is promised: a network file system may
// not know such locks, and does not tell its followers of the drain in time either.
#pragma once

#include <string>

#include "reconciler/base/clock.h"
#include "reconciler/base/descriptor.h"
#include "reconciler/base/result.h"

namespace pandora_ha {

// Until the descriptor is closed. Never waits.
Result<Descriptor> ShowPresence(const std::string& directory);

// Returns as soon as nobody is present. kTimeout: somebody is at the deadline.
Status AwaitAbsence(const Descriptor& directory, Deadline deadline);

}  // namespace pandora_ha
