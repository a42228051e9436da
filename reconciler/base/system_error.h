// What a system call refused, as our own error.
#pragma once

#include <string>

#include "reconciler/base/result.h"

namespace pandora_ha {

// kIo: "WHAT: No such file or directory", with errno as its number. `what` says what was tried, and
// on what.
Error SystemError(std::string what, int number);

}  // namespace pandora_ha
