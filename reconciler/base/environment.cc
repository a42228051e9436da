#include "reconciler/base/environment.h"

#include <cstdlib>

namespace pandora_ha {

std::optional<std::string> GetEnvironment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return value;
}

}  // namespace pandora_ha
