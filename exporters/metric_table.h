// Every metric, in one place: name, type, labels, unit, meaning. exporters/README.md is this table.
#pragma once

#include <string_view>
#include <vector>

namespace pandora_ha {

// In the order of the table.
enum class Metric {
  kBuildInfo,
  kDocumentsRefused,
  kClusterState,
  kClusterAvailable,
  kClusterMembers,
  kWritablePrimaries,
  kPrimaryEpoch,
  kPublishedEpoch,
  kDurabilityInForce,
  kInstanceUp,
  kInstanceRole,
  kInstanceWritable,
  kReplicationIoRunning,
  kReplicationSqlRunning,
  kReplicationLag,
  kReplicationLastError,
  kReplicationBehind,
  kSemiSyncAcknowledgers,
  kSemiSyncWaiting,
  kPromotableLossless,
  kDivergedTransactions,
  kDivergedRows,
  kFailoverTotal,
  kFailoverDuration,
  kFailoverBlocked,
  kFinding,
  kFindingsRaised,
  kSteps,
  kLooks,
  kTickDuration,
  kLastLook,
  kEndpointSessions,
  kEndpointWaiting,
  kEndpointSessionsTotal,
  kEndpointCut,
  kEndpointDrained,
};

struct MetricRow {
  Metric metric;
  std::string_view name;    // with the prefix pandora_ha_
  std::string_view type;    // "gauge" or "counter"
  std::string_view labels;  // "cluster, instance_name"
  std::string_view unit;    // "" for a count, "bool", "seconds", …
  std::string_view meaning;
};

const std::vector<MetricRow>& MetricTable();

}  // namespace pandora_ha
