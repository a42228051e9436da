// Failback as declared: a switchover that the document asks for. Internal to decide/.
#pragma once

#include "reconciler/decide/context.h"

namespace pandora_ha {

// With `failback: whenCaughtUp`: when the preferred node can take over, has been able to for a
// while, and nothing and nobody stands in the way, an intent is recorded as if somebody had asked
// for `switchover --to` it; every check of a switchover follows. A primary that a person chose
// stays. Says what it waits for, or when it will be made. At most one try in ten minutes, whatever
// becomes of it.
void DecideFailback(Context& c);

}  // namespace pandora_ha
