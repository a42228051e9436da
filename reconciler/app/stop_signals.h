// SIGTERM, SIGINT and SIGHUP as something to wait for.
#pragma once

#include "reconciler/base/clock.h"

namespace pandora_ha {

// Call before the first thread is made: threads inherit the mask, so that only the functions below
// ever see these signals. Also makes a broken pipe an error of its write and nothing more.
void HoldStopSignals();

enum class SignalSeen { kNone, kStop, kHangUp };

// kNone when the deadline passed first; else SIGTERM or SIGINT (kStop), or SIGHUP.
SignalSeen WaitForSignal(Deadline deadline);

// True when one of the three has come; false when the deadline passed first.
bool WaitForStop(Deadline deadline);

}  // namespace pandora_ha
