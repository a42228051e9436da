// A promotion on its way: begun, gone on with, completed or taken back. Internal to decide/.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reconciler/decide/context.h"
#include "reconciler/decide/election.h"

namespace pandora_ha {

// Records the intent in the memory. `because` is the evidence, as a clause.
void BeginPromotion(Context& c, const std::optional<NodeName>& from, Epoch epoch,
                    std::string because);

// Fence, silence the candidates, elect, promote: as far as this look allows.
void AdvancePromotion(Context& c);

// From the election on: the winner is recorded and opened.
void PromoteTo(Context& c, const NodeName& winner, bool lossless, std::vector<Condition> fence);

// A promotion has begun. Goes on with it, completes it, or takes it back while the old primary is
// unharmed. True when it is over and the rest of the decision may go on.
bool ContinuePromotion(Context& c);

// Says why nobody was elected, and who can help.
void BlockOnElection(Context& c, const Election& election);

}  // namespace pandora_ha
