// The reasons of events: a closed set, in the words of docs/events.md.
#include "reconciler/decide/status_of.h"

namespace pandora_ha {

const std::vector<EventRow>& EventTable() {
  static const std::vector<EventRow> table = {
      {"ManagerStarted", "A manager began to look after the cluster."},
      {"FirstPrimary", "The cluster got its first primary."},
      {"FailoverStarted", "The primary is gone and a promotion was begun."},
      {"FailoverDone", "Another node is primary now."},
      {"FailoverWithdrawn",
       "Before anybody was opened the old primary came back, or its end could not be proven any "
       "more; it goes on."},
      {"SwitchoverStarted", "A person asked for another primary, and the present one is closed."},
      {"SwitchoverDone", "Another node is primary now, as a person asked."},
      {"SwitchoverWithdrawn", "A switchover could not be finished; the old primary goes on."},
      {"FailoverBlocked", "A failover is needed and is not made; the message says who can help."},
      {"PrimaryAdopted", "A primary that somebody else decided on was taken over."},
      {"PrimaryReopened", "The recorded primary was read-only and accepts writes again."},
      {"LossPossible", "A promotion may have lost acknowledged rows."},
      {"ReplicaLost", "A replica is down, unreachable, stopped or broken."},
      {"ReplicaBack", "A replica that did not follow the primary does."},
      {"DurabilityDegraded", "semiSync is declared and commits do not wait for a replica now."},
      {"DurabilityRestored", "Commits wait for a replica again."},
      {"SplitBrain", "Two nodes accept writes and their histories differ."},
      {"ResyncStarted", "A node's data is being made anew from the primary's."},
      {"ResyncDone", "A node's data was made anew, and it follows."},
      {"ResyncFailed", "A node's data could not be made anew; the message says why."},
      {"RowsArchived", "What a node committed by itself is counted, and kept in an archive."},
      {"ArchiveFailed", "What a node committed by itself could not be archived."},
      {"RowsMerged",
       "The primary was given what a node committed by itself; what it did not take is counted."},
      {"MergeFailed", "What a node committed by itself could not be merged; the message says why."},
      {"NodeRewound",
       "What a node committed by itself was taken back on it, in place of a copy; it stays in its "
       "archive."},
      {"NodeVerified",
       "A node that was rewound, or made anew after a merge, has the same rows as the primary."},
      {"NodeDiverged", "A node has transactions that the primary lacks."},
      {"StepFailed", "A step of a plan failed, or its outcome is not known."},
      {"FindingRaised", "Something else worth a look appeared; the message begins with its code."},
      {"FindingCleared", "It is over."},
      {"IntentTakenUp", "A person's wish is being carried out."},
      {"IntentDone", "A person's wish is carried out."},
      {"IntentRefused", "A person's wish is not carried out; the message says why."},
      {"IntentTakenBack", "A person's wish was begun, and all is as it was before."},
      {"IntentSuperseded", "The world changed before a person's wish was carried out."},
      {"DocumentChanged", "A changed document was taken up; the message says what changed."},
      {"Suspended", "spec.suspend was set."},
      {"Resumed", "spec.suspend was taken away."},
      {"StandsBy", "Another manager acts on the cluster; this one only observes."},
      {"TookOver", "This manager only observed, and acts now."},
      {"StateChanged", "The cluster's state changed; the message is the new verdict."},
  };
  return table;
}

}  // namespace pandora_ha
