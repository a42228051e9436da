// One function for each action and each condition. Internal to act/.
#pragma once

#include "reconciler/act/executor.h"

namespace pandora_ha {

Status Perform(const Action& action, const Hands& hands, Deadline deadline);
// Ok: it holds. An error says why it does not, or why that is not known.
Status Ask(const Condition& condition, const Hands& hands, Deadline deadline);

}  // namespace pandora_ha
