// Keeping a living cluster as declared: one writer, semi-sync as promised, clients sent to the
// right place, replicas following. Internal to decide/.
#pragma once

#include "reconciler/decide/context.h"

namespace pandora_ha {

// REQUIRES: the recorded primary answered in this look.
void DecideUpkeep(Context& c);

// Ends the servers that a person has fenced, whatever else is decided or waited for; a change of
// primary that is under way goes on first.
void EndFenced(Context& c);

}  // namespace pandora_ha
