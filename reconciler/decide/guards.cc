#include "reconciler/decide/guards.h"

#include <algorithm>

#include "reconciler/decide/diagnose.h"
#include "reconciler/decide/intents.h"

namespace pandora_ha {
namespace {

const GuardsCopy* Newest(const Observation& seen) {
  const GuardsCopy* newest = nullptr;
  for (const DatabaseSeen& node : seen.databases) {
    if (!node.state.known() || !node.state->guards) continue;
    if (newest == nullptr || newest->version < node.state->guards->version)
      newest = &*node.state->guards;
  }
  return newest;
}

// A date by another machine's clock as one of ours: in the past, and not so far that it would
// matter. A clock that is wrong therefore never prolongs a cool-down.
std::optional<TimePoint> OwnDate(const Context& c, const std::optional<WallTime>& at) {
  if (!at) return std::nullopt;
  const Duration age =
      std::clamp<Duration>(c.seen.taken_at.wall - *at, Duration::zero(), c.spec.failover_cool_down);
  return c.now() - age;
}

bool IsGuardWish(const IntentRecord& record) {
  return !ChangesPrimary(record.intent.wish);
}

template <class F>
void EachWishUnderWay(Context& c, const F& f) {
  for (IntentRecord& record : c.memory.intents) {
    if (record.state == IntentState::kUnderWay && IsGuardWish(record)) f(record);
  }
}

bool Over(const Context& c, const Guard& guard) {
  return guard.until && *guard.until <= c.seen.taken_at.wall;
}

void EndGuards(Context& c) {
  Guards& guards = c.memory.guards;
  const auto over = [&](const auto& entry) { return Over(c, entry.second); };
  if (guards.paused && Over(c, *guards.paused)) guards.paused.reset();
  std::erase_if(guards.paused_nodes, over);
  std::erase_if(guards.fenced_nodes, over);
}

// The open primary, marked by this manager's epoch, where a write would not wait for anybody.
// Null, and why not as a clause.
const DatabaseSeen* WhereToWrite(const ClusterSpec& spec, const Observation& seen,
                                 const Memory& memory, std::string* why_not) {
  const DatabaseSeen* primary =
      memory.primary && !memory.promotion ? FindSeen(seen, *memory.primary) : nullptr;
  const bool open = primary != nullptr && primary->contact == Contact::kAnswered &&
                    primary->state.known() && primary->state->writable;
  if (spec.suspend) {
    *why_not = "spec.suspend is set";
  } else if (!open) {
    *why_not = "no primary is open";
  } else if (primary->state->semi_sync.source_waiting &&
             primary->state->semi_sync.acknowledgers == 0) {
    *why_not = "a write on " + primary->name.text + " would wait for a replica";
  } else if (!primary->state->provisioned || !primary->state->heartbeat ||
             primary->state->heartbeat->epoch != memory.epoch ||
             primary->state->heartbeat->writer != primary->name) {
    *why_not = primary->name.text + " is not marked as the primary of this epoch yet";
  } else if (const auto holder = primary->state->manager_lock.holder;
             holder != ManagerLockSeen::Holder::kOurs &&
             holder != ManagerLockSeen::Holder::kNotAsked) {
    *why_not = "this manager does not hold the lock of " + primary->name.text;
  } else {
    return primary;
  }
  return nullptr;
}

bool Shows(const DatabaseState& state, const GuardsVersion& version) {
  if (state.guards) return state.guards->version >= version;
  return version == GuardsVersion{} && !state.unread_guards;
}

// The primary's own copy is older than what is known, or damaged.
bool LacksThem(const Context& c, const DatabaseState& primary) {
  const UnreadGuards* unread = primary.unread_guards ? &*primary.unread_guards : nullptr;
  if (unread != nullptr) return unread->version != GuardsVersion{};
  return !Shows(primary, c.memory.guards_seen);
}

void SettleWishes(Context& c, const std::string& cannot) {
  const bool shared = AreShared(c.spec, c.seen, c.memory);
  EachWishUnderWay(c, [&](IntentRecord& record) {
    if (shared) return CloseIntent(c, record, IntentState::kDone, record.says);
    if (cannot.empty() && c.now() < record.give_up_at) return;
    CloseIntent(c, record, IntentState::kDone,
                record.says +
                    " Another manager that takes over before it is written does not "
                    "know it: " +
                    (cannot.empty() ? "no replica shows it yet" : cannot) + ".");
  });
}

}  // namespace

void TakeUpGuards(Context& c) {
  Memory& memory = c.memory;
  const GuardsCopy* newest = Newest(c.seen);
  if (newest != nullptr && newest->version > memory.guards_seen) {
    memory.guards_seen = newest->version;
    const bool ours = newest->writer == memory.manager && memory.guards_unwritten;
    if (ours) {
      memory.guards_unwritten = memory.guards != newest->guards;
    } else {
      if (memory.guards.failed_over_at != newest->guards.failed_over_at)
        memory.failed_over_at = OwnDate(c, newest->guards.failed_over_at);
      memory.guards = newest->guards;
      memory.guards_unwritten = false;
      EachWishUnderWay(c, [&](IntentRecord& record) {
        CloseIntent(c, record, IntentState::kTakenBack,
                    "Another manager wrote what people asked of it before this was written; what "
                    "it knows holds. Look at `pandora-ha status` and ask again.");
      });
    }
  }
  EndGuards(c);
}

std::optional<Unread> UnreadGuardsOf(const Context& c) {
  const bool know_some = c.memory.guards_seen != GuardsVersion{} || c.memory.guards_unwritten;
  for (const DatabaseSeen& node : c.seen.databases) {
    if (!node.state.known() || !node.state->unread_guards) continue;
    const UnreadGuards& unread = *node.state->unread_guards;
    if (unread.version > c.memory.guards_seen || (unread.version == GuardsVersion{} && !know_some))
      return Unread{node.name, unread};
  }
  return std::nullopt;
}

void ShareGuards(Context& c, const Guards& known) {
  Memory& memory = c.memory;
  if (memory.guards != known) memory.guards_unwritten = true;
  std::string cannot;
  const DatabaseSeen* primary = WhereToWrite(c.spec, c.seen, memory, &cannot);
  if (primary != nullptr && !UnreadGuardsOf(c) && LacksThem(c, *primary->state))
    memory.guards_unwritten = true;
  if (primary != nullptr && memory.guards_unwritten) {
    const GuardsVersion next{std::max(memory.epoch, memory.guards_seen.epoch),
                             memory.guards_seen.change + 1};
    c.decision.share = GuardsCopy{next, memory.manager, memory.guards};
  }
  SettleWishes(c, cannot);
}

std::string Why(const Guard& guard) {
  return guard.by + (guard.reason.empty() ? "" : ": " + guard.reason) +
         (guard.until ? " (until " + FormatWallTime(*guard.until) + ")" : "");
}

std::string HeldOff(const Memory& memory, const NodeName& node) {
  if (const Guard* fenced = FencedOf(memory, node)) return "it is fenced by " + Why(*fenced);
  if (const Guard* paused = PausedOf(memory, node)) return "it is paused by " + Why(*paused);
  return "";
}

bool IsFenceOnItsWay(const Memory& memory, const NodeName& node) {
  return std::any_of(memory.intents.begin(), memory.intents.end(), [&](const IntentRecord& r) {
    const auto* fence = std::get_if<Fence>(&r.intent.wish);
    return r.state == IntentState::kUnderWay && fence != nullptr && fence->node == node;
  });
}

void DiagnoseGuards(Context& c) {
  const auto add = [&](FindingCode code, const std::optional<NodeName>& about, std::string says) {
    c.decision.findings.push_back(MakeFinding(code, about, std::move(says)));
  };
  if (const auto& paused = c.memory.guards.paused) {
    add(FindingCode::kPaused, std::nullopt,
        "The cluster is paused by " + Why(*paused) + "; nothing is changed.");
  }
  for (const DatabaseNodeSpec& node : c.spec.database.nodes) {
    if (const Guard* fenced = FencedOf(c.memory, node.name))
      add(FindingCode::kFenced, node.name, node.name.text + " is fenced by " + Why(*fenced) + ".");
    if (const Guard* paused = PausedOf(c.memory, node.name)) {
      add(FindingCode::kPaused, node.name,
          node.name.text + " is paused by " + Why(*paused) + "; it is not touched.");
    }
  }
  for (const DatabaseSeen& node : c.seen.databases) {
    if (!node.state.known() || !node.state->unread_guards) continue;
    add(FindingCode::kGuardsUnread, node.name,
        "What people have asked for (pauses, fences) cannot be read at " + node.name.text + ": " +
            node.state->unread_guards->why + ".");
  }
}

bool AreShared(const ClusterSpec& spec, const Observation& seen, const Memory& memory) {
  std::string why_not;
  const DatabaseSeen* primary = WhereToWrite(spec, seen, memory, &why_not);
  if (primary == nullptr || memory.guards_unwritten ||
      !Shows(*primary->state, memory.guards_seen)) {
    return false;
  }
  bool any = spec.database.nodes.size() == 1;
  for (const DatabaseSeen& node : seen.databases) {
    if (node.name == primary->name || !node.state.known() || !node.state->replication) continue;
    const ReplicationSeen& channel = *node.state->replication;
    const bool follows = channel.source.host == FindNode(spec, primary->name)->address &&
                         channel.io == ThreadState::kRunning &&
                         channel.sql == ThreadState::kRunning;
    if (!follows) continue;
    if (!Shows(*node.state, memory.guards_seen)) return false;
    any = true;
  }
  return any;
}

}  // namespace pandora_ha
