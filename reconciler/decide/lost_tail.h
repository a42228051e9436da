// Whether the recorded primary came back with less than it had. Internal to decide/.
#pragma once

#include <string>

#include "reconciler/model/memory.h"
#include "reconciler/model/observation.h"

namespace pandora_ha {

// The recorded primary lacks transactions that a replica received from it; the clause says which
// replica. Empty: nothing is missing.
std::string LostTailOf(const Observation& seen, const Memory& memory, const NodeName& primary);

}  // namespace pandora_ha
