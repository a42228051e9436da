#include "reconciler/model/not_reconciled.h"

namespace pandora_ha {

std::vector<UnreconciledPart> NotReconciled(const ClusterSpec& spec) {
  std::vector<UnreconciledPart> parts;
  const auto add = [&](const char* path, const char* says) { parts.push_back({path, says}); };
  const DatabaseSpec& database = spec.database;
  if (spec.substrate == SubstrateKind::kHosts) {
    add("spec.substrate",
        "hosts are observed and replication is managed over the MySQL protocol; servers are "
        "not started and not fenced over SSH yet.");
  } else if (spec.substrate == SubstrateKind::kKubernetes) {
    add("spec.substrate", "nothing is created in Kubernetes yet.");
  }
  if (database.failback == Failback::kWhenCaughtUp) {
    add("spec.database.failback", "a switchover back to the preferred node is not made yet.");
  }
  if (database.split_brain != SplitBrainSpec{}) {
    add("spec.database.splitBrain",
        "a diverged node is kept read-only and reported; its rows are not "
        "archived, merged or rewound yet.");
  }
  if (database.salvage != SalvageSpec{}) {
    add("spec.database.salvage", "the binary log of a dead primary is not fetched yet.");
  }
  if (database.resync != ResyncSpec{}) add("spec.database.resync", "a replica is not rebuilt yet.");
  if (database.virtual_ip) add("spec.database.virtualIP", "the address is not moved yet.");
  if (!spec.lease.witnesses.empty()) add("spec.lease.witnesses", "witnesses are not asked yet.");
  if (spec.data_in)
    add("spec.dataIn", "only the hosts file in conf/ is written; directories are not shared yet.");
  if (!spec.servers.empty()) add("spec.servers", "Pandora servers are not watched yet.");
  if (spec.console) add("spec.console", "consoles are not watched yet.");
  return parts;
}

}  // namespace pandora_ha
