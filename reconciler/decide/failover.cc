#include "reconciler/decide/failover.h"

#include "reconciler/decide/election.h"
#include "reconciler/decide/fencing.h"
#include "reconciler/decide/promotion.h"

namespace pandora_ha {
namespace {

// A server that comes back in place answers read-only at first: clients wait until it is opened.
void HoldClients(Context& c, const NodeName& primary, const std::string& because) {
  if (c.seen.publication.primary != primary) return;
  c.DoOrGoOn(WithdrawPublication{}, because, kQuickStep);
  c.decision.plan.purpose = "let clients wait for " + primary.text;
}

// A promotion that was taken back had cut its clients. It accepted writes then and nobody else was
// opened since: on a sign of its life they are sent there again, although it does not answer us.
void GiveClientsBack(Context& c, const NodeName& primary, const std::string& sign_of_life) {
  if (c.memory.clients_cut_from != primary || c.seen.publication.primary) return;
  c.Do(Publish{primary, c.memory.epoch},
       sign_of_life + ", and nobody has been opened in place of " + primary.text, kQuickStep);
  c.decision.plan.purpose = "give " + primary.text + " its clients back";
}

void BlockOnEvidence(Context& c, const NodeName& primary, const Evidence& evidence) {
  BlockReason reason = BlockReason::kGatheringEvidence;
  std::string who = "nobody needs to: the next looks decide";
  switch (evidence.life) {
    case Life::kRefusesUs:
      reason = BlockReason::kAccessDenied;
      who = "whoever can correct the account, the certificate or the connection limit of " +
            primary.text;
      break;
    case Life::kStillReplicating:
      reason = BlockReason::kStillReplicating;
      who =
          "whoever can relieve " + primary.text + " or repair the path between this manager and it";
      GiveClientsBack(c, primary, evidence.because);
      break;
    case Life::kRestarting:
      reason = BlockReason::kRestartAllowance;
      HoldClients(c, primary, evidence.because);
      break;
    case Life::kGathering:
    case Life::kAlive:
    case Life::kStalled:
    case Life::kCutOff:
    case Life::kDead:
      break;
  }
  if (evidence.ask) {
    c.Do(ReplicateFrom{*evidence.ask, primary},
         "only a running channel tells whether " + primary.text + " lives", Seconds(5),
         {IsReadOnly{*evidence.ask}});
    c.decision.plan.purpose = "ask " + evidence.ask->text + " about " + primary.text;
  }
  c.Block(reason, "No failover from " + primary.text + " now: " + evidence.because + ".", who,
          evidence.until);
}

void SayThatClientsWait(Context& c, const NodeName& primary) {
  if (c.seen.publication.primary || !c.decision.plan.empty()) return;
  c.decision.blocked.back().says += " Clients were cut for it and wait until " + primary.text +
                                    " shows a sign of life: to us, to a witness, or to a replica.";
}

}  // namespace

bool ReplaceOpenPrimary(Context& c, const std::string& because) {
  const NodeName primary = *c.memory.primary;
  const Election election = Elect(c.spec, c.seen, c.memory, primary);
  c.decision.candidates = election.verdicts;
  if (!election.winner) {
    BlockOnElection(c, election);
    return false;
  }
  c.decision.plan.ordered = true;
  c.decision.plan.purpose = "close " + primary.text + ", because " + because;
  if (c.seen.publication.primary == primary) c.DoOrGoOn(WithdrawPublication{}, because, kQuickStep);
  TakeWritesAway(c, *FindSeen(c.seen, primary), *election.winner);
  return true;
}

void DecideFailover(Context& c, const Evidence& evidence) {
  const NodeName primary = *c.memory.primary;
  const bool lost_tail = evidence.life == Life::kAlive;
  if (!lost_tail && !MustBeReplaced(evidence.life)) {
    BlockOnEvidence(c, primary, evidence);
    return;
  }
  const bool unproven = evidence.life == Life::kCutOff || evidence.life == Life::kStalled;
  if (unproven && c.memory.failed_over_at) {
    const TimePoint until = *c.memory.failed_over_at + c.spec.failover_cool_down;
    if (c.now() < until) {
      c.Block(BlockReason::kCoolDown,
              "No failover from " + primary.text + " now: " + evidence.because +
                  ", but the last failover was " +
                  FormatDuration(c.now() - *c.memory.failed_over_at) +
                  " ago, and nothing proves that " + primary.text + " is dead.",
              "an operator with `pandora-ha ack`, once the cause of the last one is known", until);
      return;
    }
  }
  // Nothing is touched before somebody can take over.
  const Election election = Elect(c.spec, c.seen, c.memory, primary);
  c.decision.candidates = election.verdicts;
  if (!election.winner) {
    BlockOnElection(c, election);
    if (election.blocked == BlockReason::kGatheringEvidence) return;
    if (evidence.life == Life::kDead) HoldClients(c, primary, evidence.because);
    for (const DatabaseNodeSpec& node : c.spec.database.nodes) {
      StartIfEnded(c, node.name, "nobody can take over: " + election.says);
    }
    if (!c.decision.plan.empty()) c.decision.plan.purpose = "bring servers back in place";
    return;
  }
  const Epoch epoch = c.memory.epoch;
  const auto cut_from = c.memory.clients_cut_from;
  BeginPromotion(c, primary, epoch.Next(), primary.text + " is gone: " + evidence.because);
  AdvancePromotion(c);
  if (!c.decision.blocked.empty() && c.decision.plan.empty()) {
    // Blocked before anything was touched: no epoch is spent on waiting.
    c.memory.promotion.reset();
    c.memory.epoch = epoch;
    c.memory.clients_cut_from = cut_from;
    if (c.decision.blocked.front().reason == BlockReason::kNotAllLocked &&
        StartIfEnded(c, primary, "nobody else may be promoted now")) {
      c.decision.plan.purpose = "bring " + primary.text + " back in place";
      return;
    }
    if (const auto witness = WitnessWhoReaches(c.seen))
      GiveClientsBack(c, primary, "the witness " + witness->text + " reaches " + primary.text);
    SayThatClientsWait(c, primary);
  }
}

}  // namespace pandora_ha
