// Who acknowledges, who may be promoted without loss, and whether the primary waits. Internal to
// decide/.
//
// The order is the whole point. A replica loses its right in memory before the primary may stop
// waiting; it regains the right only after the primary has been seen waiting in one look and the
// replica has been seen, in a later one, to hold everything the primary had executed in the first.
#pragma once

#include "reconciler/decide/context.h"

namespace pandora_ha {

// Takes the rights that the world has ended. With every look, also of a cluster that is paused or
// suspended: a right is a claim about the world, and nobody keeps the world as it was.
void TakeRights(Context& c);

// Gives rights, and keeps the waiting as they demand.
// REQUIRES: `primary` answered and is writable; TakeRights came before.
void KeepSemiSync(Context& c, const DatabaseSeen& primary);

}  // namespace pandora_ha
