// Guards travel with the cluster: how a decision takes them up from the database and gives them
// back. Internal to decide/, but for AreShared.
#pragma once

#include <optional>
#include <string>

#include "reconciler/decide/context.h"

namespace pandora_ha {

// Takes up the newest copy that any node shows, when it is newer than what the memory knows. What
// was changed here and never seen there is dropped then: whoever wrote it held the cluster since.
// Guards whose time is over end. First in every decision, of a manager that observes, too.
void TakeUpGuards(Context& c);

// A copy that may be newer than what is known and cannot be read; none: what is known holds.
struct Unread {
  NodeName node;
  UnreadGuards guards;
};
std::optional<Unread> UnreadGuardsOf(const Context& c);

// Last in every decision: what is to be written (decision.share), and the wishes whose guards have
// arrived are done. `known` are the guards as they were taken up; a difference is a change.
void ShareGuards(Context& c, const Guards& known);

// A person's hold on the node that keeps it from being touched or promoted, as a clause: "it is
// paused by ana: new disk". Empty: none.
std::string HeldOff(const Memory& memory, const NodeName& node);
// A fence that other managers cannot know yet: its server is ended when they can, because the row
// of a primary may wait for that very node to acknowledge it.
bool IsFenceOnItsWay(const Memory& memory, const NodeName& node);
// "ana: new disk (until …)"
std::string Why(const Guard& guard);

// Findings about guards.
void DiagnoseGuards(Context& c);

// The open primary, and every replica that follows it (one at least, if one is declared), show the
// guards of this memory: whoever takes over knows them.
bool AreShared(const ClusterSpec& spec, const Observation& seen, const Memory& memory);

}  // namespace pandora_ha
