#include "reconciler/app/version.h"

#include "reconciler/mysql/session.h"

namespace pandora_ha {

std::vector<std::pair<std::string, std::string>> VersionParts() {
  return {{"pandora-ha", PANDORA_HA_VERSION},
          {"MySQL client library", ClientLibrary()},
          {"compiler", "g++ " __VERSION__}};
}

}  // namespace pandora_ha
