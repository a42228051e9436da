// Bringing what a diverged node committed by itself into the primary, where the document says so
// (splitBrain: autofix and rows: merge). Internal to decide/. The work itself is the substrate's,
// from the archive (docs/decisions/0017).
#pragma once

#include "reconciler/decide/context.h"

namespace pandora_ha {

// All that is archived of the node is in the primary of the present epoch, or listed beside the
// archive.
bool IsMerged(const Memory& memory, const NodeMemory& node);
// Failed as often as the document allows: a person decides.
bool IsMergeGivenUp(const ClusterSpec& spec, const NodeMemory& node);

// Orders it, follows it, and tries again.
void MergeWhereDeclared(Context& c, const DatabaseSeen& node);
// Ends one that nobody waits for any more, and one that would write while people keep us off.
void EndUnwantedMerges(Context& c);

}  // namespace pandora_ha
