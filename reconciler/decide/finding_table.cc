#include <algorithm>

#include "reconciler/decide/diagnose.h"

namespace pandora_ha {
namespace {

constexpr std::string_view kNode = " NODE";

}  // namespace

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
       "look at the host and the network; a failover follows as the policy says, or it is said why "
       "not"},
      {F::kPrimaryStalled, kCritical, "The primary answers, and nothing reaches its disk.",
       "look at the primary's disk; a failover follows by itself when that lasts, or it is said "
       "why "
       "not"},
      {F::kPrimaryRefusesUs, kCritical, "The primary is alive and refuses us.",
       "correct the account, the certificate or max_connections; no failover is made for this"},
      {F::kEpochAhead, kCritical, "A node carries a higher epoch than this manager knows.",
       "another manager acts here, or this one lost its memory; stop one of them"},
      {F::kFailoverBlocked, kCritical, "A failover is needed and is not made.",
       "see who can unblock it"},
      {F::kNodeRebuilding, kWarning, "A node's data is being made anew from the primary's.",
       "wait; status shows how far it is"},
      {F::kRebuildFailed, kWarning, "A node's data could not be made anew.",
       "see the reason and the node's copy.log, then `pandora-ha resync` again"},
      {F::kNodeDiverged, kCritical, "A node has transactions that the primary lacks.",
       "it stays read-only and out of replication, and its rows are archived; then `pandora-ha "
       "merge NODE --config FILE` brings its data and events into the primary and lists what stays "
       "in the archive, and `pandora-ha resync NODE` makes it anew"},
      {F::kArchiveFailed, kCritical, "What a node committed by itself could not be archived.",
       "see the reason; it is tried again, and `pandora-ha resync NODE --set-aside` "
       "keeps all of its data instead"},
      {F::kNodeMerging, kWarning, "The primary is given what a node committed by itself.",
       "wait; what cannot be merged stays in the archive, listed in its merged.json"},
      {F::kMergeFailed, kCritical, "What a node committed by itself could not be merged.",
       "see the reason; given up, `pandora-ha merge NODE --config FILE` brings the rows into the "
       "primary, and `pandora-ha resync NODE` makes the node anew"},
      {F::kNodeRewinding, kWarning, "A node's own transactions are being taken back on it.",
       "wait; they stay in the archive, and the node follows when they are gone"},
      {F::kNodeVerifying, kInfo, "A node's rows are being compared with the primary's.",
       "nothing has to be done; both serve meanwhile"},
      {F::kNotVerified, kWarning, "A node's rows could not be compared with the primary's.",
       "see the reason; it is tried again every hour, or `pandora-ha verify NODE --config FILE`"},
      {F::kRowsDiffer, kCritical, "A node that was put right does not have the primary's rows.",
       "see verified.json in the node's directory; `pandora-ha resync NODE` makes it anew"},
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
       "it is opened again by itself; before maintenance, `pandora-ha pause`"},
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
       "correct the cause that the error names; `pandora-ha resync NODE`, which copies the "
       "primary's "
       "data, is the last resort"},
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
       "`pandora-ha resume NODE` ends it"},
      {F::kFenced, kWarning, "A node is kept down because a person asked for it.",
       "`pandora-ha unfence NODE` ends it"},
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
  std::string remedy(row->remedy);
  const std::string name = about ? " " + about->text : "";
  for (auto at = remedy.find(kNode); at != std::string::npos; at = remedy.find(kNode))
    remedy.replace(at, kNode.size(), name);
  return {code, std::move(about), row->severity, std::move(says), std::move(remedy)};
}

}  // namespace pandora_ha
