#include "reconciler/decide/intents.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "reconciler/decide/diagnose.h"
#include "reconciler/decide/election.h"
#include "reconciler/decide/evidence.h"
#include "reconciler/decide/guards.h"
#include "reconciler/decide/rebuild.h"
#include "reconciler/decide/switchover.h"

namespace pandora_ha {
namespace {

// For a guard to be written and replicated.
constexpr Seconds kShareWithin{5};

Guard MakeGuard(const Context& c, const Intent& intent, const std::optional<Seconds>& lasts) {
  Guard guard{intent.by, intent.reason, c.seen.taken_at.wall, std::nullopt};
  if (lasts) guard.until = c.seen.taken_at.wall + *lasts;
  return guard;
}

// Carries one new wish as far as it goes at once.
struct Taker {
  Context& c;
  IntentRecord& record;

  void Close(IntentState state, std::string says) {
    CloseIntent(c, record, state, std::move(says));
  }
  // It holds from now on, and is done when every manager can know it.
  void Shared(std::string says) {
    record.says = std::move(says);
    record.give_up_at = c.now() + kShareWithin;
  }
  void Done(std::string says) { Close(IntentState::kDone, std::move(says)); }
  void Refuse(std::string says) { Close(IntentState::kRefused, std::move(says)); }

  bool Declared(const NodeName& node) {
    if (FindNode(c.spec, node) != nullptr) return true;
    std::string known;
    for (const DatabaseNodeSpec& one : c.spec.database.nodes)
      known += (known.empty() ? "" : ", ") + one.name.text;
    Refuse("There is no node " + node.text + "; declared are " + known + ".");
    return false;
  }

  // One that has died is no success.
  void IsPrimaryAlready(const NodeName& node) {
    const Evidence evidence = Judge(c.spec, c.seen, c.memory, node);
    if (evidence.life == Life::kAlive)
      return Done(node.text + " is the primary already; nothing was done.");
    Refuse("Nothing was touched: " + node.text + " is the recorded primary and does not serve (" +
           evidence.because + "); `pandora-ha failover` without --to replaces it.");
  }

  std::string Suspended() const {
    return "spec.suspend is set; nothing is changed. Set suspend: false first.";
  }
  std::string Paused() const {
    return "The cluster is paused by " + Why(*c.memory.guards.paused) +
           ". `pandora-ha resume` ends it.";
  }

  bool PrimaryServes() const {
    return c.memory.primary &&
           Judge(c.spec, c.seen, c.memory, *c.memory.primary).life == Life::kAlive;
  }

  // A switchover that waits cannot come about once its primary is gone; a failover replaces it.
  bool GivesWay(const IntentRecord& other) const {
    return std::holds_alternative<ForcedFailover>(record.intent.wish) &&
           std::holds_alternative<Switchover>(other.intent.wish) && !c.memory.promotion &&
           !PrimaryServes();
  }

  // A change of primary begins from a cluster that somebody may act on, one at a time.
  bool MayChangePrimary(const std::optional<NodeName>& to) {
    if (to && !Declared(*to)) return false;
    const IntentRecord* other = UnderWay(c.memory);
    if (other != nullptr && !GivesWay(*other)) {
      Refuse("Another one is under way: " + Describe(other->intent.wish) + ", asked for by " +
             other->intent.by + ". Wait for its end; `pandora-ha status` shows it.");
    } else if (c.spec.suspend) {
      Refuse(Suspended());
    } else if (c.memory.guards.paused) {
      Refuse(Paused());
    } else if (!c.memory.primary && !c.memory.promotion) {
      Refuse("The cluster has no primary yet; the first start chooses one.");
    } else if (c.memory.promotion) {
      Refuse("A promotion is under way already (" + c.memory.promotion->because +
             "). Wait for its end; `pandora-ha explain` shows it.");
    } else if (to && to == c.memory.primary) {
      IsPrimaryAlready(*to);
    } else {
      return true;
    }
    return false;
  }

