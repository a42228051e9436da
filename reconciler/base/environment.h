// The process's environment, read in one place.
#pragma once

#include <optional>
#include <string>

namespace pandora_ha {

// Nothing when the variable is not set. Nobody changes the environment after main has begun, so any
// thread may ask.
std::optional<std::string> GetEnvironment(const std::string& name);

}  // namespace pandora_ha
