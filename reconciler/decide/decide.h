// The brain: from what is declared, seen and remembered to what is to be done.
#pragma once

#include "reconciler/model/memory.h"
#include "reconciler/model/observation.h"
#include "reconciler/model/plan.h"
#include "reconciler/model/spec.h"

namespace pandora_ha {

// Total and pure: no clock (the observation carries its date), no thread, no I/O, and an answer for
// every input. Equal inputs give equal decisions. The decision's memory must be stored before the
// first step of its plan is tried; a plan whose memory could not be stored must not be tried.
Decision Decide(const ClusterSpec& spec, const Observation& seen, const Memory& memory);

}  // namespace pandora_ha
