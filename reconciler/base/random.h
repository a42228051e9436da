// Randomness from the kernel.
#pragma once

#include <string>

namespace pandora_ha {

// 32 letters, digits, dashes and underscores: 192 bits.
std::string RandomPassword();

}  // namespace pandora_ha
