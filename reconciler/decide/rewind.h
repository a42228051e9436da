// Taking back on a diverged node what it committed by itself, in place of a copy: where the
// document says so (splitBrain: autofix and rejoin: rewind), and where it is only a manager's
// marks. Internal to decide/. The work itself is the substrate's, from the archive
// (docs/decisions/0021).
#pragma once

#include "reconciler/decide/context.h"

namespace pandora_ha {

// Orders it, follows it, and tries again. True while the node's data is its matter: it must not be
// copied over. False, too, when only a copy helps.
bool RewindWhereDeclared(Context& c, const DatabaseSeen& node);

}  // namespace pandora_ha
