// What people ask for, on its way through the brain. Internal to decide/.
#pragma once

#include <string>

#include "reconciler/decide/context.h"

namespace pandora_ha {

// Takes up what the memory does not know yet: guards are set or taken away at once, a switchover or
// failover is recorded as under way, or the wish is refused with every reason. Ends guards whose
// time is over.
void TakeUpIntents(Context& c);

// The switchover or failover under way; null: none.
IntentRecord* UnderWay(Memory& memory);
// The record; null when it is not kept any more.
IntentRecord* FindIntent(Memory& memory, const std::string& id);
void CloseIntent(Context& c, IntentRecord& record, IntentState state, std::string says);

// What is under way and has been overtaken by events is closed; last in every decision.
void CloseOvertaken(Context& c);

// A person's hold on the node that keeps it from being touched or promoted, as a clause: "it is
// paused by ana: new disk". Empty: none.
std::string HeldOff(const Memory& memory, const NodeName& node);

// Findings about guards.
void DiagnoseGuards(Context& c);

}  // namespace pandora_ha
