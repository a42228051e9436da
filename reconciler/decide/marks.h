// Marks of a manager that only one node has: nobody misses them, so the node is not diverged for
// good (docs/decisions/0018). Internal to decide/.
#pragma once

#include "reconciler/decide/context.h"

namespace pandora_ha {

// All that the node has and the primary lacks is archived, is marks only, and can get an empty
// place in the primary's history (MySQL): the node then follows as it is.
bool AreMarksToEnter(const Context& c, const DatabaseSeen& node);

// Orders that, while no commit waits on the primary.
void EnterMarks(Context& c, const DatabaseSeen& node);

}  // namespace pandora_ha
