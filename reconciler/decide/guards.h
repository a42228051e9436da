// Guards travel with the cluster: how a decision takes them up from the database and gives them
// back. Internal to decide/, but for AreShared and OwnDate.
#pragma once

#include <optional>
#include <string>

#include "reconciler/decide/context.h"

namespace pandora_ha {

// Takes up the newest copy that any node shows, when it is newer than what the memory knows. What
// was changed here and never seen there is dropped then: whoever wrote it held the cluster since.
// Then guards whose time is over end; returned as they were before. First in every decision, of a
// manager that observes, too.
Guards TakeUpGuards(Context& c);

// A manager that observes writes nothing: what it was asked when it still acted ends with what has
// become of it.
void CloseWishesOfObserver(Context& c);

// A date by another machine's clock, or of before a restart, as one of ours: in the past, and not
// so far that it would matter. A clock that is wrong therefore never prolongs a cool-down.
std::optional<TimePoint> OwnDate(const ClusterSpec& spec, const Instant& now,
                                 const std::optional<WallTime>& at);

// A copy that may be newer than what is known and cannot be read; none: what is known holds.
struct Unread {
  NodeName node;
  UnreadGuards guards;
};
std::optional<Unread> UnreadGuardsOf(const Context& c);

// Last in every decision: what is to be written (decision.share), and the wishes whose guards have
// arrived are done. `known` are the guards as they were taken up; a difference is a change, the end
// of one by time, too: to another clock it may not be over.
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
