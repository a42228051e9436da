#include "reconciler/decide/diagnose.h"

#include <algorithm>

#include "reconciler/decide/diagnose_own_data.h"
#include "reconciler/decide/election.h"
#include "reconciler/decide/evidence.h"
#include "reconciler/decide/guards.h"
#include "reconciler/decide/situation.h"

namespace pandora_ha {
namespace {

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

// The last finding says that the node is down or silent: who brings it back, where that is known.
void SayWhoStartsIt(const Situation& s, const DatabaseSeen& node) {
  const std::string& name = node.name.text;
  const NodeMemory& remembered = MemoryOf(s.memory, node.name);
  if (FencedOf(s.memory, node.name) != nullptr)
    return s.Remedy("it is fenced, so that nobody starts it: `pandora-ha unfence " + name +
                    "` ends that");
  if (PausedOf(s.memory, node.name) != nullptr || s.memory.guards.paused || s.spec.suspend)
    return;  // nobody does, and that is said beside it
  if (!node.process.known() || remembered.starts == 0) return;
  if (node.process->phase != ProcessState::Phase::kRunning && !node.process->starting)
    return s.Remedy(
        "it is started again by itself; when it ends again and again, see its error log");
  Finding& last = s.out->back();
  last.says.back() = ';';
  last.says += " it has just been started again by us.";
  s.Remedy("wait; when it does not answer for long, see its error log");
}

// Not long enough for a verdict. A disk that was busy a moment ago is only slow.
void DiagnoseStalledWrite(const Situation& s, const DatabaseSeen& primary) {
  const Duration stalled = StalledFor(s.spec, s.seen, primary);
  if (stalled == Duration::zero() || stalled < s.spec.database.detection.timeout) return;
  s.Add(FindingCode::kPrimaryStalled, primary.name,
        "A write to the primary " + primary.name.text + " stands in \"" +
            primary.stalled_write->doing + "\", and nothing reaches its disk.");
  s.out->back().severity = Severity::kWarning;
}

void DiagnosePrimary(const Situation& s, const DatabaseSeen& primary) {
  const std::string& name = primary.name.text;
  const Evidence evidence = Judge(s.spec, s.seen, s.memory, primary.name);
  switch (evidence.life) {
    case Life::kDead:
      s.Add(FindingCode::kPrimaryDead, primary.name,
            "The primary " + name + " is down: " + evidence.because + ".");
      SayWhoStartsIt(s, primary);
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
      SayWhoStartsIt(s, primary);
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
    case Life::kStalled:
      s.Add(FindingCode::kPrimaryStalled, primary.name,
            "The primary " + name + " writes nothing: " + evidence.because + ".");
      return;
    case Life::kAlive:
      DiagnoseStalledWrite(s, primary);
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
                     "only `pandora-ha resync " +
                         name +
                         "`, which copies the primary's data to it "
                         "anew."
                   : ""));
    const bool source_serves =
        s.memory.primary && Judge(s.spec, s.seen, s.memory, *s.memory.primary).life == Life::kAlive;
    if (!source_serves && !OnlyACopyHelps(channel))
      s.Remedy("nothing is wrong with it: its source does not serve at the moment");
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
  if (DiagnoseRebuild(s, node)) return;
  const Evidence evidence = Judge(s.spec, s.seen, s.memory, node.name);
  switch (evidence.life) {
    case Life::kDead:
    case Life::kRestarting:
      s.Add(FindingCode::kReplicaDown, node.name,
            node.name.text + " is down: " + evidence.because + ".");
      SayWhoStartsIt(s, node);
      return;
    case Life::kGathering:
    case Life::kCutOff:
    case Life::kStillReplicating:
      s.Add(FindingCode::kReplicaUnreachable, node.name,
            node.name.text + " does not answer: " + evidence.because + ".");
      SayWhoStartsIt(s, node);
      return;
    case Life::kRefusesUs:
    case Life::kStalled:
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
    DiagnoseDivergence(s, node.name, remembered);
    return;
  }
  if (!HeldBy(*node.state).Contains(remembered.received)) {
    s.Add(FindingCode::kReceivedTailLost, node.name,
          node.name.text +
              " lost transactions that it had received, in a restart; it cannot be promoted "
              "before it has received them again.");
  }
  DiagnoseVerification(s, node);
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
