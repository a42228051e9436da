// Making a node's data anew from the primary's: when it may be, and how far it is. Internal to
// decide/. The work itself is the substrate's (docs/decisions/0015).
#pragma once

#include <string>

#include "reconciler/decide/context.h"

namespace pandora_ha {

// What keeps the node's data from being made anew now, a clause; empty: nothing does. Invariant 8:
// only from the recorded primary, and never over rows that are nowhere else, unless `set_aside`.
std::string WhyNoRebuild(const ClusterSpec& spec, const Observation& seen, const Memory& memory,
                         const NodeName& node, bool set_aside);

// Goes on with the rebuild of a replica that the memory knows of: orders it, follows it, tries it
// again, or ends it. True: the node is to be left alone in this look.
bool AdvanceRebuild(Context& c, const DatabaseSeen& node);

// A wish whose rebuild the memory has let go of (another epoch, another document) is over.
void CloseForgottenRebuilds(Context& c);

// Begins one by itself where the document says so (splitBrain.autofix) and only a copy helps.
void RebuildWhereDeclared(Context& c, const DatabaseSeen& node);

// The data of before is deleted once the node has caught up on the new one.
void DiscardOldCopyOf(Context& c, const DatabaseSeen& node);

// "1.2 of 3.4 GiB (35 %), 60 MiB/s, 40 s left"
std::string Progress(const CopySeen& copy, TimePoint now);

}  // namespace pandora_ha
