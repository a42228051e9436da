// Making a node's data anew from the primary's: when it may be, and how far it is. Internal to
// decide/. The work itself is the substrate's (docs/decisions/0015).
#pragma once

#include <string>

#include "reconciler/decide/context.h"

namespace pandora_ha {

// Its own rows are to stay in their archive only, or the primary was given them, or there are none.
bool MayGoWithItsRows(const ClusterSpec& spec, const Memory& memory, const NodeMemory& node);

// What keeps the node's data from being made anew now, a clause; empty: nothing does. Invariant 8:
// only from the recorded primary, and never over rows that may be nowhere else, unless `set_aside`.
std::string WhyNoRebuild(const ClusterSpec& spec, const Observation& seen, const Memory& memory,
                         const NodeName& node, bool set_aside);

// REQUIRES: WhyNoRebuild() says nothing. One that is under way and does not copy is replaced.
void BeginRebuild(Context& c, const NodeName& node, const std::string& id,
                  const std::string& intent, bool set_aside);
// The node follows the primary, has applied what it received, and lacks and has nothing.
bool HasCaughtUp(const Context& c, const DatabaseSeen& node);

bool IsCopying(const Observation& seen, const NodeName& node);

// Goes on with the rebuild of a replica that the memory knows of: orders it, follows it, tries it
// again, or ends it. True: the node is to be left alone in this look.
bool AdvanceRebuild(Context& c, const DatabaseSeen& node);

// Another primary, another epoch, or the node itself is primary: what was begun is over. First in
// every decision.
void DropOutdatedRebuilds(Context& c);

// A wish whose rebuild the memory has let go of is over.
void CloseForgottenRebuilds(Context& c);

// A copy that nobody waits for is ended, and one of a primary that is dead: what the node had
// before may be all that is left to serve.
void EndUselessCopies(Context& c);

// Begins one by itself where the document says so (splitBrain.autofix): only a copy helps, or what
// the node committed by itself is archived and need not be merged.
void RebuildWhereDeclared(Context& c, const DatabaseSeen& node);

// The data of before is deleted once the node has caught up on the new one.
void DiscardOldCopyOf(Context& c, const DatabaseSeen& node);

// "1.2 GiB of 3.4 GiB (35 %), 60 MiB/s, 40 s left"
std::string Progress(const CopySeen& copy, TimePoint now);

}  // namespace pandora_ha
