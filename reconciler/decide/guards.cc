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

// The open primary has the table, and nothing was ever written there: that is known, too.
void KnowThereAreNone(Context& c) {
  if (c.memory.guards_seen != GuardsVersion{} || !c.memory.primary) return;
  const DatabaseSeen* primary = FindSeen(c.seen, *c.memory.primary);
  if (primary == nullptr || !primary->state.known()) return;
  const DatabaseState& state = *primary->state;
  const bool marked = state.heartbeat && state.heartbeat->epoch == c.memory.epoch &&
                      state.heartbeat->writer == primary->name;
  if (state.writable && state.provisioned && marked && !state.guards && !state.unread_guards)
    c.memory.guards_seen.epoch = c.memory.epoch;
}

bool MayBeNews(const Memory& memory, const UnreadGuards& unread) {
  const bool knows_some = memory.guards_seen != GuardsVersion{} || memory.guards_unwritten;
  return unread.version > memory.guards_seen || (unread.version == GuardsVersion{} && !knows_some);
}

bool IsGuardWish(const IntentRecord& record) {
  return IsGuard(record.intent.wish);
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
  } else if (primary->state->semi_sync.commits_wait()) {
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
  return version.change == 0 && !state.unread_guards;
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
                record.says + " Other managers do not know it yet: " +
                    (cannot.empty() ? "no replica shows it yet" : cannot) + ".");
  });
}

}  // namespace

std::optional<TimePoint> OwnDate(const ClusterSpec& spec, const Instant& now,
                                 const std::optional<WallTime>& at) {
  if (!at) return std::nullopt;
  return now.mono - std::clamp<Duration>(now.wall - *at, Duration::zero(), spec.failover_cool_down);
}

Guards TakeUpGuards(Context& c) {
  Memory& memory = c.memory;
  const GuardsCopy* newest = Newest(c.seen);
  if (newest != nullptr && newest->version > memory.guards_seen) {
    memory.guards_seen = newest->version;
    const bool ours = newest->writer == memory.manager && memory.guards_unwritten;
    if (ours) {
      memory.guards_unwritten = memory.guards != newest->guards;
    } else {
      if (memory.guards.failed_over_at != newest->guards.failed_over_at)
        memory.failed_over_at = OwnDate(c.spec, c.seen.taken_at, newest->guards.failed_over_at);
      memory.guards = newest->guards;
      memory.guards_unwritten = false;
      EachWishUnderWay(c, [&](IntentRecord& record) {
        CloseIntent(c, record, IntentState::kTakenBack,
                    "Another manager wrote what people asked of it before this was written; what "
                    "it knows holds. Look at `pandora-ha status` and ask again.");
      });
    }
  }
  KnowThereAreNone(c);
  Guards known = memory.guards;
  EndGuards(c);
  return known;
}

void CloseWishesOfObserver(Context& c) {
  EachWishUnderWay(c, [&](IntentRecord& record) {
    const std::string unknown = " The manager that acts now does not know it; ask that one.";
    CloseIntent(c, record, IntentState::kDone,
                record.says + (c.memory.guards_unwritten ? unknown : ""));
  });
  for (IntentRecord& record : c.memory.intents) {
    if (record.state != IntentState::kUnderWay ||
        !std::holds_alternative<Resync>(record.intent.wish))
      continue;
    CloseIntent(c, record, IntentState::kSuperseded,
                "Another manager acts now, and ends what was begun; ask that one.");
  }
}

std::optional<Unread> UnreadGuardsOf(const Context& c) {
  for (const DatabaseSeen& node : c.seen.databases) {
    if (!node.state.known() || !node.state->unread_guards) continue;
    if (MayBeNews(c.memory, *node.state->unread_guards))
      return Unread{node.name, *node.state->unread_guards};
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
          node.name.text + " is paused by " + Why(*paused) + "; it is not touched" +
              (c.memory.primary == node.name ? ", and it is the primary: nothing fails over."
                                             : "."));
    }
  }
  for (const DatabaseSeen& node : c.seen.databases) {
    if (!node.state.known() || !node.state->unread_guards) continue;
    if (!MayBeNews(c.memory, *node.state->unread_guards)) continue;
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
