// What this program is made of.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace pandora_ha {

// Part and version, the program itself first; the MySQL client library as it is loaded, not as it
// was compiled against.
std::vector<std::pair<std::string, std::string>> VersionParts();

}  // namespace pandora_ha
