#include "reconciler/decide/remember.h"

#include <algorithm>
#include <utility>

#include "reconciler/decide/archive.h"
#include "reconciler/decide/election.h"
#include "reconciler/decide/evidence.h"

namespace pandora_ha {
namespace {

void RememberContact(const DatabaseSeen& database, NodeMemory* node) {
  if (database.contact == Contact::kAnswered) {
    node->starts = 0;
    node->start_not_before.reset();
  }
  if (ShowsLife(database.contact)) {
    node->failed_looks = 0;
    node->unanswered_since.reset();
  } else if (database.attempts != node->attempts_counted) {
    ++node->failed_looks;
    // Not DatabaseSeen::unanswered_since: a refusal in between is no answer, but a sign of life.
    if (!node->unanswered_since) node->unanswered_since = database.state.at();
  }
  node->attempts_counted = database.attempts;
}

void RememberChannel(const DatabaseSeen& database, NodeMemory* node) {
  if (!database.state.known() || !database.state->replication) return;
  const ReplicationSeen& channel = *database.state->replication;
  node->received = node->received.Union(channel.received);
  if (node->arrival_token != channel.arrival_token) {
    node->arrival_token = channel.arrival_token;
    node->arrival_changed = database.state.at();
  }
}

// What a node received after the last look is not remembered, and a restart may drop it.
void RememberRun(const DatabaseSeen& database, NodeMemory* node) {
  if (!database.state.known()) return;
  if (!node->run_id.empty() && node->run_id != database.state->run_id) node->lossless = false;
  node->run_id = database.state->run_id;
}

// A witness that reaches the primary renews its lease, and so may one that we do not reach.
void RememberWitnesses(const Observation& seen, NodeMemory* primary) {
  const bool unseen =
      !seen.witnesses.empty() &&
      std::all_of(seen.witnesses.begin(), seen.witnesses.end(), [](const WitnessSeen& witness) {
        return witness.sees_primary.known() && !*witness.sees_primary;
      });
  if (!unseen) {
    primary->unwitnessed_since.reset();
  } else {
    TimePoint since = primary->unwitnessed_since.value_or(seen.taken_at.mono);
    for (const WitnessSeen& witness : seen.witnesses) since = std::max(since, witness.reached_at);
    primary->unwitnessed_since = since;
  }
}

// What the node wrote by itself and the primary lacks. It can have come from nowhere else, so that
// no second look is needed.
GtidSet OwnRows(const DatabaseState& node, const DatabaseState& primary, const GtidSet& executed) {
  const bool my_sql = node.version.flavor == Flavor::kMySql;
  const bool one_name =
      my_sql ? node.server_uuid == primary.server_uuid : node.server_id == primary.server_id;
  if (one_name) return {};  // a copy: what the primary writes looks the same
  return node.executed.Subtract(executed).WrittenBy(my_sql ? node.server_uuid
                                                           : std::to_string(node.server_id));
}

void JudgeOlderAnswer(const DatabaseSeen& database, const GtidSet& primary, NodeMemory* node) {
  const GtidSet& executed = database.state->executed;
  const TimePoint at = database.state.at();
  if (primary.Contains(executed)) {
    // Copied anew: what it held before, it need not have again.
    if (node->history == History::kDiverged) node->received = HeldBy(*database.state);
    node->history = History::kContained;
    node->errant = {};
    node->executed = executed;
    node->executed_at = at;
    return;
  }
  const auto& channel = database.state->replication;
  // One that receives may be ahead of the older answer of its source; nobody else may be.
  const bool receives = channel && channel->io == ThreadState::kRunning;
  if (!receives && node->history == History::kContained) node->history = History::kUnjudged;
  if (node->executed.empty()) {
    node->executed = executed;
    node->executed_at = at;
  }
  if (at - node->executed_at < kJudgingAge) return;
  node->errant = node->executed.Subtract(primary);
  node->history = node->errant.empty() ? History::kContained : History::kDiverged;
  node->executed = executed;
  node->executed_at = at;
}

// A commit that waits for its acknowledgement is in MySQL's binary log, and so on the replicas,
// before the primary counts it as executed. It cannot lose it again, unless it is not durable.
GtidSet InFlight(const DatabaseState& primary, const GtidSet& executed) {
  const bool may = primary.version.flavor == Flavor::kMySql && primary.semi_sync.source_waiting &&
                   primary.durable;
  return may ? executed.WrittenBy(primary.server_uuid) : GtidSet();
}

void JudgeHistory(const DatabaseSeen& database, const DatabaseState& primary_state,
                  const GtidSet& primary, NodeMemory* node) {
  const GtidSet& executed = database.state->executed;
  JudgeOlderAnswer(database, primary.Union(InFlight(primary_state, executed)), node);
  const GtidSet own = OwnRows(*database.state, primary_state, primary);
  if (own.empty()) return;
  node->history = History::kDiverged;
  node->errant = node->errant.Union(own);
  node->executed = database.state->executed;
}

// A primary that answers with less than before has lost it, whoever opened it: the lost numbers may
// be used again, so what it had is kept and not overwritten.
void RememberPrimary(const DatabaseState& state, Memory* memory) {
  memory->primary_lost =
      memory->primary_lost.Union(memory->primary_executed.Subtract(state.executed));
  memory->primary_executed = memory->primary_executed.Union(state.executed);
  memory->primary_waited = state.semi_sync.source_waiting;
}

// The old primary is back and compared: what was an estimate is a number, or nothing.
void SettleLoss(const ClusterSpec& spec, Memory* memory) {
  if (!memory->loss) return;
  const NodeMemory& from = MemoryOf(std::as_const(*memory), memory->loss->from);
  if (from.history == History::kContained || FindNode(spec, memory->loss->from) == nullptr) {
    memory->loss.reset();
  } else if (from.history == History::kDiverged) {
    memory->loss->count = from.executed.CountMissingIn(memory->primary_executed);
    memory->loss->exact = true;
    // Of what was counted one by one, nobody misses a manager's marks.
    if (!IsArchived(from)) return;
    memory->loss->count = from.archive->divergence.transactions - from.archive->divergence.marks;
    if (memory->loss->count == 0) memory->loss.reset();
  }
}

// Its own word, or its end, outdates what was known when its clients were cut.
void RememberCutClients(const Observation& seen, Memory* memory) {
  if (!memory->clients_cut_from) return;
  const DatabaseSeen* database = FindSeen(seen, *memory->clients_cut_from);
  const bool restarted =
      database != nullptr &&
      (database->contact == Contact::kRefusedPort ||
       (database->process.known() && database->process->ended_at != TimePoint{}));
  if (database == nullptr || database->state.known() || restarted) memory->clients_cut_from.reset();
}

}  // namespace

void ForgetLooks(Memory* memory) {
  for (auto& [name, node] : memory->nodes) {
    node.failed_looks = 0;
    node.attempts_counted = 0;
    node.unanswered_since.reset();
    node.unwitnessed_since.reset();
  }
}

Memory Remember(const ClusterSpec& spec, const Observation& seen, const Memory& before) {
  Memory memory = before;
  memory.cluster = spec.name;
  std::erase_if(memory.nodes,
                [&](const auto& entry) { return FindNode(spec, entry.first) == nullptr; });
  const DatabaseSeen* primary =
      memory.primary && !memory.promotion ? FindSeen(seen, *memory.primary) : nullptr;
  // Only an open primary's word counts: a read-only one may have come back with less.
  const bool primary_open =
      primary != nullptr && primary->state.known() && primary->state->writable;
  if (primary_open) RememberPrimary(*primary->state, &memory);
  RememberCutClients(seen, &memory);
  if (memory.primary) RememberWitnesses(seen, &MemoryOf(memory, *memory.primary));
  for (const DatabaseSeen& database : seen.databases) {
    NodeMemory& node = MemoryOf(memory, database.name);
    RememberContact(database, &node);
    RememberRun(database, &node);
    if (memory.primary == database.name) continue;
    RememberChannel(database, &node);
    if (primary_open && database.state.known())
      JudgeHistory(database, *primary->state, memory.primary_executed, &node);
  }
  if (primary_open) SettleLoss(spec, &memory);
  return memory;
}

}  // namespace pandora_ha
