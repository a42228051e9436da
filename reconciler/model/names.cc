// The words of the model: what each value of a closed set is called everywhere.
#include <string_view>

#include "reconciler/model/status.h"

namespace pandora_ha {

std::string_view ToString(Flavor flavor) {
  switch (flavor) {
    case Flavor::kMySql:
      return "MySQL";
    case Flavor::kMariaDb:
      return "MariaDB";
  }
  return "";
}

std::string_view ToString(SubstrateKind kind) {
  switch (kind) {
    case SubstrateKind::kLocal:
      return "local";
    case SubstrateKind::kHosts:
      return "hosts";
    case SubstrateKind::kKubernetes:
      return "kubernetes";
  }
  return "";
}

std::string_view ToString(FailoverPolicy policy) {
  switch (policy) {
    case FailoverPolicy::kAvailability:
      return "availability";
    case FailoverPolicy::kConsistency:
      return "consistency";
    case FailoverPolicy::kWitness:
      return "witness";
  }
  return "";
}

std::string PolicySentence(FailoverPolicy policy) {
  switch (policy) {
    case FailoverPolicy::kAvailability:
      return "Collection goes on at both sites when they lose contact; afterwards their rows must "
             "be "
             "merged, and configuration changed on the losing side is lost.";
    case FailoverPolicy::kConsistency:
      return "There is never a second writer; when the old primary cannot be proven stopped, a "
             "person "
             "decides.";
    case FailoverPolicy::kWitness:
      return "Failover is automatic with one writer as long as any two of the three places can "
             "talk to "
             "each other.";
  }
  return "";
}

std::string_view ToString(DurabilityMode mode) {
  switch (mode) {
    case DurabilityMode::kAsync:
      return "async";
    case DurabilityMode::kSemiSync:
      return "semiSync";
  }
  return "";
}

std::string_view ToString(WithoutReplica rule) {
  switch (rule) {
    case WithoutReplica::kBlock:
      return "block";
    case WithoutReplica::kDegrade:
      return "degrade";
  }
  return "";
}

std::string_view ToString(Contact contact) {
  switch (contact) {
    case Contact::kNeverTried:
      return "never tried";
    case Contact::kAnswered:
      return "answered";
    case Contact::kDenied:
      return "access denied";
    case Contact::kTlsRefused:
      return "TLS refused";
    case Contact::kBusy:
      return "too many connections";
    case Contact::kRefusedPort:
      return "connection refused";
    case Contact::kHungUp:
      return "connection broken";
    case Contact::kSilent:
      return "no answer";
    case Contact::kUnroutable:
      return "no route";
  }
  return "";
}

std::string_view ToString(FindingCode code) {
  switch (code) {
    case FindingCode::kNoPrimaryYet:
      return "NoPrimaryYet";
    case FindingCode::kPrimaryDead:
      return "PrimaryDead";
    case FindingCode::kPrimaryStalled:
      return "PrimaryStalled";
    case FindingCode::kPrimaryUnreachable:
      return "PrimaryUnreachable";
    case FindingCode::kPrimaryUnreachableButReplicating:
      return "PrimaryUnreachableButReplicating";
    case FindingCode::kPrimaryRefusesUs:
      return "PrimaryRefusesUs";
    case FindingCode::kPrimaryRestarting:
      return "PrimaryRestarting";
    case FindingCode::kPrimaryReadOnly:
      return "PrimaryReadOnly";
    case FindingCode::kPrimaryLostRows:
      return "PrimaryLostRows";
    case FindingCode::kPrimaryNotPreferred:
      return "PrimaryNotPreferred";
    case FindingCode::kPromotionUnderWay:
      return "PromotionUnderWay";
    case FindingCode::kTwoWritable:
      return "TwoWritable";
    case FindingCode::kWritableReplica:
      return "WritableReplica";
    case FindingCode::kReplicaDown:
      return "ReplicaDown";
    case FindingCode::kReplicaUnreachable:
      return "ReplicaUnreachable";
    case FindingCode::kReplicaStopped:
      return "ReplicaStopped";
    case FindingCode::kReplicaBroken:
      return "ReplicaBroken";
    case FindingCode::kReplicaConnecting:
      return "ReplicaConnecting";
    case FindingCode::kReplicaWrongSource:
      return "ReplicaWrongSource";
    case FindingCode::kReplicaLagging:
      return "ReplicaLagging";
    case FindingCode::kReplicaLagUnknown:
      return "ReplicaLagUnknown";
    case FindingCode::kArchiveFailed:
      return "ArchiveFailed";
    case FindingCode::kNodeMerging:
      return "NodeMerging";
    case FindingCode::kMergeFailed:
      return "MergeFailed";
    case FindingCode::kNodeRewinding:
      return "NodeRewinding";
    case FindingCode::kNodeVerifying:
      return "NodeVerifying";
    case FindingCode::kNotVerified:
      return "NotVerified";
    case FindingCode::kRowsDiffer:
      return "RowsDiffer";
    case FindingCode::kNodeRebuilding:
      return "NodeRebuilding";
    case FindingCode::kRebuildFailed:
      return "RebuildFailed";
    case FindingCode::kNodeDiverged:
      return "NodeDiverged";
    case FindingCode::kReceivedTailLost:
      return "ReceivedTailLost";
    case FindingCode::kDuplicateServerId:
      return "DuplicateServerId";
    case FindingCode::kDuplicateServerUuid:
      return "DuplicateServerUuid";
    case FindingCode::kServerIdMismatch:
      return "ServerIdMismatch";
    case FindingCode::kAccessDenied:
      return "AccessDenied";
    case FindingCode::kTlsRefused:
      return "TlsRefused";
    case FindingCode::kNodeUnfit:
      return "NodeUnfit";
    case FindingCode::kDurabilityRelaxed:
      return "DurabilityRelaxed";
    case FindingCode::kSemiSyncDegraded:
      return "SemiSyncDegraded";
    case FindingCode::kSemiSyncNotWaiting:
      return "SemiSyncNotWaiting";
    case FindingCode::kWritesWait:
      return "WritesWait";
    case FindingCode::kEpochAhead:
      return "EpochAhead";
    case FindingCode::kLossPossible:
      return "LossPossible";
    case FindingCode::kFailoverBlocked:
      return "FailoverBlocked";
    case FindingCode::kPublicationFailed:
      return "PublicationFailed";
    case FindingCode::kNotReconciled:
      return "NotReconciled";
    case FindingCode::kDocumentRefused:
      return "DocumentRefused";
    case FindingCode::kSuspended:
      return "Suspended";
    case FindingCode::kPaused:
      return "Paused";
    case FindingCode::kFenced:
      return "Fenced";
    case FindingCode::kStepFailed:
      return "StepFailed";
    case FindingCode::kAnotherManagerActs:
      return "AnotherManagerActs";
    case FindingCode::kNotAllLocked:
      return "NotAllLocked";
    case FindingCode::kGuardsUnread:
      return "GuardsUnread";
    case FindingCode::kFailback:
      return "Failback";
  }
  return "";
}

std::vector<FindingCode> AllFindingCodes() {
  std::vector<FindingCode> all;
  for (int i = 0; i <= static_cast<int>(FindingCode::kFailback); ++i) {
    all.push_back(static_cast<FindingCode>(i));
  }
  return all;
}

std::string_view ToString(Severity severity) {
  switch (severity) {
    case Severity::kInfo:
      return "info";
    case Severity::kWarning:
      return "warning";
    case Severity::kCritical:
      return "critical";
  }
  return "";
}

std::string_view ToString(BlockReason reason) {
  switch (reason) {
    case BlockReason::kGatheringEvidence:
      return "GatheringEvidence";
    case BlockReason::kStillReplicating:
      return "StillReplicating";
    case BlockReason::kRestartAllowance:
      return "RestartAllowance";
    case BlockReason::kNoCandidate:
      return "NoCandidate";
    case BlockReason::kAmbiguousCandidates:
      return "AmbiguousCandidates";
    case BlockReason::kUnprovenFence:
      return "UnprovenFence";
    case BlockReason::kLeaseRunning:
      return "LeaseRunning";
    case BlockReason::kNoWitness:
      return "NoWitness";
    case BlockReason::kMayLoseRows:
      return "MayLoseRows";
    case BlockReason::kSuspended:
      return "Suspended";
    case BlockReason::kSplitBrain:
      return "SplitBrain";
    case BlockReason::kEpochAhead:
      return "EpochAhead";
    case BlockReason::kAccessDenied:
      return "AccessDenied";
    case BlockReason::kPaused:
      return "Paused";
    case BlockReason::kCoolDown:
      return "CoolDown";
    case BlockReason::kNotAllLocked:
      return "NotAllLocked";
    case BlockReason::kGuardsUnread:
      return "GuardsUnread";
  }
  return "";
}

std::vector<BlockReason> AllBlockReasons() {
  std::vector<BlockReason> all;
  for (int i = 0; i <= static_cast<int>(BlockReason::kGuardsUnread); ++i) {
    all.push_back(static_cast<BlockReason>(i));
  }
  return all;
}

std::string_view ToString(ClusterState state) {
  switch (state) {
    case ClusterState::kHealthy:
      return "Healthy";
    case ClusterState::kDegraded:
      return "Degraded";
    case ClusterState::kFailed:
      return "Failed";
    case ClusterState::kLost:
      return "Lost";
    case ClusterState::kSplitBrain:
      return "SplitBrain";
    case ClusterState::kResyncing:
      return "Resyncing";
    case ClusterState::kSuspended:
      return "Suspended";
    case ClusterState::kUnknown:
      return "Unknown";
  }
  return "";
}

std::string_view ToString(SemiSyncRole role) {
  switch (role) {
    case SemiSyncRole::kReplica:
      return "replica";
    case SemiSyncRole::kSource:
      return "source";
    case SemiSyncRole::kSourceDegraded:
      return "source, not waiting";
    case SemiSyncRole::kOff:
      return "off";
  }
  return "";
}

std::string_view ToString(StepOutcome outcome) {
  switch (outcome) {
    case StepOutcome::kDone:
      return "done";
    case StepOutcome::kFailed:
      return "failed";
    case StepOutcome::kUnknown:
      return "unknown";
    case StepOutcome::kNotTried:
      return "not tried";
  }
  return "";
}

std::string_view ToString(Truth truth) {
  switch (truth) {
    case Truth::kTrue:
      return "True";
    case Truth::kFalse:
      return "False";
    case Truth::kUnknown:
      return "Unknown";
  }
  return "";
}

std::string_view ToString(Role role) {
  switch (role) {
    case Role::kPrimary:
      return "primary";
    case Role::kReplica:
      return "replica";
    case Role::kNone:
      return "none";
    case Role::kUnknown:
      return "unknown";
  }
  return "";
}

}  // namespace pandora_ha
