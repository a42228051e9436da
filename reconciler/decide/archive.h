// Keeping what a diverged node committed by itself, before anything else becomes of the node.
// Internal to decide/. The work itself is the substrate's (docs/decisions/0016).
#pragma once

#include "reconciler/decide/context.h"

namespace pandora_ha {

// All that the node has and the primary lacks lies in a whole archive.
bool IsArchived(const NodeMemory& node);

// Orders the archive of a diverged node that is read-only, learns what became of it, and orders it
// again after a failure. What the node committed since makes another archive.
void ArchiveWhereDiverged(Context& c, const DatabaseSeen& node);

// The owner of its process sees the archive that the memory speaks of. REQUIRES: IsArchived(), and
// the process is known.
bool HasArchive(const DatabaseSeen& node, const NodeMemory& remembered);

}  // namespace pandora_ha
