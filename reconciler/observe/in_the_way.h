// What would hold up making a server read-only.
#pragma once

#include <string>
#include <vector>

#include "reconciler/base/clock.h"
#include "reconciler/model/observation.h"
#include "reconciler/port/node_runner.h"

namespace pandora_ha {

// Sessions that have been at something for longer than a second, a clause for a person each. Waits
// for the node's thread, `within` at most; unknown when it does not answer.
Seen<std::vector<std::string>> AskWhatIsInTheWay(NodeRunner& node, const Clock& clock,
                                                 Duration within);

}  // namespace pandora_ha
