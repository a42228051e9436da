#include "reconciler/decide/fencing.h"

#include <algorithm>

namespace pandora_ha {
namespace {

// Nobody can tell this manager that a host was stopped, but the policy can.
std::string StopAndSay(const NodeName& node) {
  return "an operator: stop " + node.text +
         " and its host, then `pandora-ha failover --allow-data-loss`";
}

// Policy witness: an agent ends the isolated primary when its lease has run out; we wait for longer
// than that by our own clock (a tenth and a second for clocks that do not run equally fast).
Fencing ByLease(const Context& c, const NodeName& node) {
  Fencing fencing;
  const DatabaseSeen* database = FindSeen(c.seen, node);
  if (database == nullptr || !database->self_fencing) {
    fencing.blocked = Blocked{BlockReason::kUnprovenFence,
                              "Nobody can prove that " + node.text +
                                  " has stopped writing: no agent there "
                                  "ends it when its lease runs out.",
                              StopAndSay(node), std::nullopt};
    return fencing;
  }
  const bool agreed =
      std::any_of(c.seen.witnesses.begin(), c.seen.witnesses.end(), [](const WitnessSeen& w) {
        return w.independent && w.sees_primary.known() && !*w.sees_primary;
      });
  if (!agreed) {
    const auto reaches = WitnessWhoReaches(c.seen);
    fencing.blocked =
        reaches ? Blocked{BlockReason::kNoWitness,
                          "The witness " + reaches->text + " reaches " + node.text + ".",
                          "whoever can repair the path between this manager and " + node.text,
                          std::nullopt}
                : Blocked{BlockReason::kNoWitness,
                          "No independent witness says that " + node.text + " is gone.",
                          "the return of a witness at a third site; else " + StopAndSay(node),
                          std::nullopt};
    return fencing;
  }
  // Whoever reached it last, we or a witness, may have renewed its lease then.
  const NodeMemory& remembered = MemoryOf(c.memory, node);
  const TimePoint since = std::max(remembered.unanswered_since.value_or(c.now()),
                                   remembered.unwitnessed_since.value_or(c.now()));
  const TimePoint runs_out =
      since + c.spec.lease.duration + c.spec.lease.duration / 10 + Seconds(1);
  if (c.now() < runs_out) {
    fencing.blocked = Blocked{BlockReason::kLeaseRunning,
                              "The lease of " + node.text + " runs for another " +
                                  FormatDuration(runs_out - c.now()) + ".",
                              "nobody needs to: it ends by itself", runs_out};
    return fencing;
  }
  fencing.done = true;
  return fencing;
}

}  // namespace

std::optional<NodeName> WitnessWhoReaches(const Observation& seen) {
  for (const WitnessSeen& witness : seen.witnesses) {
    if (witness.sees_primary.known() && *witness.sees_primary) return witness.name;
  }
  return std::nullopt;
}

Fencing FenceOf(const Context& c, const NodeName& node, const Promotion& promotion) {
  Fencing fencing;
  const DatabaseSeen* database = FindSeen(c.seen, node);
  const bool process_known = database != nullptr && database->process.known();
  if (process_known && database->process->phase != ProcessState::Phase::kRunning &&
      database->process->restart_inhibited) {
    fencing.done = true;
    fencing.conditions = {ProcessEnded{node}};
    return fencing;
  }
  // It answers, read-only (it came back, perhaps without transactions that others have): that can
  // be asked again, and nothing needs to be killed.
  if (database != nullptr && database->state.known() && !database->state->writable) {
    fencing.done = true;
    fencing.conditions = {IsReadOnly{node}};
    return fencing;
  }
  if (database != nullptr && database->can_fence) {
    fencing.conditions = {ProcessEnded{node}};
    return fencing;
  }
  if (promotion.loss_allowed) {
    fencing.done = true;
    fencing.waived = true;
    return fencing;
  }
  switch (c.spec.failover_policy) {
    case FailoverPolicy::kAvailability:
      fencing.done = true;
      fencing.waived = true;
      return fencing;
    case FailoverPolicy::kConsistency:
      fencing.blocked = Blocked{BlockReason::kUnprovenFence,
                                "Nobody can prove that " + node.text + " has stopped writing (" +
                                    promotion.because + ").",
                                StopAndSay(node), std::nullopt};
      return fencing;
    case FailoverPolicy::kWitness:
      return ByLease(c, node);
  }
  return fencing;
}

}  // namespace pandora_ha
