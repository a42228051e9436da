// What a look adds to the memory.
#pragma once

#include "reconciler/model/memory.h"
#include "reconciler/model/observation.h"
#include "reconciler/model/spec.h"

namespace pandora_ha {

// Counts failed looks, notes when channels last brought something, and keeps the positions that a
// later election compares with. A restart takes the right to a lossless promotion:
// what was received after the last look may have gone with the relay log. Changes nothing else that
// was decided (epoch, primary, promotion).
Memory Remember(const ClusterSpec& spec, const Observation& seen, const Memory& before);

// Looks are counted anew, by a manager that has just started: what an earlier process did not see
// is no evidence of today.
void ForgetLooks(Memory* memory);

}  // namespace pandora_ha
