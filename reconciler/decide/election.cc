#include "reconciler/decide/election.h"

#include <algorithm>

#include "reconciler/decide/evidence.h"
#include "reconciler/decide/guards.h"
#include "reconciler/decide/intents.h"

namespace pandora_ha {
namespace {

// The ladder: the first rung that a candidate misses is its reason.
std::string WhyNotEligible(const ClusterSpec& spec, const Observation& seen, const Memory& memory,
                           const NodeName& node) {
  if (const std::string held = HeldOff(memory, node); !held.empty()) return held;
  const DatabaseSeen* database = FindSeen(seen, node);
  if (database == nullptr || !database->state.known() || database->contact != Contact::kAnswered) {
    return "it does not answer" +
           (database == nullptr ? "" : " (" + std::string(ToString(database->contact)) + ")");
  }
  if (Judge(spec, seen, memory, node).life != Life::kAlive) return "its server has ended";
  if (const auto unfit = WhyUnfit(spec, seen, node)) return unfit->why;
  const DatabaseState& state = *database->state;
  const NodeMemory& remembered = MemoryOf(memory, node);
  // Only a person can know that what its successor wrote is gone for good, and names it then.
  const auto& promotion = memory.promotion;
  const bool asked_for = promotion && promotion->loss_allowed && promotion->wanted == node;
  if (remembered.deposed && !asked_for) {
    return "it was primary of an older epoch and has not followed its successor yet";
  }
  if (remembered.history == History::kDiverged) {
    return "it has transactions of its own: " + remembered.errant.ToString();
  }
  if (!HeldBy(state).Contains(remembered.received)) {
    return "it lost received transactions in a restart (it held " + remembered.received.ToString() +
           ", now " + HeldBy(state).ToString() + ")";
  }
  if (state.replication && state.replication->sql_errno != 0) {
    return "its applier stopped with error " + std::to_string(state.replication->sql_errno) + ": " +
           state.replication->sql_error;
  }
  return "";
}

// Under semi-sync one replica, whichever it was, has acknowledged each commit: an unseen one may be
// the only one that has the last rows. It need not have the right: the right ends when we do not
// reach it, and its acknowledging does not.
std::optional<NodeName> UnseenAcknowledger(const Observation& seen, const Memory& memory,
                                           const std::optional<NodeName>& old_primary,
                                           const GtidSet& held) {
  for (const auto& [name, node] : memory.nodes) {
    if (name == old_primary || !(node.lossless || node.may_acknowledge)) continue;
    const DatabaseSeen* database = FindSeen(seen, name);
    if (database == nullptr || !database->state.known()) return name;
    // Paused, it is left receiving, and so acknowledges what a primary without a proven end goes on
    // to write.
    const bool goes_on = memory.promotion && memory.promotion->fence_waived &&
                         database->state->replication &&
                         database->state->replication->io != ThreadState::kStopped;
    if (goes_on) return name;
    // One that cannot be promoted, because it has rows of its own, may be the only holder, too.
    if (node.history == History::kDiverged &&
        !held.Contains(HeldBy(*database->state).Subtract(node.errant)))
      return name;
  }
  return std::nullopt;
}

struct Standing {
  NodeName node;
  GtidSet held;
};

void Block(Election* election, BlockReason reason, std::string says) {
  election->blocked = reason;
  election->says = std::move(says);
}

// Nobody can be promoted: each candidate lacks something that another node has.
void SayWhatItLacks(const std::vector<Standing>& holders, CandidateVerdict* verdict) {
  const auto self = std::find_if(holders.begin(), holders.end(),
                                 [&](const Standing& s) { return s.node == verdict->node; });
  if (!verdict->eligible || self == holders.end()) return;
  verdict->eligible = false;
  for (const Standing& other : holders) {
    if (self->held.Contains(other.held)) continue;
    verdict->reason += (verdict->reason.empty() ? "it lacks " : ", and ") +
                       other.held.Subtract(self->held).ToString() + ", which " + other.node.text +
                       " has";
  }
}

// True when a node that just does not answer may hold more than the winner: its looks come first.
bool LooksForHolder(const ClusterSpec& spec, const Observation& seen, const Memory& memory,
                    const std::optional<NodeName>& old_primary, const Standing& winner,
                    Election* election) {
  for (const auto& [name, node] : memory.nodes) {
    const DatabaseSeen* database = FindSeen(seen, name);
    if (name == old_primary || name == winner.node || node.deposed ||
        node.history == History::kDiverged || winner.held.Contains(node.received) ||
        (database != nullptr && database->state.known())) {
      continue;
    }
    election->unseen_holder = name;
    const Evidence evidence = Judge(spec, seen, memory, name);
    if (evidence.life != Life::kGathering) continue;
    Block(election, BlockReason::kGatheringEvidence,
          name.text + " received transactions that " + winner.node.text +
              " lacks, and is asked again: " + evidence.because + ".");
    return true;
  }
  return false;
}

// Looks at the winner's right to a lossless promotion and counts what may be missing.
void AssessLoss(const ClusterSpec& spec, const Observation& seen, const Memory& memory,
                const std::optional<NodeName>& old_primary, const Standing& winner,
                Election* election) {
  if (!old_primary) {
    election->lossless = true;
    return;
  }
  // Chosen before: the rights were given up with the choice, and the old primary has not written
  // since. Only the choice is kept, never the eligibility.
  if (memory.promotion && memory.promotion->to == winner.node) {
    election->lossless = memory.promotion->lossless;
    election->possibly_lost = memory.primary_executed.CountMissingIn(winner.held);
    return;
  }
  const auto unseen = UnseenAcknowledger(seen, memory, old_primary, winner.held);
  election->lossless = spec.database.replication.durability == DurabilityMode::kSemiSync &&
                       memory.durability_in_force == DurabilityMode::kSemiSync &&
                       MemoryOf(memory, winner.node).lossless && !unseen;
  election->possibly_lost = memory.primary_executed.CountMissingIn(winner.held);
  const bool allowed = memory.promotion && memory.promotion->loss_allowed;
  if (election->lossless || spec.database.replication.durability == DurabilityMode::kAsync ||
      spec.failover_policy == FailoverPolicy::kAvailability || allowed) {
    return;
  }
  const std::string why =
      unseen
          ? unseen->text + ", which may have acknowledged commits, does not answer or has diverged"
          : winner.node.text + " did not acknowledge the last commits of " + old_primary->text;
  const std::uint64_t lost = election->possibly_lost.value_or(0);
  const std::string at_least = lost == 0 ? ""
                                         : " (at least " + std::to_string(lost) +
                                               (lost == 1 ? " transaction" : " transactions") +
                                               ", by the last look at " + old_primary->text + ")";
  election->winner.reset();
  Block(election, BlockReason::kMayLoseRows,
        "Promoting " + winner.node.text + " may lose acknowledged rows" + at_least + ": " + why +
            ".");
}

}  // namespace

GtidSet HeldBy(const DatabaseState& state) {
  return state.replication ? state.executed.Union(state.replication->received) : state.executed;
}

std::optional<Unfit> WhyUnfit(const ClusterSpec& spec, const Observation& seen,
                              const NodeName& node) {
  const DatabaseSeen* database = FindSeen(seen, node);
  const DatabaseNodeSpec* declared = FindNode(spec, node);
  if (database == nullptr || declared == nullptr || !database->state.known()) return std::nullopt;
  const DatabaseState& state = *database->state;
  using F = FindingCode;
  if (!state.log_bin)
    return Unfit{F::kNodeUnfit, "its binary log is off; set log_bin in its my.cnf and restart it"};
  if (!state.gtid_on) {
    return Unfit{F::kNodeUnfit, state.version.flavor == Flavor::kMySql
                                    ? "GTIDs are off; set gtid_mode=ON"
                                    : "gtid_strict_mode is off; set gtid_strict_mode=ON"};
  }
  if (!state.log_replica_updates) {
    const std::string name =
        state.version.flavor == Flavor::kMySql ? "log_replica_updates" : "log_slave_updates";
    return Unfit{F::kNodeUnfit, name + " is off; set it in its my.cnf and restart it"};
  }
  for (const DatabaseSeen& other : seen.databases) {
    if (other.name == node || !other.state.known()) continue;
    // Of two with one id, the one that was declared with it is in its right.
    if (other.state->server_id == state.server_id && state.server_id != declared->server_id) {
      return Unfit{F::kDuplicateServerId,
                   "it has the server_id " + std::to_string(state.server_id) + " of " +
                       other.name.text + "; set server_id=" + std::to_string(declared->server_id)};
    }
    if (!state.server_uuid.empty() && other.state->server_uuid == state.server_uuid) {
      return Unfit{F::kDuplicateServerUuid,
                   "it has the server_uuid of " + other.name.text +
                       "; delete auto.cnf in the data directory of the copied one and restart it",
                   true};
    }
    if (other.state->version.flavor != state.version.flavor) {
      return Unfit{F::kNodeUnfit,
                   "it runs " + std::string(ToString(state.version.flavor)) + " and " +
                       other.name.text + " runs " +
                       std::string(ToString(other.state->version.flavor)),
                   true};
    }
  }
  if (state.server_id != declared->server_id) {
    return Unfit{F::kServerIdMismatch, "its server_id is " + std::to_string(state.server_id) +
                                           " and not the declared " +
                                           std::to_string(declared->server_id)};
  }
  return std::nullopt;
}

Election Elect(const ClusterSpec& spec, const Observation& seen, const Memory& memory,
               const std::optional<NodeName>& old_primary) {
  Election election;
  std::vector<Standing> standing, holders;
  GtidSet held_by_any;
  for (const NodeName& name : PreferenceOrder(spec)) {
    if (name == old_primary) continue;
    const std::string why_not = WhyNotEligible(spec, seen, memory, name);
    election.verdicts.push_back({name, why_not.empty(), why_not});
    const DatabaseSeen* database = FindSeen(seen, name);
    if (database == nullptr || !database->state.known()) continue;
    // A deposed or diverged node's own rows are not what the cluster acknowledged since.
    const NodeMemory& remembered = MemoryOf(memory, name);
    if (!remembered.deposed && remembered.history != History::kDiverged) {
      held_by_any = held_by_any.Union(HeldBy(*database->state));
      holders.push_back({name, HeldBy(*database->state)});
    }
    if (why_not.empty()) standing.push_back({name, HeldBy(*database->state)});
  }
  if (standing.empty()) {
    Block(&election, BlockReason::kNoCandidate, "No other node can be promoted.");
    return election;
  }
  const std::optional<NodeName> wanted = memory.promotion ? memory.promotion->wanted : std::nullopt;
  const bool any = wanted && memory.promotion->loss_allowed;  // what it lacks is accepted
  // One that was chosen may be open already: an equal does not take its place.
  if (memory.promotion && memory.promotion->to) {
    std::stable_partition(standing.begin(), standing.end(),
                          [&](const Standing& s) { return s.node == memory.promotion->to; });
  }
  const auto superset = std::find_if(standing.begin(), standing.end(), [&](const Standing& s) {
    return (!wanted || s.node == *wanted) && (any || s.held.Contains(held_by_any));
  });
  if (superset == standing.end()) {
    Block(&election, BlockReason::kAmbiguousCandidates,
          wanted ? wanted->text +
                       ", which was asked for, does not hold everything that the others "
                       "have received, or cannot be promoted."
                 : "No candidate holds everything that the others have received.");
    for (CandidateVerdict& verdict : election.verdicts) SayWhatItLacks(holders, &verdict);
    return election;
  }
  for (CandidateVerdict& verdict : election.verdicts) {
    if (!verdict.eligible) continue;
    const auto self = std::find_if(standing.begin(), standing.end(),
                                   [&](const Standing& s) { return s.node == verdict.node; });
    if (verdict.node == superset->node) {
      verdict.reason = "it holds everything that any candidate has received";
    } else if (self->held.Contains(held_by_any)) {
      const bool chosen = memory.promotion && memory.promotion->to == superset->node;
      verdict.reason = "it holds as much as " + superset->node.text +
                       (chosen ? ", which was chosen" : ", which is preferred");
    } else {
      verdict.reason = "it misses " + std::to_string(superset->held.CountMissingIn(self->held)) +
                       " transactions that " + superset->node.text + " has";
    }
  }
  if (LooksForHolder(spec, seen, memory, old_primary, *superset, &election)) return election;
  election.winner = superset->node;
  AssessLoss(spec, seen, memory, old_primary, *superset, &election);
  return election;
}

}  // namespace pandora_ha
