#include "reconciler/decide/upkeep.h"

#include "reconciler/decide/election.h"
#include "reconciler/decide/evidence.h"
#include "reconciler/decide/semi_sync.h"

namespace pandora_ha {
namespace {

bool FollowsWell(const ReplicationSeen& channel, const DatabaseNodeSpec& source) {
  return channel.source.host == source.address && channel.io != ThreadState::kStopped &&
         channel.sql != ThreadState::kStopped;
}

// An error that starting the threads again cannot mend; a person or a re-clone can.
bool Broken(const ReplicationSeen& channel) {
  return channel.sql_errno != 0 || (channel.io_errno != 0 && channel.io == ThreadState::kStopped);
}

// A commit that waits for an acknowledgement which nobody gives holds up read_only, and every way to
// release it commits it (invariant 5): only the end of the process takes the writes away then.
void TakeWritesAway(Context& c, const DatabaseSeen& node, const NodeName& primary) {
  const std::string because = "only " + primary.text + " may accept writes";
  const SemiSyncSeen& semi_sync = node.state->semi_sync;
  const bool stuck = semi_sync.source_waiting && semi_sync.acknowledgers == 0;
  if (stuck && node.can_fence) {
    c.Do(FenceServer{node.name}, because + ", and its waiting commits hold up read_only", Seconds(5));
    return;
  }
  c.Do(SetReadOnly{node.name}, because, kQuickStep);
  if (!stuck) return;
  c.Block(BlockReason::kUnprovenFence,
          node.name.text +
              " still waits for acknowledgements that nobody gives; while commits wait there, it "
              "cannot be made read-only.",
          "an operator, with kill -9 of the server of " + node.name.text + " (never a clean stop)");
}

void KeepReplica(Context& c, const DatabaseSeen& node, const DatabaseNodeSpec& primary) {
  if (StartIfEnded(c, node.name, node.name.text + " is down and its process is ours to start"))
    return;
  if (!node.state.known() || node.contact != Contact::kAnswered) return;
  const DatabaseState& state = *node.state;
  NodeMemory& remembered = MemoryOf(c.memory, node.name);
  if (state.writable) {
    TakeWritesAway(c, node, primary.name);
    return;
  }
  if (remembered.history != History::kContained || WhyUnfit(c.spec, c.seen, node.name)) return;
  if (state.replication && FollowsWell(*state.replication, primary)) {
    if (state.replication->io == ThreadState::kRunning) remembered.deposed = false;
    return;
  }
  const bool same_source = state.replication && state.replication->source.host == primary.address;
  if (same_source && Broken(*state.replication)) return;
  c.Do(ReplicateFrom{node.name, primary.name},
       same_source ? "its replication is stopped without an error"
                   : "it must follow the primary " + primary.name.text,
       Seconds(5));
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
    if (other.state->writable) c.Do(SetReadOnly{other.name}, because, kQuickStep);
    conditions.push_back(IsReadOnly{other.name});
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
  if (!state.provisioned) {
    c.Do(Provision{primary.name}, "the database is not prepared yet", kStartStep);
    return;
  }
  const bool would_wait = state.semi_sync.source_waiting && state.semi_sync.acknowledgers == 0;
  if (would_wait) return;
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

}  // namespace pandora_ha
