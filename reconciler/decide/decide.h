// The brain: from what is declared, seen and remembered to what is to be done.
#pragma once

#include <string>

#include "reconciler/model/memory.h"
#include "reconciler/model/observation.h"
#include "reconciler/model/plan.h"
#include "reconciler/model/spec.h"

namespace pandora_ha {

// Total and pure: no clock (the observation carries its date), no thread, no I/O, and an answer for
// every input. Equal inputs give equal decisions. The decision's memory must be stored before the
// first step of its plan is tried; a plan whose memory could not be stored must not be tried.
Decision Decide(const ClusterSpec& spec, const Observation& seen, const Memory& memory);

// The same for a manager beside the one that acts: findings, state and no plan. `holder` says who
// acts, as a part of a sentence; empty: not known. The decision's memory counts what a take-over
// must not wait for (looks without an answer, positions, the primary that the other one opened);
// it need not be stored. It holds no right to a lossless promotion: whoever acts may end one at any
// moment, so that it is established again and never taken over.
Decision StandBy(const ClusterSpec& spec, const Observation& seen, const Memory& memory,
                 const std::string& holder);

// The one node that accepts writes, if its own marker names it; null: none, several, or unmarked.
const DatabaseSeen* OnlyMarkedWriter(const Observation& seen);

}  // namespace pandora_ha
