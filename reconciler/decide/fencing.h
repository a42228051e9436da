// Whether the old primary can still write. Internal to decide/.
#pragma once

#include <optional>
#include <vector>

#include "reconciler/decide/context.h"

namespace pandora_ha {

struct Fencing {
  bool done = false;                  // it cannot write any more, or the risk is accepted
  bool waived = false;                // accepted by policy, not proven
  std::optional<Blocked> blocked;     // neither: why, and who can help
  std::vector<Condition> conditions;  // to be asked again just before another node is opened
};

// The answer for `node` being replaced by `promotion`. Not done and not blocked means: a
// FenceServer step can do it.
Fencing FenceOf(const Context& c, const NodeName& node, const Promotion& promotion);

// A witness, near or far, that says it reaches the recorded primary.
std::optional<NodeName> WitnessWhoReaches(const Observation& seen);

}  // namespace pandora_ha
