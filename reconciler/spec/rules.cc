#include "reconciler/spec/rules.h"

#include <algorithm>

#include "reconciler/spec/rule_context.h"

namespace pandora_ha {
namespace {

using namespace rules;  // NOLINT: the table below names each of them once

struct Rule {
  const char* id;
  void (*check)(const Context&);
};

constexpr Rule kRules[] = {
    {"UniqueAddress", UniqueAddress},
    {"UniqueServerId", UniqueServerId},
    {"UniqueWitnessAddress", UniqueWitnessAddress},
    {"AddressForm", AddressForm},
    {"NodesOfHosts", NodesOfHosts},
    {"ReplicasOfKubernetes", ReplicasOfKubernetes},
    {"PreferenceNamesNode", PreferenceNamesNode},
    {"LoopbackOnLocal", LoopbackOnLocal},
    {"SshOfHosts", SshOfHosts},
    {"AccountsDiffer", AccountsDiffer},
    {"OneSecretSource", OneSecretSource},
    {"SecretSourceFitsSubstrate", SecretSourceFitsSubstrate},
    {"ClientCertificatePair", ClientCertificatePair},
    {"RestartAllowance", RestartAllowance},
    {"ScriptMethodNeedsScript", ScriptMethodNeedsScript},
    {"OptionName", OptionName},
    {"ManagedOption", ManagedOption},
    {"VirtualIpOfHosts", VirtualIpOfHosts},
    {"VirtualIpIsApart", VirtualIpIsApart},
    {"SemiSyncNeedsReplica", SemiSyncNeedsReplica},
    {"WitnessPolicyNeedsWitness", WitnessPolicyNeedsWitness},
    {"LeaseOutlastsDetection", LeaseOutlastsDetection},
    {"WitnessIsApart", WitnessIsApart},
    {"EndpointIsApart", EndpointIsApart},
    {"EndpointLeavesPort", EndpointLeavesPort},
    {"SharedSubdirectory", SharedSubdirectory},
    {"ConsoleAddresses", ConsoleAddresses},
    {"LocalSection", LocalSection},
    {"KubernetesSection", KubernetesSection},
    {"ClaimOfKubernetes", ClaimOfKubernetes},
};

constexpr const char* kSubstrateIsFixed = "SubstrateIsFixed";
constexpr const char* kSchemaIsFixed = "SchemaIsFixed";
constexpr const char* kServerIdIsFixed = "ServerIdIsFixed";
constexpr const char* kLocalIsFixed = "LocalIsFixed";

}  // namespace

std::vector<RuleViolation> CheckRules(const ClusterSpec& spec, const TreeNode& root) {
  std::vector<RuleViolation> violations;
  for (const Rule& rule : kRules) rule.check({spec, root, rule.id, &violations});
  return violations;
}

std::vector<RuleViolation> CheckChange(const ClusterSpec& before, const ClusterSpec& after) {
  std::vector<RuleViolation> violations;
  if (before.substrate != after.substrate) {
    violations.push_back({kSubstrateIsFixed,
                          "spec.substrate",
                          "it was '" + std::string(ToString(before.substrate)) +
                              "' and may not be changed; declare a new cluster and move the data",
                          {}});
  }
  if (before.database.schema != after.database.schema) {
    violations.push_back({kSchemaIsFixed,
                          "spec.database.schema",
                          "it was " + Shown(before.database.schema) +
                              " and may not be changed while the cluster exists",
                          {}});
  }
  if (before.local && after.local) {
    const auto fixed = [&](const char* path, const std::string& was) {
      violations.push_back(
          {kLocalIsFixed,
           path,
           "it was " + Shown(was) + " and may not be changed; declare a new cluster",
           {}});
    };
    if (before.local->directory != after.local->directory)
      fixed("spec.local.directory", before.local->directory);
    if (before.local->flavor != after.local->flavor)
      fixed("spec.local.flavor", before.local->flavor == Flavor::kMySql ? "mysql" : "mariadb");
  }
  for (std::size_t i = 0; i < after.database.nodes.size(); ++i) {
    const DatabaseNodeSpec& node = after.database.nodes[i];
    const DatabaseNodeSpec* known = FindNode(before, node.name);
    if (known == nullptr || known->server_id == node.server_id) continue;
    violations.push_back({kServerIdIsFixed,
                          Where(kNodes, i, "serverId"),
                          "it was " + std::to_string(known->server_id) +
                              " and may not be changed; remove the node and add it anew",
                          {}});
  }
  return violations;
}

std::vector<std::string> RuleIds() {
  std::vector<std::string> ids = {kSubstrateIsFixed, kSchemaIsFixed, kServerIdIsFixed,
                                  kLocalIsFixed};
  for (const Rule& rule : kRules) ids.emplace_back(rule.id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

const std::vector<std::string>& ManagedOptions() {
  static const std::vector<std::string> kOptions = {"basedir",
                                                    "bind_address",
                                                    "binlog_format",
                                                    "binlog_row_image",
                                                    "character_sets_dir",
                                                    "datadir",
                                                    "enforce_gtid_consistency",
                                                    "event_scheduler",
                                                    "gtid_mode",
                                                    "gtid_strict_mode",
                                                    "init_file",
                                                    "init_rpl_role",
                                                    "lc_messages_dir",
                                                    "log_bin",
                                                    "log_error",
                                                    "log_replica_updates",
                                                    "log_slave_updates",
                                                    "networking",
                                                    "offline_mode",
                                                    "pid_file",
                                                    "plugin_dir",
                                                    "port",
                                                    "read_only",
                                                    "relay_log",
                                                    "relay_log_recovery",
                                                    "replica_start",
                                                    "report_host",
                                                    "report_port",
                                                    "rpl_semi_sync_master_enabled",
                                                    "rpl_semi_sync_master_timeout",
                                                    "rpl_semi_sync_master_wait_no_slave",
                                                    "rpl_semi_sync_master_wait_point",
                                                    "rpl_semi_sync_replica_enabled",
                                                    "rpl_semi_sync_slave_enabled",
                                                    "rpl_semi_sync_source_enabled",
                                                    "rpl_semi_sync_source_timeout",
                                                    "rpl_semi_sync_source_wait_no_replica",
                                                    "rpl_semi_sync_source_wait_point",
                                                    "server_id",
                                                    "slave_start",
                                                    "socket",
                                                    "super_read_only",
                                                    "tmpdir",
                                                    "user"};
  return kOptions;
}

std::vector<RuleViolation> Advice(const ClusterSpec& spec) {
  std::vector<RuleViolation> advice;
  const DatabaseSpec& database = spec.database;
  const std::size_t members =
      database.nodes.empty() ? static_cast<std::size_t>(database.replicas) : database.nodes.size();
  if (members == 1) {
    advice.push_back({"",
                      database.nodes.empty() ? "spec.database.replicas" : kNodes,
                      "with one node there is nothing to fail over to; add a second",
                      {}});
  }
  if (members == 2 && database.replication.durability == DurabilityMode::kSemiSync &&
      database.replication.without_replica == WithoutReplica::kBlock) {
    advice.push_back({"",
                      "spec.database.replication.withoutReplica",
                      "with two nodes and 'block', the loss of the replica stops all writes; add a "
                      "node or choose degrade",
                      {}});
  }
  return advice;
}

}  // namespace pandora_ha
