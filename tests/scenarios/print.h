// A decision as text that can be read aloud.
#pragma once

#include <string>

#include "reconciler/model/observation.h"
#include "reconciler/model/plan.h"

namespace pandora_ha::scenarios {

// `remembered` is what the memory's intent printed as before; the line is left out while it is the
// same, and the new one is stored there.
std::string Print(const Observation& seen, const Decision& decision, std::string* remembered);

std::string PrintIntent(const Memory& memory);

}  // namespace pandora_ha::scenarios
