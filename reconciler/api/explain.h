// Everything that a person needs at three in the morning, as one document.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "reconciler/model/status.h"

namespace pandora_ha {

// The status, with the moments at which blocks end by themselves, and the intents under way.
nlohmann::json StatusDocument(const Snapshot& snapshot);
// The plan of the last look, what became of it, and what is held back.
nlohmann::json PlanDocument(const Snapshot& snapshot);
// The status with every fact and its date, candidates, plan, every
// intent that is kept and the last events.
nlohmann::json ExplainDocument(const Snapshot& snapshot, const std::vector<Event>& events);

}  // namespace pandora_ha
