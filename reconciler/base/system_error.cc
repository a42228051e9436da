#include "reconciler/base/system_error.h"

#include <cstring>
#include <utility>

namespace pandora_ha {

Error SystemError(std::string what, int number) {
  return {ErrorCode::kIo, std::move(what) + ": " + std::strerror(number), number};
}

}  // namespace pandora_ha
