// What is said of a node whose data is its own matter: it diverged, or is being made anew. Internal
// to decide/.
#pragma once

#include "reconciler/decide/situation.h"

namespace pandora_ha {

// True when nothing else is worth saying of the node while its data is being made.
bool DiagnoseRebuild(const Situation& s, const DatabaseSeen& node);
// Whether it has the primary's rows, where that was owed (see verification.h).
void DiagnoseVerification(const Situation& s, const DatabaseSeen& node);
// REQUIRES: it diverged.
void DiagnoseDivergence(const Situation& s, const NodeName& name, const NodeMemory& node);

}  // namespace pandora_ha
