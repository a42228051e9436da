// What a wish would change, shown before it is sent.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "reconciler/app/text.h"
#include "reconciler/model/intent.h"

namespace pandora_ha {

// True for what changes who is primary, or which server runs.
bool ChangesRoles(const Wish& wish);

// Each node's role now and afterwards. `next`: the next primary as far as the manager could say;
// may be empty.
std::string RenderChange(const nlohmann::json& status, const Wish& wish, std::string next,
                         const Style& style);

}  // namespace pandora_ha
