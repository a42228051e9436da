// The recorded primary does not do any more. Internal to decide/.
#pragma once

#include <string>

#include "reconciler/decide/context.h"
#include "reconciler/decide/evidence.h"

namespace pandora_ha {

// The recorded primary is not alive (or lost transactions that a replica has): begins a promotion,
// or says what blocks it.
void DecideFailover(Context& c, const Evidence& evidence);

// The recorded primary is open and lost transactions that another node has: its writes are taken
// away when somebody can take over. False: nobody can, which is said, and it serves on.
bool ReplaceOpenPrimary(Context& c, const std::string& because);

}  // namespace pandora_ha
