#include "reconciler/decide/status_of.h"

#include <algorithm>

#include "reconciler/decide/archive.h"
#include "reconciler/decide/diagnose.h"
#include "reconciler/decide/election.h"
#include "reconciler/decide/merge.h"

namespace pandora_ha {
namespace {

struct Telling {
  const ClusterSpec& spec;
  const Observation& seen;
  const Decision& decision;

  const Memory& memory() const { return decision.memory; }
  const DatabaseSeen* primary() const {
    return memory().primary ? FindSeen(seen, *memory().primary) : nullptr;
  }
  bool PrimaryServes() const {
    const DatabaseSeen* node = primary();
    return node != nullptr && !memory().promotion && node->contact == Contact::kAnswered &&
           node->state.known() && node->state->writable && !Ended(*node);
  }
  static bool Ended(const DatabaseSeen& node) {
    return node.process.known() && node.process->phase != ProcessState::Phase::kRunning;
  }
};

bool Has(const std::vector<Finding>& findings, FindingCode code) {
  return std::any_of(findings.begin(), findings.end(),
                     [&](const Finding& f) { return f.code == code; });
}

std::string ReplicationOf(const DatabaseState& state) {
  if (!state.replication) return "none";
  const ReplicationSeen& channel = *state.replication;
  if (channel.sql_errno != 0) return "error " + std::to_string(channel.sql_errno);
  if (channel.io_errno != 0 && channel.io != ThreadState::kRunning)
    return "error " + std::to_string(channel.io_errno);
  if (channel.io == ThreadState::kStopped || channel.sql == ThreadState::kStopped) return "stopped";
  if (channel.io == ThreadState::kConnecting) return "connecting";
  return "running";
}

std::string SemiSyncOf(const DatabaseState& state, Role role) {
  const SemiSyncSeen& semi_sync = state.semi_sync;
  if (role == Role::kPrimary) {
    if (semi_sync.source_waiting)
      return "waits (" + std::to_string(semi_sync.acknowledgers) + " acknowledging)";
    return semi_sync.source_enabled ? "not waiting" : "off";
  }
  if (!semi_sync.replica_enabled) return "off";
  const bool receives = state.replication && state.replication->io == ThreadState::kRunning;
  return semi_sync.replica_active && receives ? "acknowledging" : "not acknowledging";
}

Role RoleOf(const Telling& t, const DatabaseSeen& node) {
  if (!node.state.known() || Telling::Ended(node)) return Role::kUnknown;
  if (t.memory().primary == node.name && !t.memory().promotion) return Role::kPrimary;
  return node.state->replication ? Role::kReplica : Role::kNone;
}

NodeStatus NodeOf(const Telling& t, const DatabaseNodeSpec& declared) {
  NodeStatus node;
  node.name = declared.name;
  node.label = declared.label.empty() ? declared.name.text : declared.label;
  node.site = declared.site;
  node.address = {declared.address, t.spec.database.port};
  const auto order = PreferenceOrder(t.spec);
  node.preferred = !order.empty() && order.front() == declared.name;
  const NodeMemory& remembered = MemoryOf(t.memory(), declared.name);
  node.lossless = remembered.lossless;
  if (remembered.history == History::kDiverged && IsArchived(remembered)) {
    node.divergence = remembered.archive->divergence;
    node.archive = remembered.archive->place;
    if (IsMerged(t.memory(), remembered)) node.merged = remembered.merge->rows;
  }
  if (const Guard* paused = PausedOf(t.memory(), declared.name)) node.paused = *paused;
  if (const Guard* fenced = FencedOf(t.memory(), declared.name)) node.fenced = *fenced;
  const auto& findings = t.decision.findings;
  const auto note = std::find_if(findings.begin(), findings.end(), [&](const Finding& f) {
    return f.about == declared.name && f.code != FindingCode::kFailoverBlocked;
  });
  if (note != findings.end()) node.note = note->says;
  node.replication = "unknown";
  node.semi_sync = "unknown";
  const DatabaseSeen* seen = FindSeen(t.seen, declared.name);
  if (seen == nullptr) return node;
  node.contact = seen->contact;
  node.role = RoleOf(t, *seen);
  if (node.role == Role::kUnknown) return node;
  const DatabaseState& state = *seen->state;
  node.version = state.version.text;
  node.writable = state.writable;
  node.position = state.executed.ToString();
  node.semi_sync = SemiSyncOf(state, node.role);
  node.replication = node.role == Role::kPrimary ? "" : ReplicationOf(state);
  if (node.role == Role::kReplica) {
    node.lag = state.replication->lag;
    if (!t.memory().primary_executed.empty())
      node.behind = t.memory().primary_executed.CountMissingIn(HeldBy(state));
  }
  return node;
}

// ---- The verdict. -------------------------------------------------------------------------------

// A sentence as a clause of another one.
std::string Clause(std::string sentence) {
  while (!sentence.empty() && sentence.back() == '.') sentence.pop_back();
  for (const char* start :
       {"The ", "No ", "Nobody ", "Commits ", "Promoting ", "Replication ", "Another "}) {
    if (sentence.rfind(start, 0) == 0) {
      sentence[0] = static_cast<char>(sentence[0] - 'A' + 'a');
    }
  }
  return sentence;
}

std::string Count(std::size_t number, const std::string& one, const std::string& many) {
  return std::to_string(number) + " " + (number == 1 ? one : many);
}

std::string ReplicasFollow(const ClusterStatus& status) {
  if (status.nodes.size() <= 1) return "no replica is declared";
  const auto following = static_cast<std::size_t>(
      std::count_if(status.nodes.begin(), status.nodes.end(),
                    [](const NodeStatus& n) { return n.replication == "running"; }));
  const std::size_t declared = status.nodes.size() - 1;
  if (following == declared) return Count(following, "replica follows", "replicas follow");
  return std::to_string(following) + " of " + Count(declared, "replica follows", "replicas follow");
}

std::string DurabilityClause(const ClusterStatus& status) {
  if (status.durability_declared == DurabilityMode::kAsync)
    return "an acknowledged row may be on the primary only";
  return status.durability_in_force == DurabilityMode::kSemiSync
             ? "an acknowledged row is on two servers"
             : "an acknowledged row is on the primary only for now";
}

// What is the matter with the primary, or that it serves.
std::string PrimaryClause(const Telling& t, const ClusterStatus& status) {
  const auto& promotion = t.memory().promotion;
  if (promotion) {
    // "node1 is gone: its process ended" reads better in brackets inside a longer sentence.
    std::string because = promotion->because;
    if (const auto colon = because.find(": "); colon != std::string::npos)
      because = because.substr(0, colon) + " (" + because.substr(colon + 2) + ")";
    return because;
  }
  if (!t.memory().primary) return "the cluster has no primary yet";
  if (t.PrimaryServes()) {
    return t.memory().primary->text + " is primary (epoch " + std::to_string(status.epoch.number) +
           ")";
  }
  for (const Finding& finding : status.findings) {
    if (finding.about == t.memory().primary && finding.code != FindingCode::kFailoverBlocked)
      return Clause(finding.says);
  }
  return "the primary " + t.memory().primary->text + " does not serve";
}

// The worst that is wrong apart from the primary's own failure.
std::string WorstClause(const Telling& t, const ClusterStatus& status) {
  std::string worst;
  std::size_t more = 0;
  for (const Finding& finding : status.findings) {
    const bool said =
        finding.code == FindingCode::kFailoverBlocked ||
        finding.code == FindingCode::kPromotionUnderWay ||
        finding.code == FindingCode::kSuspended || finding.code == FindingCode::kNoPrimaryYet ||
        ((finding.code == FindingCode::kPaused || finding.code == FindingCode::kGuardsUnread) &&
         !status.blocked.empty()) ||
        (finding.about == t.memory().primary && !t.PrimaryServes());
    // A promotion stops replication itself; that commits do not wait is said as what a row is
    // worth.
    const bool follows_from_it =
        (t.memory().promotion && finding.severity != Severity::kCritical) ||
        finding.code == FindingCode::kSemiSyncDegraded;
    if (said || follows_from_it || finding.severity == Severity::kInfo) continue;
    if (worst.empty()) {
      worst = Clause(finding.says);
    } else {
      ++more;
    }
  }
  if (more > 0) worst += " (and " + Count(more, "more finding", "more findings") + ")";
  return worst;
}

// Why something is held back. Its evidence has been said already.
std::string BlockedClause(const Decision& decision) {
  if (decision.blocked.empty()) return "";
  const Blocked& blocked = decision.blocked.front();
  std::string clause = Clause(blocked.says);
  if (const auto at = clause.find(" (");
      blocked.reason == BlockReason::kUnprovenFence && at != std::string::npos)
    clause.resize(at);
  if (const auto at = clause.find(": "); clause.rfind("no failover from ", 0) == 0)
    clause.resize(std::min(at, clause.size()));
  if (blocked.reason == BlockReason::kSuspended && clause.rfind("Suspended; ", 0) == 0)
    clause.erase(0, 11);
  for (auto at = clause.find(". "); at != std::string::npos; at = clause.find(". ", at + 1))
    clause[at] = ';';
  return clause;
}

std::string ActionClause(const Telling& t) {
  const Decision& decision = t.decision;
  for (const Finding& finding : decision.findings) {
    if (finding.code == FindingCode::kAnotherManagerActs) return Clause(finding.says);
  }
  const auto& promotion = t.memory().promotion;
  if (promotion && promotion->to && decision.blocked.empty())
    return "promoting " + promotion->to->text;
  if (promotion && promotion->planned && decision.blocked.empty())
    return "clients wait until " + promotion->wanted->text + " has taken over";
  if (promotion && decision.blocked.empty()) return "choosing the next primary";
  if (decision.plan.empty()) return "";
  const std::size_t more = decision.plan.steps.size() - 1;
  std::string action = "now: " + Describe(decision.plan.steps.front().action);
  if (more > 0) action += " (and " + Count(more, "more step", "more steps") + ")";
  return action;
}

std::string VerdictOf(const Telling& t, const ClusterStatus& status) {
  const bool degraded_durability = status.durability_declared == DurabilityMode::kSemiSync &&
                                   status.durability_in_force == DurabilityMode::kAsync;
  std::vector<std::string> clauses;
  if (t.spec.suspend) clauses.push_back("nothing is changed");
  if (status.state == ClusterState::kUnknown &&
      std::none_of(t.seen.databases.begin(), t.seen.databases.end(),
                   [](const DatabaseSeen& n) { return n.state.known() || n.process.known(); })) {
    clauses.push_back("nothing answers, which may be our own network");
  }
  clauses.push_back(PrimaryClause(t, status));
  if (t.PrimaryServes()) clauses.push_back(ReplicasFollow(status));
  if (t.PrimaryServes() && (status.state == ClusterState::kHealthy || degraded_durability))
    clauses.push_back(DurabilityClause(status));
  clauses.push_back(WorstClause(t, status));
  clauses.push_back(BlockedClause(t.decision));
  clauses.push_back(ActionClause(t));
  std::string verdict = std::string(ToString(status.state)) + ": ";
  bool first = true;
  for (const std::string& clause : clauses) {
    if (clause.empty()) continue;
    verdict += (first ? "" : "; ") + clause;
    first = false;
  }
  return verdict + ".";
}

// ---- Conditions. --------------------------------------------------------------------------------

ConditionStatus Available(const Telling& t, const ClusterStatus& status) {
  if (t.PrimaryServes()) {
    return {"Available", Truth::kTrue, "PrimaryWritable",
            status.primary->text + " accepts writes."};
  }
  if (status.state == ClusterState::kUnknown)
    return {"Available", Truth::kUnknown, "PrimaryUnknown", status.verdict};
  return {"Available", Truth::kFalse, "NoPrimary", status.verdict};
}

ConditionStatus ReplicationHealthy(const ClusterStatus& status) {
  bool unknown = false;
  for (const NodeStatus& node : status.nodes) {
    if (node.role == Role::kPrimary || node.name == status.primary) continue;
    if (node.role == Role::kUnknown) {
      unknown = true;
    } else if (node.replication != "running") {
      return {"ReplicationHealthy", Truth::kFalse, "NotFollowing",
              node.note.empty() ? node.name.text + " does not follow the primary." : node.note};
    }
  }
  if (unknown)
    return {"ReplicationHealthy", Truth::kUnknown, "ReplicaUnknown", "A replica does not answer."};
  return {"ReplicationHealthy", Truth::kTrue, "AllFollow", "Every declared replica follows."};
}

ConditionStatus PrimaryReachable(const Telling& t) {
  if (!t.memory().primary)
    return {"PrimaryReachable", Truth::kFalse, "NoPrimaryYet", "No primary is recorded."};
  const DatabaseSeen* primary = t.primary();
  if (primary == nullptr)
    return {"PrimaryReachable", Truth::kUnknown, "NotLooked", "The primary was not looked at."};
  if (Telling::Ended(*primary)) {
    return {
        "PrimaryReachable", Truth::kFalse, "ProcessEnded",
        "The process of " + primary->name.text + " ended: " + primary->process->how_ended + "."};
  }
  if (primary->contact == Contact::kAnswered)
    return {"PrimaryReachable", Truth::kTrue, "Answered", primary->name.text + " answers."};
  return {"PrimaryReachable", Truth::kFalse, "NoAnswer",
          primary->name.text + ": " + std::string(ToString(primary->contact)) + "."};
}

ConditionStatus SplitBrainDetected(const Telling& t, const ClusterStatus& status) {
  if (Has(status.findings, FindingCode::kTwoWritable) ||
      status.state == ClusterState::kSplitBrain) {
    return {"SplitBrainDetected", Truth::kTrue, "TwoWritable", status.verdict};
  }
  const auto unseen =
      std::find_if(t.seen.databases.begin(), t.seen.databases.end(),
                   [](const DatabaseSeen& n) { return !n.state.known() && !Telling::Ended(n); });
  if (unseen != t.seen.databases.end()) {
    return {"SplitBrainDetected", Truth::kUnknown, "NodeUnseen",
            unseen->name.text + " does not answer; whether it accepts writes is not known."};
  }
  return {"SplitBrainDetected", Truth::kFalse, "OneWriter", "No second node accepts writes."};
}

std::vector<ConditionStatus> ConditionsOf(const Telling& t, const ClusterStatus& status) {
  const std::string state(ToString(status.state));
  const Truth ready = status.state == ClusterState::kHealthy   ? Truth::kTrue
                      : status.state == ClusterState::kUnknown ? Truth::kUnknown
                                                               : Truth::kFalse;
  const bool progressing = t.memory().promotion || !t.decision.plan.empty();
  const std::string doing = t.decision.plan.purpose.empty() ? "A promotion is not complete."
                                                            : t.decision.plan.purpose + ".";
  return {
      {"Ready", ready, state, status.verdict},
      Available(t, status),
      ReplicationHealthy(status),
      PrimaryReachable(t),
      {"Progressing", progressing ? Truth::kTrue : Truth::kFalse,
       progressing ? "PlanUnderWay" : "AsDeclared", progressing ? doing : "Nothing is being done."},
      {"Paused", t.spec.suspend ? Truth::kTrue : Truth::kFalse,
       t.spec.suspend ? "Suspended" : "Active",
       t.spec.suspend ? "spec.suspend is set." : "spec.suspend is not set."},
      SplitBrainDetected(t, status)};
}

void AddFailedSteps(const Plan& plan, const Report& report, std::vector<Finding>* findings) {
  const std::size_t count = std::min(plan.steps.size(), report.steps.size());
  std::vector<Finding> failed;
  for (std::size_t i = 0; i < count; ++i) {
    const StepReport& step = report.steps[i];
    if (step.outcome == StepOutcome::kDone || step.outcome == StepOutcome::kNotTried) continue;
    const NodeName target = TargetOf(plan.steps[i].action);
    const std::string how =
        step.outcome == StepOutcome::kFailed ? " failed: " : " has an unknown outcome: ";
    failed.push_back(MakeFinding(FindingCode::kStepFailed,
                                 target.text.empty() ? std::nullopt : std::optional(target),
                                 "The step \"" + step.step + "\"" + how + step.error));
  }
  const auto behind_critical =
      std::find_if(findings->begin(), findings->end(),
                   [](const Finding& f) { return f.severity != Severity::kCritical; });
  findings->insert(behind_critical, failed.begin(), failed.end());
}

}  // namespace

ClusterStatus StatusOf(const ClusterSpec& spec, const Observation& seen, const Decision& decision,
                       const Report& report) {
  const Telling t{spec, seen, decision};
  ClusterStatus status;
  status.name = spec.name;
  status.observed_generation = spec.generation;
  status.state = decision.state;
  status.primary = decision.memory.primary;
  status.epoch = decision.memory.epoch;
  status.policy_sentence = PolicySentence(spec.failover_policy);
  status.durability_declared = spec.database.replication.durability;
  status.durability_in_force = decision.memory.durability_in_force;
  for (const DatabaseNodeSpec& node : spec.database.nodes) status.nodes.push_back(NodeOf(t, node));
  status.findings = decision.findings;
  AddFailedSteps(decision.plan, report, &status.findings);
  status.blocked = decision.blocked;
  status.candidates = decision.candidates;
  status.intents = decision.memory.intents;
  status.paused = decision.memory.guards.paused;
  if (const auto& at = decision.memory.failed_over_at) {
    status.failed_over_at =
        seen.taken_at.wall + std::chrono::round<Milliseconds>(*at - seen.taken_at.mono);
    const WallTime until = *status.failed_over_at + spec.failover_cool_down;
    if (until > seen.taken_at.wall) status.cool_down_until = until;
  }
  status.publication = seen.publication;
  status.document_changes = seen.document_changes;
  status.observed_at = seen.taken_at.wall;
  status.verdict = VerdictOf(t, status);
  status.conditions = ConditionsOf(t, status);
  return status;
}

}  // namespace pandora_ha
