// The first primary of a cluster. Internal to decide/.
#pragma once

#include "reconciler/decide/context.h"

namespace pandora_ha {

// The cluster has never had a primary that we know of: adopts the one that is there, or chooses one
// when every declared node answers.
void DecideFirstPrimary(Context& c);

}  // namespace pandora_ha
