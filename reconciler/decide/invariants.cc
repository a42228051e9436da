#include "reconciler/decide/invariants.h"

#include <algorithm>

#include "reconciler/decide/archive.h"
#include "reconciler/decide/election.h"
#include "reconciler/decide/evidence.h"

namespace pandora_ha {
namespace {

struct Check {
  const ClusterSpec& spec;
  const Observation& seen;
  const Memory& before;
  const Decision& decision;
  std::vector<Violation> out;

  void Require(bool holds, int invariant, const std::string& says) {
    if (!holds) out.push_back({invariant, says});
  }
};

bool Requires(const Step& step, const NodeName& node) {
  return std::any_of(step.requires_.begin(), step.requires_.end(), [&](const Condition& condition) {
    const auto* ended = std::get_if<ProcessEnded>(&condition);
    const auto* read_only = std::get_if<IsReadOnly>(&condition);
    return (ended != nullptr && ended->node == node) ||
           (read_only != nullptr && read_only->node == node);
  });
}

// The predecessor can only have been ended by its own lease: nobody else could, and it is not seen.
bool OnlyItsLease(const Check& check, const NodeName& from) {
  const DatabaseSeen* seen = FindSeen(check.seen, from);
  return check.spec.failover_policy == FailoverPolicy::kWitness && seen != nullptr &&
         seen->self_fencing && !seen->can_fence && !seen->state.known();
}

// Invariants 1 and 3: opening one node asks again, at the last moment, that the node it replaces
// cannot write; or its lease has run out; or the policy took the risk, in words.
void CheckOpening(Check& check, const Step& step, const OpenWritable& open) {
  const Memory& memory = check.decision.memory;
  check.Require(open.epoch == memory.epoch, 9,
                "a node is opened in an epoch that is not the recorded one");
  if (memory.promotion) {
    const Promotion& promotion = *memory.promotion;
    check.Require(promotion.to == open.node, 3,
                  "a node is opened that the promotion does not name");
    check.Require(
        !promotion.from || promotion.fence_waived || Requires(step, *promotion.from) ||
            OnlyItsLease(check, *promotion.from),
        3, open.node.text + " is opened while nobody asks whether its predecessor has stopped");
    check.Require(
        !promotion.fence_waived || promotion.loss_allowed ||
            check.spec.failover_policy == FailoverPolicy::kAvailability,
        3, "a fence was waived under a policy that does not allow it, and nobody asked for it");
  } else {
    check.Require(memory.primary == open.node, 1,
                  "a node is opened that is not the recorded primary");
  }
  for (const DatabaseSeen& other : check.seen.databases) {
    if (other.name == open.node || !other.state.known() || !other.state->writable) continue;
    const bool waived =
        memory.promotion && memory.promotion->fence_waived && memory.promotion->from == other.name;
    check.Require(waived || Requires(step, other.name), 1,
                  open.node.text + " is opened while " + other.name.text + " accepts writes");
  }
}

// Invariant 4: what is promoted holds everything that any other candidate is known to hold.
void CheckSuperset(Check& check, const OpenWritable& open) {
  const Memory& memory = check.decision.memory;
  if (!memory.promotion || memory.promotion->loss_allowed) return;
  const DatabaseSeen* target = FindSeen(check.seen, open.node);
  check.Require(target != nullptr && target->state.known(), 9,
                "a node is promoted that did not answer");
  if (target == nullptr || !target->state.known()) return;
  for (const DatabaseSeen& other : check.seen.databases) {
    const NodeMemory& remembered = MemoryOf(memory, other.name);
    if (other.name == open.node || other.name == memory.promotion->from || !other.state.known() ||
        remembered.deposed || remembered.history == History::kDiverged) {
      continue;
    }
    check.Require(
        !memory.promotion->from || HeldBy(*target->state).Contains(HeldBy(*other.state)), 4,
        open.node.text + " is promoted without transactions that " + other.name.text + " has");
  }
}

// It accepted writes when a promotion cut its clients, has not answered since, and nobody was
// opened in its place.
bool GivenBack(const Check& check, const NodeName& node) {
  const Memory& memory = check.decision.memory;
  const DatabaseSeen* seen = FindSeen(check.seen, node);
  return memory.clients_cut_from == node && memory.primary == node && !memory.promotion &&
         (seen == nullptr || !seen->state.known());
}

void CheckOrder(Check& check) {
  const Plan& plan = check.decision.plan;
  bool opened = false;
  for (const Step& step : plan.steps) {
    check.Require(step.deadline > Duration::zero(), 10,
                  "a step has no deadline: " + Describe(step.action));
    opened = opened || std::holds_alternative<OpenWritable>(step.action);
    if (const auto* publish = std::get_if<Publish>(&step.action)) {
      const DatabaseSeen* node = FindSeen(check.seen, publish->node);
      const bool writable = node != nullptr && node->state.known() && node->state->writable;
      check.Require(opened || writable || GivenBack(check, publish->node), 7,
                    publish->node.text + " is published before it is open");
      check.Require(publish->epoch == check.decision.memory.epoch, 9,
                    "an epoch is published that is not ours");
    }
  }
  check.Require(!opened || plan.ordered, 3,
                "a node is opened by a plan that goes on after a failed step");
}

// Allowed while people keep us off.
bool IsHarmless(const Action& action) {
  return OnlyTellsClients(action) || OnlyEndsOurWork(action);
}

// Invariant 8: a copy is made of the recorded primary only, and over no rows that are nowhere else.
void CheckRebuild(Check& check, const RebuildServer& rebuild) {
  const Memory& memory = check.decision.memory;
  check.Require(memory.primary == rebuild.source && !memory.promotion, 8,
                rebuild.node.text + " is made anew from a node that is not the recorded primary");
  check.Require(rebuild.node != rebuild.source, 8, "a node is made anew from itself");
  const DatabaseSeen* target = FindSeen(check.seen, rebuild.node);
  const bool empty = target != nullptr && target->process.known() && !target->process->initialised;
  const NodeMemory& remembered = MemoryOf(memory, rebuild.node);
  check.Require(rebuild.set_aside || empty || remembered.history == History::kContained ||
                    (IsArchived(remembered) && memory.primary_lost.empty()),
                8, rebuild.node.text + " is made anew over rows that may be nowhere else");
}

// Invariant 8: nothing is taken back that is nowhere else.
void CheckRewind(Check& check, const RewindServer& rewind) {
  const Memory& memory = check.decision.memory;
  const NodeMemory& remembered = MemoryOf(memory, rewind.node);
  check.Require(memory.primary != rewind.node && !memory.promotion && memory.primary_lost.empty() &&
                    remembered.history == History::kDiverged && IsArchived(remembered) &&
                    remembered.archive->place == rewind.place,
                8, "rows of " + rewind.node.text + " are taken back that may be nowhere else");
}

// Invariant 8: what the primary is made to count as executed is nobody's row.
void CheckInjection(Check& check, const InjectEmpty& inject) {
  const NodeMemory& from = MemoryOf(check.decision.memory, inject.of);
  check.Require(check.decision.memory.primary == inject.node && !check.decision.memory.promotion, 8,
                "empty transactions are entered into a node that is not the recorded primary");
  check.Require(IsArchived(from) && from.archive->divergence.OnlyMarks() &&
                    from.archive->own == inject.transactions,
                8, "rows of " + inject.of.text + " may be entered as empty transactions");
}

// Invariant 12: a primary that is not there is either being replaced or the reason is said.
void CheckNotSilent(Check& check) {
  const Decision& decision = check.decision;
  if (!decision.plan.empty() || !decision.blocked.empty() || decision.memory.promotion) return;
  if (!check.before.primary) return;
  const Life life = Judge(check.spec, check.seen, decision.memory, *check.before.primary).life;
  check.Require(life == Life::kAlive || decision.memory.primary != check.before.primary, 12,
                "the primary is gone, nothing is done and no reason is given");
}

}  // namespace

std::vector<Violation> CheckInvariants(const ClusterSpec& spec, const Observation& seen,
                                       const Memory& before, const Decision& decision) {
  Check check{spec, seen, before, decision, {}};
  check.Require(decision.memory.epoch >= before.epoch, 9, "the epoch went back");
  const auto opens = std::count_if(
      decision.plan.steps.begin(), decision.plan.steps.end(),
      [](const Step& step) { return std::holds_alternative<OpenWritable>(step.action); });
  check.Require(opens <= 1, 1, "one plan opens two nodes");
  for (const Step& step : decision.plan.steps) {
    if (const auto* open = std::get_if<OpenWritable>(&step.action)) {
      CheckOpening(check, step, *open);
      CheckSuperset(check, *open);
    }
    if (const auto* rebuild = std::get_if<RebuildServer>(&step.action))
      CheckRebuild(check, *rebuild);
    if (const auto* rewind = std::get_if<RewindServer>(&step.action)) CheckRewind(check, *rewind);
    if (const auto* inject = std::get_if<InjectEmpty>(&step.action)) CheckInjection(check, *inject);
  }
  // Invariant 2: the right goes before the waiting goes.
  const bool degrades =
      std::any_of(decision.plan.steps.begin(), decision.plan.steps.end(), [](const Step& step) {
        const auto* semi_sync = std::get_if<SetSemiSync>(&step.action);
        return semi_sync != nullptr && semi_sync->role == SemiSyncRole::kSourceDegraded;
      });
  const bool rights = std::any_of(decision.memory.nodes.begin(), decision.memory.nodes.end(),
                                  [](const auto& entry) { return entry.second.lossless; });
  check.Require(!degrades || !rights, 2,
                "the primary stops waiting while a replica still counts as lossless");
  const bool touches = std::any_of(decision.plan.steps.begin(), decision.plan.steps.end(),
                                   [](const Step& step) { return !IsHarmless(step.action); });
  check.Require((!spec.suspend && !decision.memory.guards.paused) || !touches, 9,
                "something is done while suspended or paused");
  for (const Step& step : decision.plan.steps) {
    if (IsHarmless(step.action)) continue;
    check.Require(PausedOf(decision.memory, TargetOf(step.action)) == nullptr, 9,
                  "a step touches a node that a person has paused: " + Describe(step.action));
  }
  CheckOrder(check);
  CheckNotSilent(check);
  return check.out;
}

}  // namespace pandora_ha
