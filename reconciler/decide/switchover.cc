#include "reconciler/decide/switchover.h"

#include <algorithm>
#include <variant>
#include <vector>

#include "reconciler/decide/election.h"
#include "reconciler/decide/evidence.h"
#include "reconciler/decide/guards.h"
#include "reconciler/decide/intents.h"
#include "reconciler/decide/leadership.h"
#include "reconciler/decide/promotion.h"

namespace pandora_ha {
namespace {

// A target further behind than this is no target.
constexpr Seconds kMostLag{10};
// Clients wait while the target catches up: one further behind than this catches up before.
constexpr Seconds kMostLagAtClose{2};
// Bounded by the server's own lock timeout: what waits for a lock makes others wait behind it.
constexpr Duration kCloseStep = Milliseconds(500);
// For clients to end between two statements; who has not is cut.
constexpr Duration kDrainClientsStep = Milliseconds(300);
// Clients wait while the target catches up; longer than this they would notice.
constexpr Seconds kMostWait{3};
constexpr int kMostAttempts = 3;
constexpr Duration kBetweenAttempts = Seconds(2);

// Why `node` cannot take over from the living primary now; empty: it can.
std::string WhyNot(const Context& c, const NodeName& node) {
  const NodeName& primary = *c.memory.primary;
  const Election election = Elect(c.spec, c.seen, c.memory, primary);
  for (const CandidateVerdict& verdict : election.verdicts) {
    if (verdict.node == node && !verdict.eligible) return verdict.reason;
  }
  const DatabaseState& state = *FindSeen(c.seen, node)->state;
  if (!state.replication) return "it does not replicate";
  const ReplicationSeen& channel = *state.replication;
  if (channel.source.host != FindNode(c.spec, primary)->address)
    return "it does not follow " + primary.text;
  if (channel.io != ThreadState::kRunning) return "it does not receive from " + primary.text;
  if (channel.sql != ThreadState::kRunning) return "its applier does not run";
  if (MemoryOf(c.memory, node).history != History::kContained)
    return "its history has not been compared with that of " + primary.text + " yet";
  if (!channel.lag) return "its lag is not known";
  if (*channel.lag > kMostLag) {
    return "it is " + FormatDuration(*channel.lag) + " behind; " + FormatDuration(kMostLag) +
           " or less is needed";
  }
  return "";
}

// Clients wait from here on.
void CloseOld(Context& c, bool end_transactions) {
  const Promotion& promotion = *c.memory.promotion;
  const NodeName& from = *promotion.from;
  Plan& plan = c.decision.plan;
  plan.ordered = true;
  plan.purpose = "switchover from " + from.text + " to " + promotion.wanted->text + " (epoch " +
                 std::to_string(promotion.epoch.number) + ")";
  c.Do(DrainClients{}, promotion.because, kDrainClientsStep);
  c.Do(WithdrawPublication{}, promotion.because, kQuickStep);
  if (end_transactions)
    c.Do(EndTransactions{from}, "it was asked for, and half of the time is over", kQuickStep);
  c.Do(SetReadOnly{from}, promotion.because, kCloseStep);
}

// A node that accepts writes and is none of these.
std::optional<NodeName> OtherWriter(const Context& c, const std::vector<NodeName>& these) {
  for (const DatabaseSeen& node : c.seen.databases) {
    const bool known = std::find(these.begin(), these.end(), node.name) != these.end();
    if (!known && node.state.known() && node.state->writable) return node.name;
  }
  return std::nullopt;
}

// Clients write on until nothing would hold up the change.
std::string InTheWay(const Context& c) {
  if (!c.seen.in_the_way.known())
    return "what goes on at " + c.memory.primary->text + " is being looked at.";
  std::string says;
  for (const std::string& one : *c.seen.in_the_way) says += (says.empty() ? "" : "; ") + one;
  return says.empty() ? "" : says + " on " + c.memory.primary->text + ".";
}

// By positions: a server says its lag in whole seconds, and none while it has only just begun to
// follow.
bool KeepsUp(const Context& c, const NodeName& node, std::optional<Milestone>* milestone) {
  const DatabaseState& target = *FindSeen(c.seen, node)->state;
  if (*milestone && !target.executed.Contains((*milestone)->executed)) return false;
  const bool close = *milestone && c.now() - (*milestone)->at <= kMostLagAtClose;
  if (!close) *milestone = Milestone{FindSeen(c.seen, *c.memory.primary)->state->executed, c.now()};
  return close;
}

std::string FallenBehind(const Context& c, const NodeName& node) {
  return node.text + " has yet to apply what " + c.memory.primary->text +
         " has committed; clients would wait for that.";
}

// Why another manager may open a node meanwhile; empty: none can, or the policy takes the risk.
std::string NotAllLocked(const Context& c) {
  if (c.spec.failover_policy == FailoverPolicy::kAvailability) return "";
  const auto unlocked = UnlockedNodes(c.seen, std::nullopt);
  if (unlocked.empty()) return "";
  return "This manager does not hold the lock of " + unlocked.front().name.text + " (" +
         unlocked.front().why + "), so that another manager may act there.";
}

void GiveUp(Context& c, IntentRecord& record, const std::string& why) {
  const bool begun = c.memory.promotion.has_value();
  const NodeName primary = *c.memory.primary;
  const bool serves = Judge(c.spec, c.seen, c.memory, primary).life == Life::kAlive;
  CloseIntent(c, record,
              begun || record.attempts > 0 ? IntentState::kTakenBack : IntentState::kRefused,
              "Given up: " + why + (serves ? " " + primary.text + " goes on as the primary." : ""));
}

// The old primary is opened again by the upkeep that follows. Tried once more while time is left.
bool TakeSwitchoverBack(Context& c, IntentRecord* record, const std::string& why) {
  if (record != nullptr) {
    if (record->attempts >= kMostAttempts || c.now() >= record->give_up_at) {
      GiveUp(c, *record, why);
    } else {
      record->says = "Tried again soon: " + why;
      record->not_before = c.now() + kBetweenAttempts;
    }
  }
  TakeBack(c);
  return true;
}

// The old primary failed while it was being replaced.
bool BecomeFailover(Context& c, IntentRecord* record, const Evidence& evidence) {
  Promotion& promotion = *c.memory.promotion;
  const NodeName from = *promotion.from;
  // It lives, and no look proves more: what to do about it is told better without a switchover.
  if (evidence.life == Life::kRefusesUs && Unopened(c))
    return TakeSwitchoverBack(c, record, from.text + " is closed, and " + evidence.because + ".");
  if (!MustBeReplaced(evidence.life)) {
    c.Block(BlockReason::kGatheringEvidence,
            "The switchover from " + from.text + " waits: " + evidence.because + ".",
            "its return, or the end of the declared looks", evidence.until);
    return false;
  }
  promotion.planned = false;
  promotion.because = from.text + " is gone: " + evidence.because;
  if (!promotion.to) {
    promotion.intent.clear();
    promotion.wanted.reset();
    if (record != nullptr)
      CloseIntent(c, *record, IntentState::kSuperseded,
                  from.text + " failed meanwhile (" + evidence.because + "); a failover follows.");
  }
  return ContinuePromotion(c);
}

// From here on the way leads forward only: the target may be open.
void OpenTarget(Context& c, const DatabaseSeen& from) {
  const NodeName target = *c.memory.promotion->wanted;
  std::vector<Condition> closed = {IsReadOnly{from.name}};
  c.decision.plan.ordered = true;
  if (from.state->writable)
    c.Do(SetReadOnly{from.name}, "only " + target.text + " may accept writes", kCloseStep);
  PromoteTo(c, target, true, std::move(closed));
  c.decision.plan.purpose = "switchover from " + from.name.text + " to " + target.text +
                            " (epoch " + std::to_string(c.memory.promotion->epoch.number) + ")";
}

// What a person may give up with --allow-data-loss.
bool MayBeAccepted(BlockReason reason) {
  switch (reason) {
    case BlockReason::kAmbiguousCandidates:
    case BlockReason::kUnprovenFence:
    case BlockReason::kLeaseRunning:
    case BlockReason::kNoWitness:
    case BlockReason::kMayLoseRows:
    case BlockReason::kNotAllLocked:
      return true;
    case BlockReason::kGatheringEvidence:
    case BlockReason::kStillReplicating:
    case BlockReason::kRestartAllowance:
    case BlockReason::kNoCandidate:
    case BlockReason::kSuspended:
    case BlockReason::kSplitBrain:
    case BlockReason::kEpochAhead:
    case BlockReason::kAccessDenied:
    case BlockReason::kPaused:
    case BlockReason::kCoolDown:
    case BlockReason::kGuardsUnread:
      return false;
  }
  return false;
}

std::string IsGone(const DatabaseSeen& target, const Evidence& of_target) {
  return target.name.text + " is gone: " + of_target.because + ".";
}

// An order to open the target was given: whether it was carried out is known when it answers.
bool WhileItMayBeOpen(Context& c, IntentRecord* record, const DatabaseSeen& from,
                      const DatabaseSeen& target, const Evidence& of_target) {
  if (of_target.life == Life::kAlive) {
    OpenTarget(c, from);
    return false;
  }
  const bool beside = c.spec.failover_policy == FailoverPolicy::kAvailability;
  if (!MayHaveServed(c) && of_target.life == Life::kCutOff && target.can_fence) {
    c.Do(FenceServer{target.name}, IsGone(target, of_target), kFenceStep);
    c.decision.plan.ordered = true;
    c.decision.plan.purpose =
        "end " + target.name.text + ", so that " + from.name.text + " can go on";
    return false;
  }
  if (!MayHaveServed(c) &&
      (of_target.life == Life::kDead || (of_target.life == Life::kCutOff && beside))) {
    TakeSwitchoverBack(c, record, IsGone(target, of_target));
    RememberUnseenWrites(c, target.name);
    return true;
  }
  if (of_target.life == Life::kDead || of_target.life == Life::kCutOff) {
    CompletePromotion(c);
    return true;
  }
  c.Block(
      BlockReason::kGatheringEvidence,
      target.name.text + ", which is being promoted, does not answer: " + of_target.because + ".",
      "its return, or the end of the declared looks", of_target.until);
  return false;
}

}  // namespace

std::optional<NodeName> SwitchoverTarget(const Context& c, const std::optional<NodeName>& to,
                                         std::string* obstacles) {
  const NodeName& primary = *c.memory.primary;
  const Evidence evidence = Judge(c.spec, c.seen, c.memory, primary);
  const DatabaseSeen* seen = FindSeen(c.seen, primary);
  if (evidence.life != Life::kAlive || !seen->state->writable) {
    *obstacles = primary.text + " does not serve as the primary now (" +
                 (evidence.life == Life::kAlive ? "it is read-only" : evidence.because) +
                 "); `pandora-ha failover` replaces a primary that is gone.";
    return std::nullopt;
  }
  if (const std::string held = HeldOff(c.memory, primary); !held.empty()) {
    *obstacles = primary.text + " must not be touched: " + held + ".";
    return std::nullopt;
  }
  if (const auto other = OtherWriter(c, {primary}); other) {
    *obstacles = other->text + " accepts writes beside " + primary.text + "; that comes first.";
    return std::nullopt;
  }
  if (*obstacles = NotAllLocked(c); !obstacles->empty()) return std::nullopt;
  for (const NodeName& node : to ? std::vector<NodeName>{*to} : PreferenceOrder(c.spec)) {
    if (node == primary) continue;
    const std::string why_not = WhyNot(c, node);
    if (why_not.empty()) return node;
    *obstacles +=
        (obstacles->empty() ? "" : " ") + node.text + " cannot take over: " + why_not + ".";
  }
  if (obstacles->empty()) *obstacles = "No other node is declared.";
  return std::nullopt;
}

void EndOverdueSwitchover(Context& c) {
  IntentRecord* record = UnderWay(c.memory);
  const auto* wish = record == nullptr ? nullptr : std::get_if<Switchover>(&record->intent.wish);
  if (wish == nullptr || c.memory.promotion || !c.memory.primary) return;
  if (c.now() < record->give_up_at) return;
  std::string obstacles;
  const auto target = SwitchoverTarget(c, wish->to, &obstacles);
  const std::string busy = target ? InTheWay(c) : obstacles;
  GiveUp(c, *record, busy.empty() ? FallenBehind(c, *target) : busy);
}

bool AdvanceSwitchover(Context& c) {
  IntentRecord* record = UnderWay(c.memory);
  const auto* wish = record == nullptr ? nullptr : std::get_if<Switchover>(&record->intent.wish);
  if (wish == nullptr) return false;
  if (c.now() < record->not_before) return false;
  std::string obstacles;
  const auto target = SwitchoverTarget(c, wish->to, &obstacles);
  if (!target) {
    record->says = "Waiting: " + obstacles;
    return false;
  }
  const bool late = c.now() >= record->give_up_at - record->intent.within / 2;
  const bool end_transactions = wish->end_transactions && late;
  const bool keeps_up = KeepsUp(c, *target, &record->milestone);
  std::string wait = end_transactions ? "" : InTheWay(c);
  if (wait.empty() && !keeps_up) wait = FallenBehind(c, *target);
  if (!wait.empty()) {
    record->says = "Waiting: " + wait;
    return false;
  }
  BeginPromotion(c, c.memory.primary, c.memory.epoch.Next(),
                 record->intent.by + " asked for a " + Describe(record->intent.wish) +
                     (record->intent.reason.empty() ? "" : " (" + record->intent.reason + ")"));
  Promotion& promotion = *c.memory.promotion;
  promotion.intent = record->intent.id;
  promotion.wanted = target;
  promotion.planned = true;
  ++record->attempts;
  record->says = c.memory.primary->text + " is being closed, and " + target->text + " takes over.";
  CloseOld(c, end_transactions);
  return true;
}

bool ContinueSwitchover(Context& c) {
  const Promotion promotion = *c.memory.promotion;
  IntentRecord* record = FindIntent(c.memory, promotion.intent);
  const DatabaseSeen* from = FindSeen(c.seen, *promotion.from);
  const DatabaseSeen* target = FindSeen(c.seen, *promotion.wanted);
  if (promotion.to && target != nullptr && Opened(c, *target)) {
    CompletePromotion(c);
    return true;
  }
  const Evidence of_from = Judge(c.spec, c.seen, c.memory, *promotion.from);
  if (of_from.life != Life::kAlive) return BecomeFailover(c, record, of_from);
  if (target == nullptr)
    return TakeSwitchoverBack(c, record, promotion.wanted->text + " is not declared any more.");
  const Evidence of_target = Judge(c.spec, c.seen, c.memory, target->name);
  if (!Unopened(c)) return WhileItMayBeOpen(c, record, *from, *target, of_target);
  if (of_target.life != Life::kAlive)
    return TakeSwitchoverBack(c, record, IsGone(*target, of_target));
  if (from->state->writable) {
    return TakeSwitchoverBack(c, record,
                              from->name.text + " could not be closed. " + c.seen.last_failure);
  }
  if (const auto other = OtherWriter(c, {from->name, target->name}); other)
    return TakeSwitchoverBack(c, record, other->text + " accepts writes, too.");
  if (const std::string missing = NotAllLocked(c); !missing.empty())
    return TakeSwitchoverBack(c, record, missing);
  if (target->state->executed.Contains(from->state->executed)) {
    OpenTarget(c, *from);
    return false;
  }
  const auto& channel = target->state->replication;
  const bool applies = channel && channel->sql == ThreadState::kRunning;
  if (!applies || record == nullptr || c.now() >= record->give_up_at ||
      c.now() - promotion.began >= kMostWait) {
    return TakeSwitchoverBack(c, record,
                              target->name.text + (applies ? " did not catch up in time."
                                                           : " does not apply what it received."));
  }
  record->says = from->name.text + " is closed; " + target->name.text + " still lacks " +
                 std::to_string(from->state->executed.CountMissingIn(target->state->executed)) +
                 " transactions.";
  return false;
}

bool ForceFailover(Context& c) {
  IntentRecord* record = UnderWay(c.memory);
  const auto* wish =
      record == nullptr ? nullptr : std::get_if<ForcedFailover>(&record->intent.wish);
  if (wish == nullptr) return false;
  const NodeName primary = *c.memory.primary;
  const Epoch epoch = c.memory.epoch;
  const auto cut_from = c.memory.clients_cut_from;
  BeginPromotion(c, primary, epoch.Next(),
                 record->intent.by + " asked for a " + Describe(record->intent.wish) +
                     (record->intent.reason.empty() ? "" : " (" + record->intent.reason + ")"));
  Promotion& promotion = *c.memory.promotion;
  promotion.intent = record->intent.id;
  promotion.wanted = wish->to;
  promotion.loss_allowed = wish->allow_data_loss;
  // Nothing is touched before somebody can take over.
  const Election election = Elect(c.spec, c.seen, c.memory, primary);
  c.decision.candidates = election.verdicts;
  if (election.winner || election.blocked == BlockReason::kGatheringEvidence) {
    AdvancePromotion(c);
  } else {
    BlockOnElection(c, election);
  }
  if (c.decision.blocked.empty() || !c.decision.plan.empty()) return true;
  std::string says = "Nothing was touched.";
  bool accepted = false;
  for (const Blocked& blocked : c.decision.blocked) {
    says += " " + blocked.says;
    accepted = accepted || MayBeAccepted(blocked.reason);
  }
  if (accepted && !wish->allow_data_loss)
    says += " --allow-data-loss accepts an unproven fence and lost rows.";
  c.memory.promotion.reset();
  c.memory.epoch = epoch;
  c.memory.clients_cut_from = cut_from;
  CloseIntent(c, *UnderWay(c.memory), IntentState::kRefused, std::move(says));
  return true;
}

}  // namespace pandora_ha
