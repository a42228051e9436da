#include "reconciler/decide/decide.h"

#include <algorithm>
#include <utility>

#include "reconciler/decide/context.h"
#include "reconciler/decide/diagnose.h"
#include "reconciler/decide/evidence.h"
#include "reconciler/decide/failback.h"
#include "reconciler/decide/failover.h"
#include "reconciler/decide/first_primary.h"
#include "reconciler/decide/guards.h"
#include "reconciler/decide/intents.h"
#include "reconciler/decide/lost_tail.h"
#include "reconciler/decide/merge.h"
#include "reconciler/decide/promotion.h"
#include "reconciler/decide/rebuild.h"
#include "reconciler/decide/remember.h"
#include "reconciler/decide/semi_sync.h"
#include "reconciler/decide/state.h"
#include "reconciler/decide/switchover.h"
#include "reconciler/decide/upkeep.h"

namespace pandora_ha {
namespace {

struct ForeignEpoch {
  Epoch epoch;
  NodeName writer;
  std::string carrier;
};

// A higher epoch than we know proves that somebody else decided. A source that waits for its first
// acknowledgement has no marker yet: then only the publication tells.
std::optional<ForeignEpoch> FindForeignEpoch(const Context& c) {
  std::optional<ForeignEpoch> found;
  const auto highest = [&] { return found ? found->epoch : c.memory.epoch; };
  for (const DatabaseSeen& node : c.seen.databases) {
    if (node.state.known() && node.state->heartbeat && node.state->heartbeat->epoch > highest())
      found = {node.state->heartbeat->epoch, node.state->heartbeat->writer, node.name.text};
  }
  const PublicationSeen& published = c.seen.publication;
  if (published.primary && published.epoch > highest())
    found = {published.epoch, *published.primary, "the publication"};
  return found;
}

void Adopt(Context& c, const ForeignEpoch& foreign) {
  c.memory.epoch = foreign.epoch;
  c.memory.primary = foreign.writer;
  c.memory.promotion.reset();
  c.memory.primary_executed = {};
  c.memory.primary_lost = {};
  c.memory.primary_waited = false;
  c.memory.loss.reset();
  c.memory.clients_cut_from.reset();
  c.memory.durability_in_force = DurabilityMode::kAsync;
  for (auto& [name, node] : c.memory.nodes) {
    const DatabaseSeen* seen = FindSeen(c.seen, name);
    NodeMemory anew;
    anew.deposed =
        name != foreign.writer && seen != nullptr && seen->state.known() && seen->state->writable;
    node = std::move(anew);
  }
}

// When the writer of a higher epoch answers and accepts writes we adopt it; else we keep our hands
// off.
bool AcceptForeignEpoch(Context& c) {
  const auto foreign = FindForeignEpoch(c);
  if (!foreign) return true;
  const DatabaseSeen* writer = FindSeen(c.seen, foreign->writer);
  if (writer != nullptr && writer->state.known() && writer->state->writable) {
    Adopt(c, *foreign);
    return true;
  }
  if (!c.memory.primary && !c.memory.promotion) return true;  // the first start counts on from it
  c.Block(BlockReason::kEpochAhead,
          foreign->carrier + " carries epoch " + std::to_string(foreign->epoch.number) + " of " +
              foreign->writer.text + ", decided by somebody else; nothing is changed.",
          "whoever can bring " + foreign->writer.text + " back, or stop the other manager");
  return false;
}

// The recorded primary is not declared any more. True when there is nothing left to decide.
bool DecideUndeclared(Context& c) {
  if (!c.memory.primary || FindNode(c.spec, *c.memory.primary) != nullptr) return false;
  const NodeName gone = *c.memory.primary;
  int writable = 0;
  bool all_answer = true;
  for (const DatabaseSeen& node : c.seen.databases) {
    all_answer = all_answer && node.state.known();
    writable += node.state.known() && node.state->writable ? 1 : 0;
  }
  if (all_answer && writable == 1) {
    c.memory.primary.reset();
    return false;
  }
  c.Block(BlockReason::kNoCandidate,
          "The recorded primary " + gone.text + " is not declared any more; nothing is changed.",
          "whoever changed the document: declare " + gone.text +
              " again; or open exactly one declared node for writing while all of them answer");
  return true;
}

void DecidePlan(Context& c) {
  if (!AcceptForeignEpoch(c)) return;
  if (DecideUndeclared(c)) return;
  if (c.memory.promotion && !ContinuePromotion(c)) return;
  if (!c.memory.primary) {
    DecideFirstPrimary(c);
    return;
  }
  Evidence evidence = Judge(c.spec, c.seen, c.memory, *c.memory.primary);
  const bool open =
      evidence.life == Life::kAlive && FindSeen(c.seen, *c.memory.primary)->state->writable;
  if (PausedOf(c.memory, *c.memory.primary) != nullptr && !open) {
    if (evidence.life != Life::kAlive) {
      c.Block(BlockReason::kPaused,
              "No failover from " + c.memory.primary->text + ": " +
                  HeldOff(c.memory, *c.memory.primary) + ".",
              "an operator with `pandora-ha resume " + c.memory.primary->text + "`");
    }
    return;
  }
  if (evidence.life == Life::kAlive) {
    const std::string lost = LostTailOf(c.seen, c.memory, *c.memory.primary);
    if (lost.empty() && AdvanceSwitchover(c)) return;
    if (lost.empty() || (open && !ReplaceOpenPrimary(c, lost))) {
      DecideUpkeep(c);
      return;
    }
    if (open) return;
    evidence.because = lost;
  }
  if (!ForceFailover(c)) DecideFailover(c, evidence);
}

// Of a plan that is not carried out, what tells clients where the primary is that `memory` records:
// it changes nothing in the cluster, and an endpoint that was just started knows it from nobody
// else.
Plan TellClientsOnly(Plan* held, const Memory& memory) {
  Plan plan;
  if (held->ordered || memory.promotion) return plan;
  std::erase_if(held->steps, [&](const Step& step) {
    const auto* publish = std::get_if<Publish>(&step.action);
    const bool tells =
        publish != nullptr && memory.primary == publish->node && memory.epoch == publish->epoch;
    if (tells) plan.steps.push_back(step);
    return tells;
  });
  if (!plan.empty()) plan.purpose = "tell clients where the primary is";
  return plan;
}

// Hands off: what would be done is said, and nothing that was decided is kept.
void HoldStill(Context& c, Memory undecided) {
  Decision& decision = c.decision;
  c.memory = std::move(undecided);
  decision.beat = false;
  if (c.spec.suspend) {
    decision.findings.push_back(MakeFinding(FindingCode::kSuspended, std::nullopt,
                                            "spec.suspend is set: nothing is changed."));
  }
  Plan held = std::move(decision.plan);
  decision.plan = TellClientsOnly(&held, c.memory);
  if (held.empty()) return;
  const std::string says = "otherwise this would be done now: " + held.purpose + ".";
  if (c.spec.suspend) {
    c.Block(BlockReason::kSuspended, "Suspended; " + says, "an operator, with suspend: false");
  } else if (!c.memory.guards.paused) {
    const Unread unread = *UnreadGuardsOf(c);
    c.Block(BlockReason::kGuardsUnread,
            "What people have asked for cannot be read at " + unread.node.text + " (" +
                unread.guards.why + "). It may be a pause, so nothing is changed; " + says,
            "an operator with `pandora-ha resume`, which replaces it by what this manager knows");
  } else {
    c.Block(BlockReason::kPaused, "Paused by " + c.memory.guards.paused->by + "; " + says,
            c.memory.guards.paused->by + ", or an operator with `pandora-ha resume`");
  }
}

// A plan that needs a paused node is not begun; of another one the steps on that node are left out.
void LeavePausedAlone(Context& c, const Memory& undecided) {
  Plan& plan = c.decision.plan;
  const auto paused = [&](const NodeName& node) { return PausedOf(c.memory, node) != nullptr; };
  if (c.memory.primary && paused(*c.memory.primary)) c.decision.beat = false;
  const auto touches = [&](const Step& step) {
    return !OnlyTellsClients(step.action) && paused(TargetOf(step.action));
  };
  const auto step = std::find_if(plan.steps.begin(), plan.steps.end(), touches);
  if (step == plan.steps.end()) return;
  const NodeName node = TargetOf(step->action);
  if (!plan.ordered) {
    std::erase_if(plan.steps, touches);
    return;
  }
  c.Block(BlockReason::kPaused,
          "Not done: " + plan.purpose + ". " + node.text + " would be touched, and " +
              HeldOff(c.memory, node) + ".",
          "an operator with `pandora-ha resume " + node.text + "`");
  c.memory = undecided;
  plan = {};
}

// Between the first two looks at a target that catches up; later ones are further apart.
constexpr Duration kFirstCatchUpLook = Milliseconds(3);
// Between two plans of upkeep.
constexpr Duration kUpkeepPause = Milliseconds(100);

// Whether a needed failover is held up; the other reasons say that none is needed yet.
bool HoldsUpFailover(const Decision& decision, BlockReason reason) {
  if (!decision.memory.primary && !decision.memory.promotion) return false;  // a first start waits
  switch (reason) {
    case BlockReason::kGatheringEvidence:
    case BlockReason::kStillReplicating:
    case BlockReason::kRestartAllowance:
    case BlockReason::kAccessDenied:
    case BlockReason::kSuspended:
    case BlockReason::kPaused:
      return false;
    case BlockReason::kNoCandidate:
    case BlockReason::kAmbiguousCandidates:
    case BlockReason::kUnprovenFence:
    case BlockReason::kLeaseRunning:
    case BlockReason::kNoWitness:
    case BlockReason::kMayLoseRows:
    case BlockReason::kSplitBrain:
    case BlockReason::kEpochAhead:
    case BlockReason::kCoolDown:
    case BlockReason::kNotAllLocked:
    case BlockReason::kGuardsUnread:
      break;
  }
  return true;
}

// The table's remedy for a primary that is gone is the failover that is held back.
void PromiseNoFailover(const Blocked& by, std::vector<Finding>* findings) {
  for (Finding& finding : *findings) {
    const bool dead = finding.code == FindingCode::kPrimaryDead;
    const bool stalled = finding.code == FindingCode::kPrimaryStalled;
    if (!dead && !stalled && finding.code != FindingCode::kPrimaryUnreachable) continue;
    if (finding.remedy != MakeFinding(finding.code, finding.about, "").remedy) continue;
    finding.remedy = std::string(dead      ? ""
                                 : stalled ? "look at its disk; "
                                           : "look at the host and the network; ") +
                     "no failover is made now (" + std::string(ToString(by.reason)) +
                     "): see why, and who can unblock it";
  }
}

bool PrimaryNeedsHelp(const Context& c) {
  if (!c.memory.primary || c.memory.promotion) return false;
  const DatabaseSeen* primary = FindSeen(c.seen, *c.memory.primary);
  return primary == nullptr || !primary->state.known() || primary->contact != Contact::kAnswered;
}

// A guard is on its way, or has just arrived, and something may wait for it.
bool IsSharing(const Context& c) {
  const auto& before = c.before.intents;
  return std::any_of(
      c.memory.intents.begin(), c.memory.intents.end(), [&](const IntentRecord& record) {
        if (!IsGuard(record.intent.wish) || record.state == IntentState::kRefused) return false;
        const auto known = std::find_if(before.begin(), before.end(), [&](const IntentRecord& r) {
          return r.intent.id == record.intent.id;
        });
        return known == before.end() || known->state == IntentState::kUnderWay;
      });
}

Duration LookAgainIn(const Context& c) {
  const Decision& decision = c.decision;
  const DetectionSpec& detection = c.spec.database.detection;
  // A failover goes on at once; upkeep that fails is not tried in a hot loop.
  if (!decision.plan.empty()) return decision.plan.ordered ? Duration::zero() : kUpkeepPause;
  // Clients wait while the target of a switchover catches up.
  if (c.memory.promotion && c.memory.promotion->planned) {
    return std::clamp<Duration>((c.now() - c.memory.promotion->began) / 10, kFirstCatchUpLook,
                                kUpkeepPause);
  }
  Duration wait = detection.interval;
  const DatabaseSeen* writes = c.memory.primary ? FindSeen(c.seen, *c.memory.primary) : nullptr;
  if (writes != nullptr && StalledFor(c.spec, c.seen, *writes) > Duration::zero())
    wait = std::min(wait, kUpkeepPause);
  // A switchover waits for a calm moment. One that has just been taken up is looked at with other
  // eyes at once.
  const bool needs_help = PrimaryNeedsHelp(c);
  for (const IntentRecord& record : c.memory.intents) {
    const bool waits = record.state == IntentState::kUnderWay && c.now() >= record.not_before &&
                       std::holds_alternative<Switchover>(record.intent.wish);
    if (!waits || needs_help) continue;
    const auto& before = c.before.intents;
    const bool known = std::any_of(before.begin(), before.end(), [&](const IntentRecord& r) {
      return r.intent.id == record.intent.id;
    });
    wait = known ? kUpkeepPause : Duration::zero();
  }
  if (IsSharing(c)) wait = std::min(wait, kUpkeepPause);
  for (const Blocked& blocked : decision.blocked) {
    if (blocked.until) wait = std::min(wait, std::max(*blocked.until - c.now(), Duration::zero()));
  }
  if (needs_help) {
    const NodeMemory& primary = MemoryOf(c.memory, *c.memory.primary);
    // The second look follows the first at once; the declared retries are a timeout apart.
    if (primary.failed_looks == 1 && MemoryOf(c.before, *c.memory.primary).failed_looks == 0)
      return Duration::zero();
    if (primary.failed_looks <= detection.connect_retries)
      wait = std::min<Duration>(wait, detection.timeout);
  }
  for (const auto& [name, node] : c.memory.nodes) {
    const DatabaseSeen* seen = FindSeen(c.seen, name);
    const bool judging = node.history == History::kUnjudged && name != c.memory.primary &&
                         seen != nullptr && seen->state.known() && c.memory.primary &&
                         !c.memory.promotion;
    if (judging) wait = std::min(wait, kJudgingAge);
  }
  return wait;
}

}  // namespace

Decision Decide(const ClusterSpec& spec, const Observation& seen, const Memory& memory) {
  Decision decision;
  decision.memory = Remember(spec, seen, memory);
  Context c{spec, seen, memory, decision.memory, decision};
  TakeRights(c);
  const Guards known = TakeUpGuards(c);
  DropOutdatedRebuilds(c);
  TakeUpIntents(c);
  DecideFailback(c);
  const bool still = spec.suspend || c.memory.guards.paused || UnreadGuardsOf(c);
  const bool some_paused = !c.memory.guards.paused_nodes.empty();
  Memory undecided = still || some_paused ? c.memory : Memory{};
  DecidePlan(c);
  CloseOvertaken(c);
  EndFenced(c);
  EndUselessCopies(c);
  if (some_paused) LeavePausedAlone(c, undecided);
  if (decision.plan.empty()) decision.plan = {};  // a purpose without steps is none
  if (still) HoldStill(c, std::move(undecided));
  EndUnwantedMerges(c);
  ShareGuards(c, known);
  DiagnoseGuards(c);
  std::vector<Finding> findings = Diagnose(spec, seen, decision.memory);
  for (const Blocked& blocked : decision.blocked) {
    if (!HoldsUpFailover(decision, blocked.reason)) continue;
    decision.findings.push_back(
        MakeFinding(FindingCode::kFailoverBlocked, decision.memory.primary,
                    std::string(ToString(blocked.reason)) + ": " + blocked.says));
  }
  if (!decision.blocked.empty()) PromiseNoFailover(decision.blocked.front(), &findings);
  findings.insert(findings.end(), decision.findings.begin(), decision.findings.end());
  std::stable_sort(findings.begin(), findings.end(),
                   [](const Finding& a, const Finding& b) { return a.severity > b.severity; });
  decision.findings = std::move(findings);
  decision.state = StateOf(c);
  decision.look_again_in = LookAgainIn(c);
  return decision;
}

const DatabaseSeen* OnlyMarkedWriter(const Observation& seen) {
  const DatabaseSeen* writer = nullptr;
  for (const DatabaseSeen& node : seen.databases) {
    if (!node.state.known() || !node.state->writable) continue;
    if (writer != nullptr) return nullptr;
    writer = &node;
  }
  const bool marked = writer != nullptr && writer->state->heartbeat &&
                      writer->state->heartbeat->writer == writer->name;
  return marked ? writer : nullptr;
}

namespace {

// Whether somebody else made the one that is open primary. One that our primary replaced may be the
// only one that is seen for a moment: a lower epoch tells it.
bool MayFollow(const Context& c, const DatabaseSeen& open) {
  const Memory& memory = c.memory;
  const Epoch marked = open.state->heartbeat->epoch;
  if (!memory.primary || marked > memory.epoch) return true;
  if (memory.promotion && memory.promotion->from == open.name) return Unopened(c);
  return marked == memory.epoch && (memory.promotion || memory.primary != open.name);
}

}  // namespace

Decision StandBy(const ClusterSpec& spec, const Observation& seen, const Memory& memory,
                 const std::string& holder) {
  Decision decision;
  decision.memory = Remember(spec, seen, memory);
  Context c{spec, seen, memory, decision.memory, decision};
  TakeUpGuards(c);
  CloseWishesOfObserver(c);
  if (const DatabaseSeen* open = OnlyMarkedWriter(seen)) {
    if (MayFollow(c, *open)) {
      const Epoch epoch = std::max(decision.memory.epoch, open->state->heartbeat->epoch);
      Adopt(c, {epoch, open->name, open->name.text});
    }
  }
  for (auto& [name, node] : decision.memory.nodes) {
    node.lossless = false;
    node.rebuild.reset();  // whoever acts now sees what becomes of it
  }
  decision.findings = Diagnose(spec, seen, decision.memory);
  DiagnoseGuards(c);
  decision.findings.push_back(
      MakeFinding(FindingCode::kAnotherManagerActs, std::nullopt,
                  holder.empty() ? "This manager does not act: it does not hold the cluster."
                                 : "Another manager acts on this cluster: " + holder + "."));
  std::stable_sort(decision.findings.begin(), decision.findings.end(),
                   [](const Finding& a, const Finding& b) { return a.severity > b.severity; });
  decision.state = StateOf(c);
  decision.look_again_in = holder.empty() ? kUpkeepPause : LookAgainIn(c);
  return decision;
}

}  // namespace pandora_ha
