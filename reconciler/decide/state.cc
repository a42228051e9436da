#include "reconciler/decide/state.h"

#include <algorithm>

#include "reconciler/decide/evidence.h"

namespace pandora_ha {
namespace {

bool Has(const Context& c, FindingCode code) {
  const auto& findings = c.decision.findings;
  return std::any_of(findings.begin(), findings.end(),
                     [&](const Finding& f) { return f.code == code; });
}

bool PrimaryServes(const Context& c) {
  if (!c.memory.primary || c.memory.promotion) return false;
  const DatabaseSeen* primary = FindSeen(c.seen, *c.memory.primary);
  return primary != nullptr && primary->state.known() && primary->state->writable &&
         Judge(c.spec, c.seen, c.memory, primary->name).life == Life::kAlive;
}

}  // namespace

ClusterState StateOf(const Context& c) {
  if (c.spec.suspend) return ClusterState::kSuspended;
  if (Has(c, FindingCode::kTwoWritable)) return ClusterState::kSplitBrain;
  if (PrimaryServes(c)) {
    const auto& findings = c.decision.findings;
    const bool flawed = std::any_of(findings.begin(), findings.end(),
                                    [](const Finding& f) { return f.severity != Severity::kInfo; });
    if (Has(c, FindingCode::kNodeRebuilding)) return ClusterState::kResyncing;
    return flawed ? ClusterState::kDegraded : ClusterState::kHealthy;
  }
  // Asked for and taken back when it does not come about: nothing has failed.
  if (c.memory.promotion && c.memory.promotion->planned) return ClusterState::kDegraded;
  const auto& nodes = c.seen.databases;
  const bool anybody_answers = std::any_of(nodes.begin(), nodes.end(),
                                           [](const DatabaseSeen& n) { return n.state.known(); });
  const bool anything_known =
      anybody_answers || std::any_of(nodes.begin(), nodes.end(),
                                     [](const DatabaseSeen& n) { return n.process.known(); });
  if (!anything_known) return ClusterState::kUnknown;
  // Not started yet, or not looked at for long enough: nothing is known to have failed.
  if (!c.memory.promotion) {
    const bool starting = !c.memory.primary && !anybody_answers;
    const bool gathering =
        c.memory.primary &&
        Judge(c.spec, c.seen, c.memory, *c.memory.primary).life == Life::kGathering;
    if (starting || (gathering && FindNode(c.spec, *c.memory.primary) != nullptr))
      return ClusterState::kUnknown;
  }
  const bool refused = Has(c, FindingCode::kPrimaryRefusesUs) ||
                       Has(c, FindingCode::kPrimaryUnreachableButReplicating);
  if (refused) return ClusterState::kUnknown;
  return anybody_answers ? ClusterState::kFailed : ClusterState::kLost;
}

}  // namespace pandora_ha
