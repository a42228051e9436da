// Comparing a node's rows with the primary's after they were put right: after a rewind, and after
// its own rows were merged and it was made anew. Nobody asks for it, and nothing waits for it.
// Internal to decide/. The work itself is the substrate's (docs/decisions/0019).
#pragma once

#include "reconciler/decide/context.h"

namespace pandora_ha {

// To be compared once it follows.
void OweVerification(const Context& c, NodeMemory& node);

// Orders what is owed, follows it, and tries again. What differs is compared again every hour, so
// that a repair by hand is noticed.
void VerifyWhereOwed(Context& c, const DatabaseSeen& node);

}  // namespace pandora_ha
