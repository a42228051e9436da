#include "reconciler/decide/semi_sync.h"

#include <algorithm>

#include "reconciler/decide/diagnose.h"
#include "reconciler/decide/election.h"
#include "reconciler/decide/evidence.h"

namespace pandora_ha {
namespace {

// Its thread says "running", and not even a heartbeat arrived for longer than two of them take.
bool IsSilent(const Context& c, const DatabaseSeen& node) {
  return node.state.at() - MemoryOf(c.memory, node.name).arrival_changed > kChannelSilence;
}

bool Acknowledges(const Context& c, const DatabaseSeen& node) {
  return node.state.known() && node.state->replication &&
         node.state->replication->io == ThreadState::kRunning &&
         node.state->semi_sync.replica_active && !IsSilent(c, node) &&
         MemoryOf(c.memory, node.name).history == History::kContained;
}

// Who may acknowledge to the primary, whether or not we reach it: the primary counts its
// acknowledgers, and one more than we see is one of those that we do not see. Two servers are not
// asked at the same instant, so it has to count none for a while before it is believed.
void RememberAcknowledgers(Context& c, const DatabaseSeen& primary) {
  int seen = 0;
  for (const DatabaseSeen& node : c.seen.databases) {
    if (node.name == primary.name || !node.state.known()) continue;
    const bool receives =
        node.state->replication && node.state->replication->io == ThreadState::kRunning;
    const bool active = receives && node.state->semi_sync.replica_active;
    MemoryOf(c.memory, node.name).may_acknowledge = active;
    if (active && !IsSilent(c, node)) ++seen;
  }
  for (const DatabaseSeen& node : c.seen.databases) {
    if (node.name == primary.name || node.state.known()) continue;
    NodeMemory& remembered = MemoryOf(c.memory, node.name);
    if (primary.state->semi_sync.acknowledgers > seen) {
      remembered.may_acknowledge = true;
      remembered.not_acknowledging_since.reset();
    } else if (remembered.may_acknowledge) {
      if (!remembered.not_acknowledging_since) remembered.not_acknowledging_since = c.now();
      if (c.now() - *remembered.not_acknowledging_since > kChannelSilence)
        remembered.may_acknowledge = false;
    }
  }
}

// The only replica of a primary that never stops waiting has everything that was acknowledged, as
// long as its server runs on (see RememberRun).
bool NeverStopsWaiting(const Context& c) {
  return c.spec.database.replication.without_replica == WithoutReplica::kBlock &&
         c.spec.database.nodes.size() == 2;
}

// A replica that answers and does not acknowledge, or that is down, keeps its right for one
// detection timeout: a reconnect is not a failure.
bool LosesRight(Context& c, const DatabaseSeen& node, const DatabaseSeen& primary) {
  NodeMemory& remembered = MemoryOf(c.memory, node.name);
  const Life life = Judge(c.spec, c.seen, c.memory, node.name).life;
  if (NeverStopsWaiting(c) && remembered.history != History::kDiverged) return false;
  if (life == Life::kDead) return true;
  if (life != Life::kAlive && life != Life::kRestarting) {
    // The primary counts a frozen replica as an acknowledger for as long as its connection stands,
    // and every commit waits for it. Where waiting was not declared to be the rule, availability
    // comes first: one that only we cannot reach regains its right when it answers.
    if (c.spec.database.replication.without_replica == WithoutReplica::kDegrade)
      return life == Life::kCutOff;
    return life == Life::kCutOff && primary.state->semi_sync.acknowledgers == 0;
  }
  if (!remembered.not_acknowledging_since) remembered.not_acknowledging_since = c.now();
  return c.now() - *remembered.not_acknowledging_since >= c.spec.database.detection.timeout;
}

bool CaughtUp(const Context& c, const DatabaseSeen& node) {
  return c.before.primary_waited && HeldBy(*node.state).Contains(c.before.primary_executed);
}

void GiveRights(Context& c, const DatabaseSeen& primary) {
  if (!primary.state->semi_sync.source_waiting) return;
  for (const DatabaseSeen& node : c.seen.databases) {
    if (node.name != primary.name && Acknowledges(c, node) && CaughtUp(c, node))
      MemoryOf(c.memory, node.name).lossless = true;
  }
}

void SwitchReplicasOn(Context& c, const DatabaseSeen& primary) {
  const DatabaseNodeSpec& source = *FindNode(c.spec, primary.name);
  for (const DatabaseSeen& node : c.seen.databases) {
    if (node.name == primary.name || !node.state.known() || !node.state->replication ||
        PausedOf(c.memory, node.name) != nullptr)
      continue;
    // One that follows somebody else (or is diverged and stays where it is) acknowledges nothing
    // here.
    if (node.state->replication->source.host != source.address) continue;
    const SemiSyncSeen& semi_sync = node.state->semi_sync;
    // What it acknowledges it cannot be promoted with.
    if (MemoryOf(c.memory, node.name).history == History::kDiverged) {
      if (node.state->replication->io != ThreadState::kStopped)
        c.Do(StopReceiving{node.name}, "it has transactions of its own and must not acknowledge",
             kQuickStep);
      continue;
    }
    // It registers with a source whose side is off, too: nobody begins to wait before it does. One
    // that is on and did not register there is not restarted again and again.
    const bool unregistered = !semi_sync.replica_active && primary.state->semi_sync.source_enabled;
    if (node.state->replication->io == ThreadState::kRunning &&
        (!semi_sync.replica_enabled || unregistered)) {
      c.Do(SetSemiSync{node.name, SemiSyncRole::kReplica},
           "semiSync is declared and it does not acknowledge", Seconds(5));
    }
  }
}

// A manager that acted before may still believe in its right for a lease, if it comes back.
void EndWaiting(Context& c, const NodeName& primary) {
  const Duration acted = c.now() - c.seen.acts_since;
  if (acted > c.spec.lease.duration) {
    c.Do(SetSemiSync{primary, SemiSyncRole::kSourceDegraded},
         "no replica acknowledges, and withoutReplica is degrade", kQuickStep);
    return;
  }
  c.decision.findings.push_back(MakeFinding(
      FindingCode::kWritesWait, primary,
      "Commits on " + primary.text + " wait, because no replica acknowledges. They go on in " +
          FormatDuration(c.spec.lease.duration - acted) +
          ": until then the manager that acted before may come back and count on their waiting."));
}

// Another manager may have acted since the last decision, and may have ended the waiting: not
// before it had acted for a lease (EndWaiting). What was decided longer ago proves nothing.
void OutliveRights(Context& c) {
  const bool unbroken = c.seen.acts_since == c.before.acts_since;
  c.memory.acts_since = c.seen.acts_since;
  c.memory.decided_at = c.now();
  if (unbroken || NeverStopsWaiting(c)) return;
  if (c.before.decided_at && c.now() - *c.before.decided_at <= c.spec.lease.duration) return;
  for (auto& [name, node] : c.memory.nodes) node.lossless = false;
  if (c.memory.promotion) c.memory.promotion->lossless = false;
}

// It may acknowledge and only not answer us: whether a commit waits at the moment is not known.
Finding MayWait(const Context& c, const NodeName& primary) {
  const DetectionSpec& detection = c.spec.database.detection;
  const Duration looks = detection.interval + (detection.connect_retries + 1) * detection.timeout;
  Finding finding = MakeFinding(FindingCode::kWritesWait, primary,
                                "Commits on " + primary.text +
                                    " may wait: no replica is seen to acknowledge. They go on " +
                                    "when one does, or without it " + FormatDuration(looks) +
                                    " after its last sign at the latest.");
  finding.severity = Severity::kWarning;
  finding.remedy = "it ends by itself; look at the replica";
  return finding;
}

}  // namespace

void TakeRights(Context& c) {
  OutliveRights(c);
  if (!c.memory.primary || c.memory.promotion) return;
  const DatabaseSeen* primary = FindSeen(c.seen, *c.memory.primary);
  if (primary == nullptr || !primary->state.known() || !primary->state->writable) return;
  RememberAcknowledgers(c, *primary);
  for (const DatabaseSeen& node : c.seen.databases) {
    if (node.name == primary->name) continue;
    NodeMemory& remembered = MemoryOf(c.memory, node.name);
    // What the primary has acknowledged since the last look, nobody else need have.
    if (!primary->state->semi_sync.source_waiting) remembered.lossless = false;
    if (Acknowledges(c, node)) {
      remembered.not_acknowledging_since.reset();
    } else if (remembered.lossless && LosesRight(c, node, *primary)) {
      remembered.lossless = false;
    }
  }
}

void KeepSemiSync(Context& c, const DatabaseSeen& primary) {
  const ReplicationSpec& replication = c.spec.database.replication;
  const SemiSyncSeen& semi_sync = primary.state->semi_sync;
  if (replication.durability == DurabilityMode::kAsync) {
    c.memory.durability_in_force = DurabilityMode::kAsync;
    for (auto& [name, node] : c.memory.nodes) node.lossless = false;
    if (semi_sync.source_enabled) {
      c.Do(SetSemiSync{primary.name, SemiSyncRole::kOff}, "durability async is declared",
           kQuickStep);
    }
    return;
  }
  const bool was_in_force = c.before.durability_in_force == DurabilityMode::kSemiSync;
  if (was_in_force && !semi_sync.source_waiting) {
    c.decision.findings.push_back(MakeFinding(FindingCode::kSemiSyncNotWaiting, primary.name,
                                              "semiSync is declared and in force, but " +
                                                  primary.name.text +
                                                  " does not wait for acknowledgements."));
  }
  GiveRights(c, primary);
  SwitchReplicasOn(c, primary);
  const bool any_right = std::any_of(c.memory.nodes.begin(), c.memory.nodes.end(),
                                     [](const auto& entry) { return entry.second.lossless; });
  const bool blocks = replication.without_replica == WithoutReplica::kBlock;
  const bool anybody_acknowledges = std::any_of(
      c.seen.databases.begin(), c.seen.databases.end(),
      [&](const DatabaseSeen& node) { return node.name != primary.name && Acknowledges(c, node); });
  if (blocks && semi_sync.source_waiting && !anybody_acknowledges) {
    c.decision.findings.push_back(
        MakeFinding(FindingCode::kWritesWait, primary.name,
                    "Commits on " + primary.name.text +
                        " wait, because no replica acknowledges and withoutReplica is block."));
  }
  if (!blocks && semi_sync.source_waiting && any_right && !anybody_acknowledges)
    c.decision.findings.push_back(MayWait(c, primary.name));
  c.memory.durability_in_force =
      any_right || blocks ? DurabilityMode::kSemiSync : DurabilityMode::kAsync;
  if (!semi_sync.source_waiting && (any_right || blocks || anybody_acknowledges)) {
    c.Do(SetSemiSync{primary.name, SemiSyncRole::kSource},
         was_in_force           ? "semiSync is in force"
         : anybody_acknowledges ? "a replica acknowledges"
                                : "semiSync is declared",
         kQuickStep);
  } else if (semi_sync.source_waiting && !any_right && !anybody_acknowledges && !blocks) {
    EndWaiting(c, primary.name);
  }
}

}  // namespace pandora_ha
