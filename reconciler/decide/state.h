// One word for the whole cluster. Internal to decide/; docs/states.md says what leads out of each.
#pragma once

#include "reconciler/decide/context.h"

namespace pandora_ha {

ClusterState StateOf(const Context& c);

}  // namespace pandora_ha
