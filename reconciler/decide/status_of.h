// From a decision to what people and machines are told.
#pragma once

#include <vector>

#include "reconciler/model/status.h"

namespace pandora_ha {

// Pure. The verdict is one sentence: what is the matter, what is being done or why nothing is.
ClusterStatus StatusOf(const ClusterSpec& spec, const Observation& seen, const Decision& decision,
                       const Report& report);

// What a tick adds to the history: changes of primary, epoch, state, durability in force and
// findings between the memory and status before and after, and steps that failed. The same change
// always gets the same id, so that an event that is told twice can be recognised.
std::vector<Event> EventsOf(const ClusterStatus& before, const ClusterStatus& after,
                            const Decision& decision, const Report& report);

}  // namespace pandora_ha
