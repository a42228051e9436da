// Another node becomes primary because a person asked for it. Internal to decide/; docs/intents.md
// tells the way.
#pragma once

#include <optional>
#include <string>

#include "reconciler/decide/context.h"

namespace pandora_ha {

// The node that could take over from the living primary now: `to`, or the preferred one that can.
// None: `obstacles` says why not, for each candidate, as sentences.
std::optional<NodeName> SwitchoverTarget(const Context& c, const std::optional<NodeName>& to,
                                         std::string* obstacles);

// Gives up a switchover whose time is over and that has not begun, whatever keeps it from
// beginning: a primary that is gone, a suspension.
void EndOverdueSwitchover(Context& c);

// A switchover is under way and its primary still serves: closes it when everything is ready for
// that. True when this look is used up; false leaves it to upkeep.
// REQUIRES: the recorded primary answered; no promotion is under way.
bool AdvanceSwitchover(Context& c);

// The promotion under way is planned. As ContinuePromotion.
bool ContinueSwitchover(Context& c);

// A forced failover is under way and the recorded primary is not alive. True when it was tried.
// REQUIRES: no promotion is under way.
bool ForceFailover(Context& c);

}  // namespace pandora_ha
