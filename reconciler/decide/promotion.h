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

// The promotion has succeeded, or its target has become the node whose failure is to be judged.
void CompletePromotion(Context& c);

// The old primary goes on, in an epoch that nobody else was opened in.
void TakeBack(Context& c);

// The target may have been open and is given up: it counts as deposed. What somebody wrote there
// all the same is missing, and is judged when it is back.
void RememberUnseenWrites(Context& c, const NodeName& target);

// The target was opened by this promotion, and that can be seen.
bool Opened(const Context& c, const DatabaseSeen& target);

// Nobody has been opened by this promotion, as far as the target itself can tell.
bool Unopened(const Context& c);

// Clients may have been sent to the target; before that nobody has been told that it accepts
// writes.
bool MayHaveServed(const Context& c);

// Says why nobody was elected, and who can help.
void BlockOnElection(Context& c, const Election& election);

}  // namespace pandora_ha
