// Keeping a living cluster as declared: one writer, semi-sync as promised, clients sent to the
// right place, replicas following. Internal to decide/.
#pragma once

#include "reconciler/decide/context.h"

namespace pandora_ha {

// REQUIRES: the recorded primary answered in this look.
void DecideUpkeep(Context& c);

}  // namespace pandora_ha
