// SIGTERM and SIGINT as something to wait for.
#pragma once

#include "reconciler/base/clock.h"

namespace pandora_ha {

// Call before the first thread is made: threads inherit the mask, so that only WaitForStop() ever
// sees these signals. Also makes a broken pipe an error of its write and nothing more.
void HoldStopSignals();

// True when one of them has come; false when the deadline passed first.
bool WaitForStop(Deadline deadline);

}  // namespace pandora_ha
