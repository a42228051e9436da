#include "reconciler/decide/context.h"

#include <algorithm>

#include "reconciler/decide/evidence.h"
#include "reconciler/decide/guards.h"
#include "reconciler/decide/intents.h"

namespace pandora_ha {
namespace {

SemiSyncRole OpeningRole(const Context& c) {
  const ReplicationSpec& replication = c.spec.database.replication;
  if (replication.durability == DurabilityMode::kAsync) return SemiSyncRole::kOff;
  return c.memory.durability_in_force == DurabilityMode::kSemiSync ? SemiSyncRole::kSource
                                                                   : SemiSyncRole::kSourceDegraded;
}

// Only MariaDB takes back at its start what no replica acknowledged; MySQL comes back with it.
bool TakesBack(const Context& c, const NodeMemory& node) {
  const auto& all = c.seen.databases;
  return node.deposed && node.discard && std::none_of(all.begin(), all.end(), [](const auto& any) {
           return any.state.known() && any.state->version.flavor == Flavor::kMySql;
         });
}

}  // namespace

bool StartIfEnded(Context& c, const NodeName& node, const std::string& because) {
  const DatabaseSeen* database = FindSeen(c.seen, node);
  if (database == nullptr || !database->process.known() ||
      database->process->phase == ProcessState::Phase::kRunning || database->process->starting) {
    return false;
  }
  if (!HeldOff(c.memory, node).empty()) return false;
  if (Judge(c.spec, c.seen, c.memory, node).life == Life::kRestarting) return false;
  NodeMemory& remembered = MemoryOf(c.memory, node);
  if (remembered.start_not_before && c.now() < *remembered.start_not_before) return false;
  ++remembered.starts;
  remembered.start_not_before =
      c.now() + std::min<Duration>(Seconds(60), Seconds(1) * (1 << std::min(remembered.starts, 6)));
  c.Do(StartServer{node, TakesBack(c, remembered)}, because, kStartStep);
  return true;
}

std::optional<Condition> TakeWritesAway(Context& c, const DatabaseSeen& node,
                                        const NodeName& primary) {
  const std::string because = "only " + primary.text + " may accept writes";
  const bool stuck = node.state->semi_sync.commits_wait();
  if (stuck && node.can_fence) {
    c.Do(FenceServer{node.name}, because + ", and its waiting commits hold up read_only",
         Seconds(5));
    return ProcessEnded{node.name};
  }
  c.Do(SetReadOnly{node.name}, because, kQuickStep);
  if (!stuck) return IsReadOnly{node.name};
  c.Block(BlockReason::kUnprovenFence,
          node.name.text +
              " still waits for acknowledgements that nobody gives; while commits wait there, it "
              "cannot be made read-only.",
          "an operator, with kill -9 of the server of " + node.name.text + " (never a clean stop)");
  return std::nullopt;
}

void AddOpeningSteps(Context& c, const NodeName& node, const std::string& because,
                     std::vector<Condition> before_opening) {
  const DatabaseState& state = *FindSeen(c.seen, node)->state;
  const bool receives = state.replication && state.replication->io != ThreadState::kStopped;
  if (receives) c.Do(StopReceiving{node}, because, kQuickStep);
  if (state.replication && (receives || !state.replication->applied_all))
    c.Do(ApplyReceived{node}, "nothing that was received may be left out", kDrainStep);
  if (state.replication) c.Do(LeaveReplication{node}, because, kQuickStep, before_opening);
  const SemiSyncRole role = OpeningRole(c);
  // While commits wait for an acknowledgement that nobody can give yet, the provisioning would wait
  // too, and with it the account that the first replica needs: it comes first, still read-only.
  const bool waits = role == SemiSyncRole::kSource;
  const bool early = waits && !state.provisioned;
  if (early && state.semi_sync.source_enabled && c.memory.promotion)
    c.Do(SetSemiSync{node, SemiSyncRole::kSourceDegraded}, because, kQuickStep);
  const std::string unprepared = "the database is not prepared yet";
  if (early) c.Do(Provision{node}, unprepared, kStartStep, before_opening);
  if (role != SemiSyncRole::kOff || state.semi_sync.source_enabled) {
    c.Do(SetSemiSync{node, role}, because, kQuickStep);
  }
  c.Do(OpenWritable{node, c.memory.epoch}, because, kQuickStep, std::move(before_opening));
  if (!state.provisioned && !early) c.Do(Provision{node}, unprepared, kStartStep);
  // The marker would wait, too: clients are admitted first (they wait by the same rule), and it
  // follows with the first acknowledgement.
  if (!waits) c.Do(WriteMarker{node, c.memory.epoch}, because, kQuickStep);
  c.Do(Publish{node, c.memory.epoch}, because, kQuickStep, {IsWritable{node}});
}

}  // namespace pandora_ha
