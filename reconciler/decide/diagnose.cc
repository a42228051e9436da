#include "reconciler/decide/diagnose.h"

#include <algorithm>

#include "reconciler/decide/election.h"
#include "reconciler/decide/evidence.h"

namespace pandora_ha {
namespace {

struct Situation {
  const ClusterSpec& spec;
  const Observation& seen;
  const Memory& memory;
  std::vector<Finding>* out;

  void Add(FindingCode code, const NodeName& node, std::string says) const {
    out->push_back(MakeFinding(code, node, std::move(says)));
  }
};

std::string Source(const ReplicationSeen& channel) {
  return channel.source.host.empty() ? std::string("nobody") : ToString(channel.source);
}

std::uint64_t CountOf(const GtidSet& set) {
  std::uint64_t count = 0;
  for (const auto& [source, ranges] : set.sources()) {
    for (const GtidSet::Range& range : ranges) count += range.last - range.first + 1;
  }
  return count;
}

std::string Transactions(std::uint64_t count) {
  return std::to_string(count) + (count == 1 ? " transaction" : " transactions");
}

// MariaDB numbers the transactions of all servers in one row: what lies below an errant one is the
// primary's, and is not counted.
std::uint64_t CountErrant(const NodeMemory& node, const GtidSet& primary) {
  const GtidSet shared = node.executed.Subtract(node.executed.Subtract(primary));
  return shared.Union(node.errant).CountMissingIn(primary);
}

void DiagnoseLostRows(const Situation& s, const DatabaseSeen& primary) {
  const GtidSet& lost = s.memory.primary_lost;
  if (lost.empty()) return;
  std::string holder;
  for (const DatabaseSeen& node : s.seen.databases) {
    const bool holds =
        node.name != primary.name && node.state.known() && HeldBy(*node.state).Contains(lost);
    if (holds && holder.empty()) holder = node.name.text;
  }
  s.Add(FindingCode::kPrimaryLostRows, primary.name,
        "The primary " + primary.name.text + " lost " + std::to_string(CountOf(lost)) +
            " transactions that it had committed, up to " + lost.ToString() + "; " +
            (holder.empty() ? "no node that answers has them."
                            : holder + " has them and must not be cloned over."));
}

void DiagnosePrimary(const Situation& s, const DatabaseSeen& primary) {
  const std::string& name = primary.name.text;
  const Evidence evidence = Judge(s.spec, s.seen, s.memory, primary.name);
  switch (evidence.life) {
    case Life::kDead:
      s.Add(FindingCode::kPrimaryDead, primary.name,
            "The primary " + name + " is down: " + evidence.because + ".");
      return;
    case Life::kRestarting:
      s.Add(FindingCode::kPrimaryRestarting, primary.name,
            "The primary " + name + " is down: " + evidence.because + ".");
      return;
    case Life::kGathering:
    case Life::kCutOff:
      s.Add(FindingCode::kPrimaryUnreachable, primary.name,
            "The primary " + name + " does not answer: " + evidence.because + ".");
      if (evidence.life == Life::kGathering) s.out->back().severity = Severity::kWarning;
      return;
    case Life::kStillReplicating:
      s.Add(FindingCode::kPrimaryUnreachableButReplicating, primary.name,
            "The primary " + name + " does not answer us, but " + evidence.because +
                ": it lives, and it is overloaded or the path between us and it is broken.");
      return;
    case Life::kRefusesUs:
      s.Add(FindingCode::kPrimaryRefusesUs, primary.name,
            "The primary " + name + " is alive, but " + evidence.because + ".");
      return;
    case Life::kAlive:
      break;
  }
  // A switchover closed it, which PromotionUnderWay says.
  const bool by_us = s.memory.promotion && s.memory.promotion->planned;
  if (!primary.state->writable && !by_us) {
    s.Add(FindingCode::kPrimaryReadOnly, primary.name,
          "The primary " + name + " is read-only, after a restart or by a person's hand.");
  }
  DiagnoseLostRows(s, primary);
  const auto order = PreferenceOrder(s.spec);
  if (!order.empty() && order.front() != primary.name) {
    s.Add(FindingCode::kPrimaryNotPreferred, primary.name,
          "The primary is " + name + ", and masterPreference begins with " + order.front().text +
              ".");
  }
  if (s.spec.database.replication.durability != DurabilityMode::kSemiSync ||
      !primary.state->writable)
    return;
  if (s.memory.durability_in_force == DurabilityMode::kAsync) {
    s.Add(FindingCode::kSemiSyncDegraded, primary.name,
          "Commits on " + name +
              (primary.state->semi_sync.source_waiting
                   ? " wait for a replica, but none is known to have everything before that yet"
                   : " do not wait for a replica now") +
              ": a failover could lose acknowledged rows.");
  }
}

void DiagnoseChannel(const Situation& s, const DatabaseSeen& node, const DatabaseNodeSpec* source) {
  const std::string& name = node.name.text;
  if (!node.state->replication) {
    s.Add(FindingCode::kReplicaStopped, node.name, name + " follows nobody.");
    return;
  }
  const ReplicationSeen& channel = *node.state->replication;
  if (source != nullptr && channel.source.host != source->address) {
    s.Add(FindingCode::kReplicaWrongSource, node.name,
          name + " follows " + Source(channel) + " and not the primary " + source->name.text + ".");
    return;
  }
  if (channel.sql_errno != 0) {
    s.Add(FindingCode::kReplicaBroken, node.name,
          name + " stopped applying with error " + std::to_string(channel.sql_errno) + ": " +
              channel.sql_error);
  } else if (channel.io_errno != 0 && channel.io != ThreadState::kRunning) {
    s.Add(FindingCode::kReplicaBroken, node.name,
          name + " cannot receive from " + Source(channel) + ", error " +
              std::to_string(channel.io_errno) + ": " + channel.io_error +
              (OnlyACopyHelps(channel)
                   ? ". The primary no longer has the binary logs that it needs: no restart helps, "
                     "only copying the primary's data to it anew."
                   : ""));
  } else if (channel.sql == ThreadState::kStopped || channel.io == ThreadState::kStopped) {
    s.Add(FindingCode::kReplicaStopped, node.name,
          "Replication on " + name + " is stopped, without an error.");
  } else if (channel.io == ThreadState::kConnecting) {
    s.Add(FindingCode::kReplicaConnecting, node.name,
          name + " is connecting to " + Source(channel) + ".");
  } else if (!channel.lag) {
    s.Add(FindingCode::kReplicaLagUnknown, node.name, "The lag of " + name + " is not known.");
  } else if (*channel.lag > s.spec.database.replication.max_lag) {
    s.Add(FindingCode::kReplicaLagging, node.name,
          name + " is " + FormatDuration(*channel.lag) + " behind; " +
              FormatDuration(s.spec.database.replication.max_lag) + " is the declared limit.");
  }
}

void DiagnoseReplica(const Situation& s, const DatabaseSeen& node, const DatabaseNodeSpec* source) {
  const Evidence evidence = Judge(s.spec, s.seen, s.memory, node.name);
  switch (evidence.life) {
    case Life::kDead:
    case Life::kRestarting:
      s.Add(FindingCode::kReplicaDown, node.name,
            node.name.text + " is down: " + evidence.because + ".");
      return;
    case Life::kGathering:
    case Life::kCutOff:
    case Life::kStillReplicating:
      s.Add(FindingCode::kReplicaUnreachable, node.name,
            node.name.text + " does not answer: " + evidence.because + ".");
      return;
    case Life::kRefusesUs:
    case Life::kAlive:
      break;
  }
  if (!node.state.known()) return;  // refused us: said by DiagnoseNode
  const NodeMemory& remembered = MemoryOf(s.memory, node.name);
  const bool promoted = s.memory.promotion && s.memory.promotion->to == node.name;
  if (node.state->writable && !promoted) {
    s.Add(remembered.history == History::kDiverged || remembered.deposed
              ? FindingCode::kTwoWritable
              : FindingCode::kWritableReplica,
          node.name, node.name.text + " is writable beside the primary.");
  }
  if (remembered.history == History::kDiverged) {
    s.Add(FindingCode::kNodeDiverged, node.name,
          node.name.text + " has " +
              Transactions(CountErrant(remembered, s.memory.primary_executed)) +
              " that the primary lacks: " + remembered.errant.ToString() + ".");
    return;
  }
  if (!HeldBy(*node.state).Contains(remembered.received)) {
    s.Add(FindingCode::kReceivedTailLost, node.name,
          node.name.text +
              " lost transactions that it had received, in a restart; it cannot be promoted "
              "before it has received them again.");
  }
  DiagnoseChannel(s, node, source);
}

void DiagnoseNode(const Situation& s, const DatabaseSeen& node) {
  const std::string& name = node.name.text;
  if (node.contact == Contact::kDenied) {
    s.Add(FindingCode::kAccessDenied, node.name,
          name + " refuses our account: " + node.contact_error);
  } else if (node.contact == Contact::kBusy && s.memory.primary != node.name) {
    s.Add(FindingCode::kReplicaUnreachable, node.name,
          name + " is alive and has no connection left for us: " + node.contact_error);
  } else if (node.contact == Contact::kTlsRefused) {
    s.Add(FindingCode::kTlsRefused, node.name,
          name + " fails the TLS check: " + node.contact_error);
  }
  if (!node.state.known()) return;
  const DatabaseState& state = *node.state;
  if (const auto unfit = WhyUnfit(s.spec, s.seen, node.name)) {
    // The primary serves: of two that clash, the other one is told.
    const bool serves = s.memory.primary == node.name && state.writable;
    if (!serves) {
      s.Add(unfit->code, node.name, name + " cannot be part of the cluster: " + unfit->why + ".");
    } else if (!unfit->clash) {
      s.Add(unfit->code, node.name, "The primary " + name + " is not fit: " + unfit->why + ".");
    }
  }
  if (!state.durable) {
    s.Add(FindingCode::kDurabilityRelaxed, node.name,
          name + " runs without sync_binlog=1 and innodb_flush_log_at_trx_commit=1.");
  }
}

void DiagnoseLoss(const Situation& s, const Loss& loss) {
  const std::string& from = loss.from.text;
  std::string says = "Since epoch " + std::to_string(loss.epoch.number) + ", ";
  if (loss.exact) {
    says += std::to_string(loss.count) + " transactions of " + from + " are missing (counted).";
  } else {
    says +=
        (loss.count == 0 ? "transactions of " + from + " after the last look at it may be missing"
                         : "at least " + std::to_string(loss.count) + " transactions of " + from +
                               " may be missing") +
        " (an estimate from the last look; exact when " + from + " is back).";
  }
  if (loss.holder) says += " " + loss.holder->text + ", which did not answer, has some of them.";
  const bool promoting = s.memory.promotion && s.memory.promotion->to;
  s.out->push_back(MakeFinding(FindingCode::kLossPossible,
                               promoting ? s.memory.promotion->to : s.memory.primary,
                               std::move(says)));
}

void DiagnoseNoPrimary(const Situation& s) {
  s.out->push_back(
      MakeFinding(FindingCode::kNoPrimaryYet, std::nullopt, "The cluster has no primary yet."));
  const DatabaseSeen* writer = nullptr;
  for (const DatabaseSeen& node : s.seen.databases) {
    if (!node.state.known() || !node.state->writable) continue;
    if (writer != nullptr) {
      s.Add(FindingCode::kTwoWritable, node.name,
            node.name.text + " is writable beside " + writer->name.text + ".");
      return;
    }
    writer = &node;
  }
}

void DiagnoseEpoch(const Situation& s) {
  for (const DatabaseSeen& node : s.seen.databases) {
    if (!node.state.known() || !node.state->heartbeat) continue;
    const HeartbeatSeen& heartbeat = *node.state->heartbeat;
    if (heartbeat.epoch > s.memory.epoch) {
      s.Add(FindingCode::kEpochAhead, node.name,
            node.name.text + " carries epoch " + std::to_string(heartbeat.epoch.number) + " of " +
                heartbeat.writer.text + "; we know only epoch " +
                std::to_string(s.memory.epoch.number) + ".");
      return;
    }
  }
}

}  // namespace

bool OnlyACopyHelps(const ReplicationSeen& channel) {
  if (channel.io_errno == 13114) {
    return channel.io_error.find("purged") != std::string::npos;
  }
  if (channel.io_errno != 1236) return false;
  for (const char* words : {"purged", "Could not find GTID state requested by slave",
                            "Could not find first log file name"}) {
    if (channel.io_error.find(words) != std::string::npos) return true;
  }
  return false;
}

const std::vector<FindingRow>& FindingTable() {
  using F = FindingCode;
  using enum Severity;
  static const std::vector<FindingRow> table = {
      {F::kTwoWritable, kCritical,
       "Two nodes accept writes that were primaries of different epochs or differ already.",
       "the node that is not the primary is made read-only; decide what becomes of its rows"},
      {F::kPrimaryDead, kCritical, "The primary's process has ended and nobody will start it.",
       "a failover follows by itself unless it is blocked"},
      {F::kPrimaryLostRows, kCritical,
       "The open primary lacks transactions that it had committed before.",
       "keep the node that has them; a failover to it follows by itself unless it is blocked"},
      {F::kPrimaryUnreachable, kCritical,
       "The primary does not answer; whether it lives is not known.",
       "look at the host and the network; a failover follows as the policy says"},
      {F::kPrimaryRefusesUs, kCritical, "The primary is alive and refuses us.",
       "correct the account, the certificate or max_connections; no failover is made for this"},
      {F::kEpochAhead, kCritical, "A node carries a higher epoch than this manager knows.",
       "another manager acts here, or this one lost its memory; stop one of them"},
      {F::kFailoverBlocked, kCritical, "A failover is needed and is not made.",
       "see who can unblock it"},
      {F::kNodeDiverged, kCritical, "A node has transactions that the primary lacks.",
       "it stays read-only and out of replication; archive, merge or re-clone it"},
      {F::kAccessDenied, kCritical, "A node refuses our account.",
       "correct user, password or grants"},
      {F::kTlsRefused, kCritical, "A node fails the TLS check.",
       "correct the certificate, the CA file or the server's TLS settings"},
      {F::kDuplicateServerId, kCritical, "Two nodes run with one server_id.",
       "give each its own server_id"},
      {F::kDuplicateServerUuid, kCritical, "Two nodes run with one server_uuid.",
       "delete auto.cnf of the copied one and restart it"},
      {F::kServerIdMismatch, kCritical, "A node's server_id is not the declared one.",
       "correct server_id in my.cnf or serverId in the document"},
      {F::kNodeUnfit, kCritical, "A node lacks a setting that replication needs.",
       "set it and restart the node"},
      {F::kSemiSyncNotWaiting, kCritical,
       "The primary does not wait although semiSync is in force.",
       "it is switched on again by itself"},
      {F::kWritesWait, kCritical,
       "No replica acknowledges, and commits wait: withoutReplica is block, or a manager has just "
       "taken over.",
       "bring a replica back, or declare withoutReplica: degrade; with degrade it ends by itself"},
      {F::kStepFailed, kCritical, "A step of the last plan failed.", "the next look decides anew"},
      {F::kPrimaryUnreachableButReplicating, kWarning,
       "The primary does not answer us, but a replica still receives from it.",
       "look at its load, and repair the path between this manager and it; no failover is made for "
       "this"},
      {F::kPrimaryRestarting, kWarning,
       "The primary's process ended and may be restarted in place.",
       "wait for the allowance to end"},
      {F::kPrimaryReadOnly, kWarning, "The recorded primary is read-only.",
       "it is opened again by itself; before maintenance, set suspend: true"},
      {F::kPromotionUnderWay, kWarning, "A promotion has begun and is not complete.", "wait"},
      {F::kNoPrimaryYet, kWarning, "The cluster has never had a primary.",
       "the first start needs an answer from every declared node"},
      {F::kWritableReplica, kWarning, "A node that is not the primary accepts writes.",
       "it is made read-only by itself"},
      {F::kReplicaDown, kWarning, "A replica's process has ended.",
       "it is started again where its process is ours; else start it"},
      {F::kReplicaUnreachable, kWarning, "A replica does not answer.",
       "look at its host and the network"},
      {F::kReplicaStopped, kWarning, "A replica's replication is stopped without an error.",
       "it is started by itself"},
      {F::kReplicaBroken, kWarning, "A replica's replication stopped with an error.",
       "correct the cause that the error names; a re-clone is the last resort"},
      {F::kReplicaConnecting, kWarning, "A replica is connecting to its source.", "wait"},
      {F::kReplicaWrongSource, kWarning, "A replica follows another source than the primary.",
       "it is repointed by itself"},
      {F::kReplicaLagging, kWarning, "A replica is further behind than declared.",
       "look at its load; it can still be promoted after it has caught up"},
      {F::kReplicaLagUnknown, kWarning, "A replica does not know its lag.", "look at its applier"},
      {F::kReceivedTailLost, kWarning, "A replica dropped received transactions in a restart.",
       "it receives them again by itself while the primary lives"},
      {F::kDurabilityRelaxed, kWarning, "A node may lose committed rows when its host crashes.",
       "set sync_binlog=1 and innodb_flush_log_at_trx_commit=1"},
      {F::kSemiSyncDegraded, kWarning, "Commits do not wait for a replica at present.",
       "bring a replica back; waiting resumes by itself"},
      {F::kLossPossible, kWarning, "A promotion may have lost acknowledged rows.",
       "compare with the old primary when it is back"},
      {F::kPublicationFailed, kWarning, "Clients cannot be told where the primary is.",
       "correct what the message names"},
      {F::kSuspended, kWarning, "spec.suspend is set: nothing is changed.", "set suspend: false"},
      {F::kPaused, kWarning, "A person keeps us off the cluster or off a node.",
       "`pandora-ha resume` ends it"},
      {F::kFenced, kWarning, "A node is kept down because a person asked for it.",
       "`pandora-ha unfence` ends it"},
      {F::kGuardsUnread, kWarning,
       "What people have asked every manager to keep to lies in the database and cannot be read.",
       "a newer version may have written it: let that one act; `pandora-ha resume` replaces it by "
       "what "
       "this manager knows"},
      {F::kDocumentRefused, kWarning,
       "The document that lies there is not in force; the last good one is.",
       "correct what the message names; it is read again by itself"},
      {F::kNotAllLocked, kWarning, "A promotion was made without the manager's lock of every node.",
       "another manager may act there: stop it, or repair the path to the node"},
      {F::kAnotherManagerActs, kInfo, "Another manager acts on the cluster; this one observes.",
       "ask that one; this one takes over when that one ends or freezes"},
      {F::kPrimaryNotPreferred, kInfo, "The primary is not the preferred node.",
       "nothing needs to be done; `pandora-ha switchover` changes it"},
      {F::kFailback, kInfo, "The preferred node becomes primary again by itself, now or later.",
       "`pandora-ha pause` holds it; failback: manual ends it"},
      {F::kNotReconciled, kInfo, "The document declares a part that this version does not act on.",
       "remove it or wait for a version that does"},
  };
  return table;
}

Finding MakeFinding(FindingCode code, std::optional<NodeName> about, std::string says) {
  const auto& table = FindingTable();
  const auto row =
      std::find_if(table.begin(), table.end(), [&](const FindingRow& r) { return r.code == code; });
  return {code, std::move(about), row->severity, std::move(says)};
}

std::vector<Finding> Diagnose(const ClusterSpec& spec, const Observation& seen,
                              const Memory& memory) {
  std::vector<Finding> findings;
  const Situation s{spec, seen, memory, &findings};
  const DatabaseNodeSpec* source = memory.primary ? FindNode(spec, *memory.primary) : nullptr;
  DiagnoseEpoch(s);
  for (const DatabaseSeen& node : seen.databases) {
    DiagnoseNode(s, node);
    if (memory.primary == node.name) {
      DiagnosePrimary(s, node);
    } else if (memory.primary) {
      DiagnoseReplica(s, node, source);
    }
  }
  if (!memory.primary && !memory.promotion) DiagnoseNoPrimary(s);
  if (memory.loss) DiagnoseLoss(s, *memory.loss);
  if (memory.promotion) {
    findings.push_back(MakeFinding(FindingCode::kPromotionUnderWay, memory.promotion->to,
                                   "Epoch " + std::to_string(memory.promotion->epoch.number) +
                                       " is being prepared: " + memory.promotion->because + "."));
  }
  if (!seen.publication.problem.empty()) {
    findings.push_back(
        MakeFinding(FindingCode::kPublicationFailed, std::nullopt, seen.publication.problem));
  }
  if (!seen.document_problem.empty()) {
    findings.push_back(
        MakeFinding(FindingCode::kDocumentRefused, std::nullopt, seen.document_problem));
  }
  for (const NotReconciledPart& part : spec.not_reconciled) {
    findings.push_back(
        MakeFinding(FindingCode::kNotReconciled, std::nullopt, part.path + ": " + part.sentence));
  }
  std::stable_sort(findings.begin(), findings.end(),
                   [](const Finding& a, const Finding& b) { return a.severity > b.severity; });
  return findings;
}

}  // namespace pandora_ha