  void operator()(const Switchover& wish) {
    if (!MayChangePrimary(wish.to)) return;
    std::string obstacles;
    const auto target = SwitchoverTarget(c, wish.to, &obstacles);
    if (!target) return Refuse("Nothing was touched: " + obstacles);
    record.says = "Checked; " + target->text + " can take over.";
  }
  // A failover that is held up is taken over: the person names the node or accepts the cost.
  bool TakesOver(const ForcedFailover& wish) {
    auto& promotion = c.memory.promotion;
    if (!promotion || !promotion->from || promotion->planned || !promotion->intent.empty() ||
        (promotion->to && wish.to && promotion->to != wish.to)) {
      return false;
    }
    promotion->intent = record.intent.id;
    promotion->wanted = wish.to;
    promotion->loss_allowed = wish.allow_data_loss;
    record.says = promotion->from->text + " is being replaced.";
    return true;
  }
  void operator()(const ForcedFailover& wish) {
    if (wish.to && !Declared(*wish.to)) return;
    if (!c.spec.suspend && !c.memory.guards.paused && TakesOver(wish)) return;
    if (!MayChangePrimary(wish.to)) return;
    const std::string primary = c.memory.primary->text;
    if (!PrimaryServes()) {
      if (IntentRecord* waits = UnderWay(c.memory)) {
        CloseIntent(
            c, *waits, IntentState::kSuperseded,
            primary + " failed meanwhile, and " + record.intent.by + " asked for a failover.");
      }
      record.says = primary + " is being replaced.";
      return;
    }
    Refuse(primary +
           " answers, so nothing was touched; `pandora-ha switchover` replaces a "
           "primary that lives, and loses nothing.");
  }
  void operator()(const Pause& wish) {
    if (wish.node && !Declared(*wish.node)) return;
    if (UnderWay(c.memory) != nullptr) {
      return Refuse(
          "A change of primary that was asked for is under way; pausing now would leave "
          "clients without a writer. Ask again when it is over.");
    }
    Guard guard = MakeGuard(c, record.intent, wish.lasts);
    const std::string what = wish.node ? wish.node->text : "The cluster";
    Shared(what + " is paused by " + Why(guard) + "." +
           (wish.node && wish.node == c.memory.primary
                ? " It is the primary: nothing fails over meanwhile."
                : ""));
    if (wish.node) {
      c.memory.guards.paused_nodes[*wish.node] = std::move(guard);
    } else {
      c.memory.guards.paused = std::move(guard);
    }
  }
  void operator()(const Resume& wish) {
    if (wish.node && !Declared(*wish.node)) return;
    Guards& guards = c.memory.guards;
    const std::string what = wish.node ? wish.node->text : "The cluster";
    bool held = wish.node ? guards.paused_nodes.erase(*wish.node) > 0 : guards.paused.has_value();
    if (!wish.node) {
      guards.paused.reset();
      held = GiveUpUnread() || held;
    }
    if (!held) return Done(what + " was not paused; nothing was done.");
    Shared(what + " is kept as declared again.");
  }
  // What cannot be read is replaced by what this manager knows.
  bool GiveUpUnread() {
    bool any = false;
    while (const auto unread = UnreadGuardsOf(c)) {
      c.memory.guards_seen = std::max(c.memory.guards_seen, unread->guards.version);
      c.memory.guards_unwritten = any = true;
    }
    return any;
  }
  void operator()(const Fence& wish) {
    if (!Declared(wish.node)) return;
    if (c.spec.suspend) return Refuse(Suspended());
    if (c.memory.guards.paused) return Refuse(Paused());
    if (const Guard* paused = PausedOf(c.memory, wish.node)) {
      return Refuse("Nothing was touched: " + wish.node.text + " is paused by " + Why(*paused) +
                    ". `pandora-ha resume " + wish.node.text + "` ends it.");
    }
    const DatabaseSeen* seen = FindSeen(c.seen, wish.node);
    const bool is_primary = c.memory.primary == wish.node ||
                            (c.memory.promotion && c.memory.promotion->to == wish.node);
    if (is_primary && !wish.even_primary) {
      return Refuse(wish.node.text +
                    " is the primary; make another node primary first "
                    "(`pandora-ha switchover`), or say --even-primary.");
    }
    if (is_primary) {
      const Election election = Elect(c.spec, c.seen, c.memory, wish.node);
      if (!election.winner) {
        std::string says = "Nothing was touched; nobody could take over: " + election.says;
        for (const CandidateVerdict& verdict : election.verdicts) {
          if (!verdict.eligible) says += " " + verdict.node.text + ": " + verdict.reason + ".";
        }
        return Refuse(std::move(says));
      }
    }
    if (seen == nullptr || !seen->can_fence) {
      return Refuse("Nobody can end the server of " + wish.node.text +
                    " for us; stop it on its host. `pandora-ha pause " + wish.node.text +
                    "` keeps us from using it.");
    }
    c.memory.guards.fenced_nodes[wish.node] = MakeGuard(c, record.intent, std::nullopt);
    Shared(wish.node.text +
           " is fenced: its server is being ended, and stays down until it is unfenced.");
  }
  void operator()(const Unfence& wish) {
    if (!Declared(wish.node)) return;
    if (c.memory.guards.fenced_nodes.erase(wish.node) == 0)
      return Done(wish.node.text + " was not fenced; nothing was done.");
    Shared(wish.node.text + " is no longer fenced; its server is started again.");
  }
  void operator()(const Resync& wish) {
    if (!Declared(wish.node)) return;
    if (c.spec.suspend) return Refuse(Suspended());
    if (c.memory.guards.paused) return Refuse(Paused());
    NodeMemory& node = MemoryOf(c.memory, wish.node);
    if (node.rebuild && IsCopying(c.seen, wish.node))
      return Refuse("The data of " + wish.node.text +
                    " is being made anew already; `pandora-ha status` shows how far it is.");
    const std::string why = WhyNoRebuild(c.spec, c.seen, c.memory, wish.node, wish.set_aside);
    if (!why.empty()) return Refuse("Nothing was touched at " + wish.node.text + ": " + why + ".");
    BeginRebuild(c, wish.node, record.intent.id, record.intent.id, wish.set_aside);
    record.says =
        "Checked; " + wish.node.text + " is made anew from " + c.memory.primary->text + ".";
  }
  void operator()(const Acknowledge&) {
    if (!c.memory.failed_over_at && !c.memory.guards.failed_over_at)
      return Done("There was no failover to acknowledge; nothing was done.");
    c.memory.failed_over_at.reset();
    c.memory.guards.failed_over_at.reset();
    Shared("Acknowledged; the next failover need not wait for the cool-down.");
  }
};

// The newest are kept, and always the one under way.
void Forget(std::vector<IntentRecord>* records) {
  while (records->size() > kIntentsKept) {
    const auto oldest = std::find_if(records->begin(), records->end(), [](const IntentRecord& r) {
      return r.state != IntentState::kUnderWay;
    });
    records->erase(oldest == records->end() ? records->begin() : oldest);
  }
}

}  // namespace

IntentRecord* UnderWay(Memory& memory) {
  const auto found =
      std::find_if(memory.intents.begin(), memory.intents.end(), [](const IntentRecord& r) {
        return r.state == IntentState::kUnderWay && ChangesPrimary(r.intent.wish);
      });
  return found == memory.intents.end() ? nullptr : &*found;
}

IntentRecord* FindIntent(Memory& memory, const std::string& id) {
  const auto found = std::find_if(memory.intents.begin(), memory.intents.end(),
                                  [&](const IntentRecord& r) { return r.intent.id == id; });
  return found == memory.intents.end() ? nullptr : &*found;
}

void CloseIntent(Context& c, IntentRecord& record, IntentState state, std::string says) {
  record.state = state;
  record.says = std::move(says);
  record.at = c.seen.taken_at.wall;
}

void TakeUpIntents(Context& c) {
  EndOverdueSwitchover(c);
  for (const Intent& intent : c.seen.intents) {
    if (FindIntent(c.memory, intent.id) != nullptr) continue;
    IntentRecord record{
        intent, IntentState::kUnderWay, "", c.seen.taken_at.wall, c.now() + intent.within, c.now(),
        0};
    std::visit(Taker{c, record}, intent.wish);
    c.memory.intents.push_back(std::move(record));
  }
  Forget(&c.memory.intents);
}

void CloseOvertaken(Context& c) {
  CloseForgottenRebuilds(c);
  IntentRecord* record = UnderWay(c.memory);
  if (record == nullptr) return;
  const auto& promotion = c.memory.promotion;
  if (!promotion && std::holds_alternative<ForcedFailover>(record->intent.wish)) {
    std::string says = "Nothing was touched.";
    for (const Blocked& blocked : c.decision.blocked) says += " " + blocked.says;
    if (c.decision.blocked.empty()) says += " " + c.memory.primary->text + " serves again.";
    CloseIntent(c, *record, IntentState::kSuperseded, std::move(says));
  } else if (promotion && promotion->intent != record->intent.id) {
    CloseIntent(c, *record, IntentState::kSuperseded,
                "A failover began meanwhile: " + promotion->because + ".");
  } else if (!promotion && !c.memory.primary) {
    CloseIntent(c, *record, IntentState::kSuperseded, "The cluster has no primary any more.");
  }
}

}  // namespace pandora_ha
