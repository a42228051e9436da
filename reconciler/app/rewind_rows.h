// The supervisor's job that takes back on its node what the node committed by itself.
#pragma once

namespace pandora_ha {

// Reads a RewindOrder from standard input, does it, leaves the account in the archive, and returns
// the process's exit code.
int RunRewinder();

}  // namespace pandora_ha
