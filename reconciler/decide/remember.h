// What a look adds to the memory.
#pragma once

#include "reconciler/model/memory.h"
#include "reconciler/model/observation.h"
#include "reconciler/model/spec.h"

namespace pandora_ha {

// Counts failed looks, notes when channels last brought something, and keeps the positions that a
// later election compares with. Changes nothing that was decided (epoch, primary, promotion,
// rights).
Memory Remember(const ClusterSpec& spec, const Observation& seen, const Memory& before);

}  // namespace pandora_ha
