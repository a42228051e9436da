// From a primary that is gone to the next one. Internal to decide/.
#pragma once

#include "reconciler/decide/context.h"
#include "reconciler/decide/evidence.h"

namespace pandora_ha {

// The cluster has never had a primary that we know of: adopts the one that is there, or chooses one
// when every declared node answers.
void DecideFirstPrimary(Context& c);

// The recorded primary is not alive (or lost transactions that a replica has): begins a promotion,
// or says what blocks it.
void DecideFailover(Context& c, const Evidence& evidence);

// A promotion has begun. Goes on with it, completes it, or takes it back while the old primary is
// unharmed. True when it is over and the rest of the decision may go on.
bool ContinuePromotion(Context& c);

// The recorded primary is open and lost transactions that another node has: its writes are taken
// away when somebody can take over. False: nobody can, which is said, and it serves on.
bool ReplaceOpenPrimary(Context& c, const std::string& because);

// The recorded primary lacks transactions that a replica received from it; the clause says which
// replica. Empty: nothing is missing.
std::string LostTailOf(const Observation& seen, const Memory& memory, const NodeName& primary);

}  // namespace pandora_ha
