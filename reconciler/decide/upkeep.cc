#include "reconciler/decide/upkeep.h"

#include <utility>

#include "reconciler/decide/archive.h"
#include "reconciler/decide/diagnose.h"
#include "reconciler/decide/election.h"
#include "reconciler/decide/evidence.h"
#include "reconciler/decide/guards.h"
#include "reconciler/decide/intents.h"
#include "reconciler/decide/marks.h"
#include "reconciler/decide/merge.h"
#include "reconciler/decide/rebuild.h"
#include "reconciler/decide/rewind.h"
#include "reconciler/decide/semi_sync.h"
#include "reconciler/decide/verification.h"

namespace pandora_ha {
namespace {

bool FollowsWell(const ReplicationSeen& channel, const DatabaseNodeSpec& source) {
  return channel.source.host == source.address && channel.io != ThreadState::kStopped &&
         channel.sql != ThreadState::kStopped;
}

// Between two tries to receive again after an error.
constexpr Seconds kReceiveAgain{5};

// MySQL's relay logs are gone: it was killed while it forgot a source. Following anew mends it.
constexpr int kApplierStateLost = 13124;

// The applier's errors, and a source that has purged what is needed, are for a person. Another
// error that ended the receiver may have passed: MariaDB gives up for good (1593) when its session
// is ended while it registers at the source. It is tried again, now and then.
bool LeaveStopped(Context& c, const ReplicationSeen& channel, NodeMemory& remembered) {
  const bool state_lost = channel.sql_errno == kApplierStateLost;
  if ((channel.sql_errno != 0 && !state_lost) || OnlyACopyHelps(channel)) return true;
  if (!state_lost && (channel.io_errno == 0 || channel.io != ThreadState::kStopped)) return false;
  if (remembered.receive_not_before && c.now() < *remembered.receive_not_before) return true;
  remembered.receive_not_before = c.now() + kReceiveAgain;
  return false;
}

// A person wants its server down, and whoever takes over knows it; it runs, and we can end it.
bool MustEnd(const Context& c, const DatabaseSeen& node) {
  const bool runs = node.process.known() && (node.process->phase == ProcessState::Phase::kRunning ||
                                             node.process->starting);
  return runs && node.can_fence && FencedOf(c.memory, node.name) != nullptr &&
         PausedOf(c.memory, node.name) == nullptr && !IsFenceOnItsWay(c.memory, node.name);
}

void KeepReplica(Context& c, const DatabaseSeen& node, const DatabaseNodeSpec& primary) {
  if (!HeldOff(c.memory, node.name).empty() || AdvanceRebuild(c, node)) return;
  if (StartIfEnded(c, node.name, node.name.text + " is down and its process is ours to start"))
    return;
  if (!node.state.known() || node.contact != Contact::kAnswered) return;
  const DatabaseState& state = *node.state;
  NodeMemory& remembered = MemoryOf(c.memory, node.name);
  if (state.writable) {
    TakeWritesAway(c, node, primary.name);
    return;
  }
  ArchiveWhereDiverged(c, node);
  EnterMarks(c, node);
  MergeWhereDeclared(c, node);
  if (!RewindWhereDeclared(c, node)) RebuildWhereDeclared(c, node);
  if (remembered.history != History::kContained || WhyUnfit(c.spec, c.seen, node.name)) return;
  if (!state.semi_sync.source_enabled && state.replication &&
      FollowsWell(*state.replication, primary)) {
    if (state.replication->io == ThreadState::kRunning) {
      remembered.deposed = false;
      remembered.rebuild_failed.clear();
    }
    DiscardOldCopyOf(c, node);
    VerifyWhereOwed(c, node);
    return;
  }
  // It was a primary: its own source side would hold its applier until somebody acknowledges. It is
  // read-only, so no commit waits there.
  if (state.semi_sync.source_enabled) {
    const bool semi_sync = c.spec.database.replication.durability == DurabilityMode::kSemiSync;
    c.Do(SetSemiSync{node.name, semi_sync ? SemiSyncRole::kReplica : SemiSyncRole::kOff},
         "a replica never waits", kQuickStep);
  }
  const bool same_source = state.replication && state.replication->source.host == primary.address;
  if (same_source && LeaveStopped(c, *state.replication, remembered)) return;
  const bool failed =
      same_source && (state.replication->io_errno != 0 || state.replication->sql_errno != 0);
  c.Do(ReplicateFrom{node.name, primary.name},
       failed        ? "what ended its replication may have passed"
       : same_source ? "its replication is stopped without an error"
                     : "it must follow the primary " + primary.name.text,
       Seconds(5), {IsReadOnly{node.name}});
}

// True when the primary has to be opened first; everything else waits for that.
bool Reopen(Context& c, const DatabaseSeen& primary) {
  if (primary.state->writable) return false;
  const std::string because = primary.name.text + " is the recorded primary and is read-only";
  Plan& plan = c.decision.plan;
  plan.ordered = true;
  plan.purpose = "open the primary " + primary.name.text + " again";
  std::vector<Condition> conditions;
  for (const DatabaseSeen& other : c.seen.databases) {
    if (other.name == primary.name || !other.state.known()) continue;
    Condition condition = IsReadOnly{other.name};
    if (other.state->writable) {
      const auto taken = TakeWritesAway(c, other, primary.name);
      if (!taken) return true;
      condition = *taken;
    }
    conditions.push_back(std::move(condition));
  }
  if (c.seen.publication.primary == primary.name) {
    c.DoOrGoOn(WithdrawPublication{}, because, kQuickStep);
  }
  AddOpeningSteps(c, primary.name, because, std::move(conditions));
  return true;
}

void KeepPublished(Context& c, const DatabaseSeen& primary) {
  const PublicationSeen& publication = c.seen.publication;
  if (publication.primary == primary.name && publication.epoch == c.memory.epoch &&
      publication.problem.empty()) {
    return;
  }
  c.Do(Publish{primary.name, c.memory.epoch}, "clients must be sent to the primary", kQuickStep,
       {IsWritable{primary.name}});
}

void KeepMarked(Context& c, const DatabaseSeen& primary) {
  const DatabaseState& state = *primary.state;
  if (state.semi_sync.commits_wait()) return;
  if (!state.provisioned) {
    c.Do(Provision{primary.name}, "the database is not prepared yet", kStartStep);
    return;
  }
  if (state.heartbeat && state.heartbeat->epoch == c.memory.epoch &&
      state.heartbeat->writer == primary.name) {
    c.decision.beat = true;
  } else {
    c.Do(WriteMarker{primary.name, c.memory.epoch}, "the marker row does not say this epoch",
         kQuickStep);
  }
}

}  // namespace

void DecideUpkeep(Context& c) {
  const DatabaseSeen& primary = *FindSeen(c.seen, *c.memory.primary);
  const DatabaseNodeSpec& declared = *FindNode(c.spec, primary.name);
  if (MustEnd(c, primary)) return;
  if (Reopen(c, primary)) return;
  // The rights first, in memory, then the waiting, on the server: see invariant 2.
  KeepSemiSync(c, primary);
  KeepPublished(c, primary);
  KeepMarked(c, primary);
  for (const DatabaseSeen& node : c.seen.databases) {
    if (node.name != primary.name) KeepReplica(c, node, declared);
  }
  if (!c.decision.plan.empty()) c.decision.plan.purpose = "keep the cluster as declared";
}

void EndFenced(Context& c) {
  Plan& plan = c.decision.plan;
  if (plan.empty()) plan = {};  // a purpose without steps is none
  if (plan.ordered) return;
  for (const DatabaseSeen& node : c.seen.databases) {
    if (!MustEnd(c, node)) continue;
    if (plan.empty()) {
      plan.purpose = "end the server of " + node.name.text + ", which is fenced";
      plan.ordered = node.name == c.memory.primary;  // its clients wait for the failover
    }
    if (c.seen.publication.primary == node.name)
      c.DoOrGoOn(WithdrawPublication{}, node.name.text + " is to be fenced", kQuickStep);
    c.Do(FenceServer{node.name}, FencedOf(c.memory, node.name)->by + " asked for it", kFenceStep);
  }
}

}  // namespace pandora_ha
