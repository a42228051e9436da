#include "reconciler/decide/promotion.h"

#include <algorithm>
#include <utility>

#include "reconciler/decide/diagnose.h"
#include "reconciler/decide/evidence.h"
#include "reconciler/decide/fencing.h"
#include "reconciler/decide/intents.h"
#include "reconciler/decide/leadership.h"
#include "reconciler/decide/lost_tail.h"
#include "reconciler/decide/switchover.h"

namespace pandora_ha {
namespace {

// A successor that never comes back would keep its predecessor read-only for ever.
std::string HowToGoBack(const Context& c) {
  for (const auto& [name, node] : std::as_const(c.memory).nodes) {
    const DatabaseSeen* seen = FindSeen(c.seen, name);
    if (!node.deposed || node.history == History::kDiverged || seen == nullptr ||
        !seen->state.known() || !c.memory.primary)
      continue;
    return "; or, when " + c.memory.primary->text +
           " is gone for good with all that it alone had, `pandora-ha failover --to " + name.text +
           " --allow-data-loss`";
  }
  return "";
}

// What a person holds us off from may be all that is missing.
std::string HowToLetGo(const Context& c) {
  std::string commands;
  for (const DatabaseNodeSpec& node : c.spec.database.nodes) {
    const bool fenced = FencedOf(c.memory, node.name) != nullptr;
    if (!fenced && PausedOf(c.memory, node.name) == nullptr) continue;
    commands += (commands.empty() ? "`pandora-ha " : " or `pandora-ha ") +
                std::string(fenced ? "unfence " : "resume ") + node.name.text + "`";
  }
  if (commands.empty()) return "an operator, after repairing the node it names";
  return "an operator with " + commands + ", or after repairing the node it names";
}

std::string WhoCanHelp(const Context& c, BlockReason reason) {
  switch (reason) {
    case BlockReason::kGatheringEvidence:
      return "nobody needs to: the next looks decide";
    case BlockReason::kMayLoseRows:
      return "the return of the old primary or of the missing replica; or an operator who accepts "
             "the loss: `pandora-ha failover --allow-data-loss`";
    case BlockReason::kAmbiguousCandidates:
      return c.memory.primary
                 ? "the return of " + c.memory.primary->text +
                       "; or an operator: let one candidate receive from the others what it lacks, "
                       "or give up the rest with `pandora-ha failover --to NODE --allow-data-loss`"
                 : "an operator: make the node that is right writable; it becomes primary, "
                   "and what the others have of their own is told";
    case BlockReason::kNoCandidate:
      return HowToLetGo(c) + HowToGoBack(c);
    case BlockReason::kStillReplicating:
    case BlockReason::kRestartAllowance:
    case BlockReason::kUnprovenFence:
    case BlockReason::kLeaseRunning:
    case BlockReason::kNoWitness:
    case BlockReason::kSuspended:
    case BlockReason::kSplitBrain:
    case BlockReason::kEpochAhead:
    case BlockReason::kAccessDenied:
    case BlockReason::kPaused:
    case BlockReason::kCoolDown:
    case BlockReason::kGuardsUnread:
    case BlockReason::kNotAllLocked:
      break;
  }
  return "an operator, after repairing the node it names";
}

// Without the right to a lossless promotion nothing proves that nothing is lost: commits after the
// last look at the old primary are never ruled out, so this is said even when none is known.
void RememberLoss(Context& c, const Election& election, const NodeName& from) {
  if (election.lossless) return;
  c.memory.loss = Loss{from,  c.memory.promotion->epoch, election.possibly_lost.value_or(0),
                       false, election.unseen_holder,    c.memory.promotion->began_at};
}

// True when some answering candidate may still receive; the steps that stop it are added.
bool StopReceivingCandidates(Context& c, const std::optional<NodeName>& from,
                             const std::string& because) {
  bool receiving = false;
  for (const DatabaseSeen& node : c.seen.databases) {
    if (node.name == from || !node.state.known() || !node.state->replication ||
        node.state->replication->io == ThreadState::kStopped ||
        PausedOf(c.memory, node.name) != nullptr) {
      continue;
    }
    receiving = true;
    c.Do(StopReceiving{node.name}, because, Seconds(5));
  }
  return receiving;
}

// The target died before clients were sent to it: the old primary is replaced anew, or goes on.
void Replace(Context& c, const std::string& because) {
  const Promotion promotion = *c.memory.promotion;
  BeginPromotion(c, promotion.from, promotion.epoch.Next(),
                 promotion.to->text + ", which was to replace " + promotion.from->text +
                     ", is gone: " + because);
  RememberUnseenWrites(c, *promotion.to);
  AdvancePromotion(c);
}

// The target has been chosen. True when nothing is left to decide here.
bool FinishTarget(Context& c, bool* over) {
  const Promotion& promotion = *c.memory.promotion;
  const DatabaseSeen* target = FindSeen(c.seen, *promotion.to);
  if (target == nullptr) return false;
  const Evidence evidence = Judge(c.spec, c.seen, c.memory, target->name);
  if (evidence.life == Life::kDead && promotion.from && !MayHaveServed(c)) {
    Replace(c, evidence.because);
    return true;
  }
  if (Opened(c, *target) || evidence.life == Life::kDead || evidence.life == Life::kCutOff) {
    CompletePromotion(c);
    *over = true;
    return true;
  }
  if (evidence.life != Life::kAlive) {
    c.Block(BlockReason::kGatheringEvidence,
            target->name.text + ", which is being promoted, " +
                "does not answer: " + evidence.because + ".",
            "its return, or the end of the declared looks", evidence.until);
    return true;
  }
  return false;
}

// What going on all the same would cost, for the person who has to decide.
std::string Forecast(const Context& c, const NodeName& from) {
  const Election election = Elect(c.spec, c.seen, c.memory, from);
  if (!election.winner) return "";
  const std::uint64_t lost = election.possibly_lost.value_or(0);
  return " Promoting " + election.winner->text +
         (election.lossless ? " loses nothing that was acknowledged."
          : lost == 0       ? " may lose what " + from.text + " wrote after the last look at it."
                            : " loses at least " + std::to_string(lost) + " transactions of " +
                            from.text + " (an estimate from the last look).");
}

// Another manager may open a node that this one does not hold: only `availability`, or a person who
// accepts the loss, promotes beside it, and says so. False: blocked.
bool HoldsEnoughLocks(Context& c) {
  const Promotion& promotion = *c.memory.promotion;
  const std::vector<Unlocked> unlocked = UnlockedNodes(c.seen, promotion.from);
  const bool risk =
      c.spec.failover_policy == FailoverPolicy::kAvailability || promotion.loss_allowed;
  for (const Unlocked& node : unlocked) {
    if (!risk) {
      c.Block(BlockReason::kNotAllLocked,
              "This manager does not hold the lock of " + node.name.text + " (" + node.why +
                  "), so that another manager may act there.",
              "whoever can repair the path between this manager and " + node.name.text +
                  ", or prove its end; else an operator: stop every other manager, then "
                  "`pandora-ha failover --allow-data-loss`");
      return false;
    }
    c.decision.findings.push_back(MakeFinding(FindingCode::kNotAllLocked, node.name,
                                              "The promotion is made without the lock of " +
                                                  node.name.text + " (" + node.why +
                                                  "): another manager may act there."));
  }
  return true;
}

}  // namespace

bool Opened(const Context& c, const DatabaseSeen& target) {
  if (!target.state.known() || !target.state->writable) return false;
  const DatabaseState& state = *target.state;
  const Epoch epoch = c.memory.promotion->epoch;
  const bool marked = state.heartbeat && state.heartbeat->epoch == epoch;
  // A source that waits for its first acknowledgement cannot be marked yet, and one that a paused
  // replica acknowledges at once has not been. Publishing is the last step.
  const bool waits = state.semi_sync.commits_wait();
  const PublicationSeen& published = c.seen.publication;
  return marked || waits || (published.primary == target.name && published.epoch == epoch);
}

bool MayHaveServed(const Context& c) {
  const Promotion& promotion = *c.memory.promotion;
  return !c.seen.publication.problem.empty() || (c.seen.publication.primary == promotion.to &&
                                                 c.seen.publication.epoch == promotion.epoch);
}

bool Unopened(const Context& c) {
  const Promotion& promotion = *c.memory.promotion;
  if (!promotion.to) return true;
  const DatabaseSeen* target = FindSeen(c.seen, *promotion.to);
  return target != nullptr && target->state.known() && !target->state->writable;
}

void RememberUnseenWrites(Context& c, const NodeName& target) {
  c.memory.loss = Loss{target, c.memory.epoch, 0, false, std::nullopt, c.seen.taken_at.wall};
  // Its marker row is its own: it proves nothing against the old primary, which lacks it. Nobody
  // was sent there, so what it wrote was acknowledged to nobody.
  NodeMemory& opened = MemoryOf(c.memory, target);
  opened.deposed = opened.discard = true;
  opened.history = History::kUnjudged;
}

void TakeBack(Context& c) {
  if (c.memory.promotion->to) c.memory.epoch = c.memory.epoch.Next();
  if (c.memory.loss && c.memory.loss->from == c.memory.promotion->from) c.memory.loss.reset();
  c.memory.promotion.reset();
}

void CompletePromotion(Context& c) {
  const Promotion promotion = *c.memory.promotion;
  c.memory.promotion.reset();
  c.memory.primary = promotion.to;
  c.memory.primary_executed = {};
  c.memory.primary_lost = {};
  c.memory.primary_waited = false;
  c.memory.clients_cut_from.reset();
  for (auto& [name, node] : c.memory.nodes) {
    node.history = History::kUnjudged;
    node.errant = {};
    node.executed = {};
    // The target may have died before it applied what it was chosen for.
    if (name != promotion.to) node.received = {};
    node.not_acknowledging_since.reset();
  }
  if (promotion.from && promotion.from != promotion.to) {
    NodeMemory& from = MemoryOf(c.memory, *promotion.from);
    from.deposed = true;
    from.discard = promotion.lossless;
  }
  NodeMemory& to = MemoryOf(c.memory, *promotion.to);
  to.deposed = to.discard = false;
  c.memory.guards.chosen.reset();
  if (IntentRecord* record = FindIntent(c.memory, promotion.intent)) {
    if (c.spec.database.failback == Failback::kWhenCaughtUp &&
        promotion.to != PreferenceOrder(c.spec).front()) {
      const Intent& intent = record->intent;
      c.memory.guards.chosen = Guard{intent.by, intent.reason, c.seen.taken_at.wall, {}};
    }
    CloseIntent(c, *record, IntentState::kDone,
                promotion.to->text + " is the primary (epoch " +
                    std::to_string(promotion.epoch.number) + ").");
  } else if (promotion.from) {
    c.memory.failed_over_at = c.now();
    c.memory.guards.failed_over_at = c.seen.taken_at.wall;
  }
}

void BlockOnElection(Context& c, const Election& election) {
  std::string says = election.says;
  for (const CandidateVerdict& verdict : election.verdicts) {
    if (!verdict.eligible) says += " " + verdict.node.text + ": " + verdict.reason + ".";
  }
  c.Block(*election.blocked, says, WhoCanHelp(c, *election.blocked));
}

void BeginPromotion(Context& c, const std::optional<NodeName>& from, Epoch epoch,
                    std::string because) {
  c.memory.epoch = epoch;
  if (from && c.seen.publication.primary == from) c.memory.clients_cut_from = from;
  Promotion promotion;
  promotion.epoch = epoch;
  promotion.from = from;
  promotion.because = std::move(because);
  promotion.began_at = c.seen.taken_at.wall;
  promotion.began = c.seen.taken_at.mono;
  c.memory.promotion = std::move(promotion);
}

void PromoteTo(Context& c, const NodeName& winner, bool lossless, std::vector<Condition> fence) {
  Promotion& promotion = *c.memory.promotion;
  if (promotion.to != winner) {
    promotion.to = winner;
    promotion.lossless = lossless;
    for (auto& [name, node] : c.memory.nodes) node.lossless = false;
    const ReplicationSpec& replication = c.spec.database.replication;
    c.memory.durability_in_force = replication.durability == DurabilityMode::kSemiSync &&
                                           replication.without_replica == WithoutReplica::kBlock
                                       ? DurabilityMode::kSemiSync
                                       : DurabilityMode::kAsync;
  }
  Plan& plan = c.decision.plan;
  plan.ordered = true;
  plan.purpose =
      (promotion.from ? "failover from " + promotion.from->text + " to " : "first primary: ") +
      winner.text + " (epoch " + std::to_string(promotion.epoch.number) + ")";
  AddOpeningSteps(c, winner, promotion.because, std::move(fence));
}

void AdvancePromotion(Context& c) {
  if (!HoldsEnoughLocks(c)) return;
  Promotion& promotion = *c.memory.promotion;
  Plan& plan = c.decision.plan;
  std::vector<Condition> conditions;
  bool fenced = true;
  const std::string epoch = " (epoch " + std::to_string(promotion.epoch.number) + ")";
  plan.purpose =
      promotion.from ? "failover from " + promotion.from->text + epoch : "first primary" + epoch;
  if (promotion.from) {
    const Fencing fencing = FenceOf(c, *promotion.from, promotion);
    if (fencing.blocked) {
      c.decision.blocked.push_back(*fencing.blocked);
      c.decision.blocked.back().says += Forecast(c, *promotion.from);
      if (c.before.promotion && c.before.promotion->epoch == promotion.epoch)
        c.decision.blocked.back().says += " The promotion has begun, so clients wait.";
      return;
    }
    promotion.fence_waived = fencing.waived;
    conditions = fencing.conditions;
    fenced = fencing.done;
    plan.ordered = true;
    if (c.seen.publication.primary == promotion.from)
      c.DoOrGoOn(WithdrawPublication{}, promotion.because, kQuickStep);
    if (!fenced) c.Do(FenceServer{*promotion.from}, promotion.because, kFenceStep);
  }
  if (StopReceivingCandidates(c, promotion.from,
                              "positions are compared only when they stand still") ||
      !fenced) {
    return;
  }
  const Election election = Elect(c.spec, c.seen, c.memory, promotion.from);
  c.decision.candidates = election.verdicts;
  if (!election.winner) {
    BlockOnElection(c, election);
    if (election.blocked == BlockReason::kGatheringEvidence) return;
    // The old primary has everything that was acknowledged: bringing it back in place loses
    // nothing.
    if (promotion.from && Unopened(c) &&
        StartIfEnded(c, *promotion.from, "nobody else may be promoted: " + election.says)) {
      TakeBack(c);
      plan.ordered = false;
      plan.purpose = "bring " + c.memory.primary->text + " back in place";
    }
    return;
  }
  // A late step may still open the one that was chosen before, in its epoch.
  if (promotion.to && promotion.to != election.winner)
    c.memory.epoch = promotion.epoch = promotion.epoch.Next();
  for (const DatabaseSeen& other : c.seen.databases) {
    if (other.name == election.winner || other.name == promotion.from || !other.state.known() ||
        !other.state->writable) {
      continue;
    }
    const auto taken = TakeWritesAway(c, other, *election.winner);
    if (!taken) return;
    conditions.push_back(*taken);
  }
  if (promotion.from) RememberLoss(c, election, *promotion.from);
  PromoteTo(c, *election.winner, election.lossless, std::move(conditions));
}

// A failover that a person asked for has not come about in the time that was given for it.
bool GivenUp(Context& c) {
  IntentRecord* record = FindIntent(c.memory, c.memory.promotion->intent);
  if (record == nullptr || c.now() < record->give_up_at || !Unopened(c)) return false;
  CloseIntent(c, *record, IntentState::kTakenBack,
              "Given up: it could not be done in " + FormatDuration(record->intent.within) + ".");
  TakeBack(c);
  return true;
}

bool ContinuePromotion(Context& c) {
  if (c.memory.promotion->planned) return ContinueSwitchover(c);
  if (GivenUp(c)) return true;
  const Promotion promotion = *c.memory.promotion;
  bool over = false;
  if (promotion.to && FinishTarget(c, &over)) return over;
  if (promotion.from && Unopened(c)) {
    const Evidence evidence = Judge(c.spec, c.seen, c.memory, *promotion.from);
    if (evidence.life == Life::kAlive && LostTailOf(c.seen, c.memory, *promotion.from).empty()) {
      // Back before anybody was opened: it goes on, under the new epoch.
      TakeBack(c);
      return true;
    }
    const auto blocked = FenceOf(c, *promotion.from, promotion).blocked;
    // An owner that falls silent after the choice had proven the end before; the right to a
    // lossless promotion was given up with the choice and would not come back.
    const bool may_change =
        !promotion.to || (blocked && blocked->reason == BlockReason::kNoWitness);
    if (blocked && !blocked->until && may_change) {
      // Nobody knows when it can be replaced: it stays primary, and the replicas receive again.
      TakeBack(c);
      return true;
    }
  }
  AdvancePromotion(c);
  return false;
}

}  // namespace pandora_ha
