// From a decision to what people and machines are told.
#pragma once

#include <string_view>
#include <vector>

#include "reconciler/model/status.h"

namespace pandora_ha {

// Pure. The verdict is one sentence: what is the matter, what is being done or why nothing is.
// `primary` is the recorded primary of the newest complete promotion, alive or not; the condition
// Available says whether it serves. Steps of `report` that failed are added as findings.
ClusterStatus StatusOf(const ClusterSpec& spec, const Observation& seen, const Decision& decision,
                       const Report& report);

// What a tick adds to the history: changes of primary, epoch, state, durability in force and
// findings between the memory and status before and after, and steps that failed. The same change
// always gets the same id, so that an event that is told twice can be recognised. A `before`
// without a name means that this process has just begun to look.
std::vector<Event> EventsOf(const ClusterStatus& before, const ClusterStatus& after,
                            const Decision& decision, const Report& report);

// The closed set of reasons, in the order of docs/events.md.
struct EventRow {
  std::string_view reason;
  std::string_view meaning;
};
const std::vector<EventRow>& EventTable();

}  // namespace pandora_ha
