// What people ask for, on its way through the brain. Internal to decide/.
#pragma once

#include <string>

#include "reconciler/decide/context.h"

namespace pandora_ha {

// Takes up what the memory does not know yet: guards are set or taken away at once, a switchover or
// failover is recorded as under way, or the wish is refused with every reason. A guard is under way
// until other managers can know it (guards.h).
void TakeUpIntents(Context& c);

// The switchover or failover under way; null: none.
IntentRecord* UnderWay(Memory& memory);
// The record; null when it is not kept any more.
IntentRecord* FindIntent(Memory& memory, const std::string& id);
void CloseIntent(Context& c, IntentRecord& record, IntentState state, std::string says);

// What is under way and has been overtaken by events is closed; last in every decision.
void CloseOvertaken(Context& c);

}  // namespace pandora_ha
