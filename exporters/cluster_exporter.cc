#include "exporters/cluster_exporter.h"

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>

#include "exporters/metric_table.h"

namespace pandora_ha {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using Labels = std::vector<ClientMetric::Label>;

double InSeconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

// Collects into one family per row of the table.
class ClusterExporter : public prometheus::Collectable {
 public:
  explicit ClusterExporter(const ExporterSources& sources) : sources_(sources) {}

  std::vector<MetricFamily> Collect() const override {
    Families out;
    out.Set(Metric::kBuildInfo, {{"version", sources_.version}, {"compiler", __VERSION__}}, 1);
    if (sources_.refused_documents)
      out.Set(Metric::kDocumentsRefused, {}, std::uint64_t{sources_.refused_documents()});
    for (const auto& snapshot : sources_.noticeboard.All()) AddCluster(*snapshot, &out);
    if (sources_.endpoints) {
      for (const auto& [cluster, numbers] : sources_.endpoints())
        AddEndpoint(cluster, numbers, &out);
    }
    return out.Take();
  }

 private:
  class Families {
   public:
    Families() {
      for (const MetricRow& row : MetricTable()) {
        MetricFamily family;
        family.name = row.name;
        family.help = row.meaning;
        family.type =
            row.type == "counter" ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge;
        families_.push_back(std::move(family));
      }
    }
    void Set(Metric metric, Labels labels, double value) {
      MetricFamily& family = families_[static_cast<std::size_t>(metric)];
      ClientMetric sample;
      sample.label = std::move(labels);
      (family.type == prometheus::MetricType::Counter ? sample.counter.value : sample.gauge.value) =
          value;
      family.metric.push_back(std::move(sample));
    }
    void Set(Metric metric, Labels labels, std::uint64_t value) {
      Set(metric, std::move(labels), static_cast<double>(value));
    }
    void Set(Metric metric, Labels labels, int value) {
      Set(metric, std::move(labels), static_cast<double>(value));
    }
    void Set(Metric metric, Labels labels, bool value) {
      Set(metric, std::move(labels), value ? 1.0 : 0.0);
    }
    // A family without a sample is left out.
    std::vector<MetricFamily> Take() {
      std::erase_if(families_, [](const MetricFamily& f) { return f.metric.empty(); });
      return std::move(families_);
    }

   private:
    std::vector<MetricFamily> families_;
  };

  static void AddCluster(const Snapshot& snapshot, Families* out) {
    AddState(snapshot, out);
    AddDecision(snapshot, out);
    AddLoop(snapshot, out);
    for (const NodeStatus& node : snapshot.status.nodes) {
      AddNode(snapshot, node, out);
    }
  }

  static void AddState(const Snapshot& snapshot, Families* out) {
    const ClusterStatus& status = snapshot.status;
    const std::string& cluster = status.name;
    for (int i = 0; i <= static_cast<int>(ClusterState::kUnknown); ++i) {
      const auto state = static_cast<ClusterState>(i);
      out->Set(Metric::kClusterState,
               {{"cluster", cluster}, {"state", std::string(ToString(state))}},
               status.state == state);
    }
    for (const ConditionStatus& condition : status.conditions) {
      if (condition.type == "Available" && condition.status != Truth::kUnknown)
        out->Set(Metric::kClusterAvailable, {{"cluster", cluster}},
                 condition.status == Truth::kTrue);
    }
    for (const Role role : {Role::kPrimary, Role::kReplica, Role::kNone, Role::kUnknown}) {
      const auto members = std::count_if(status.nodes.begin(), status.nodes.end(),
                                         [&](const NodeStatus& n) { return n.role == role; });
      out->Set(Metric::kClusterMembers,
               {{"cluster", cluster}, {"role", std::string(ToString(role))}},
               static_cast<int>(members));
    }
    const auto writable = std::count_if(status.nodes.begin(), status.nodes.end(),
                                        [](const NodeStatus& n) { return n.writable == true; });
    out->Set(Metric::kWritablePrimaries, {{"cluster", cluster}}, static_cast<int>(writable));
    out->Set(Metric::kPrimaryEpoch, {{"cluster", cluster}}, status.epoch.number);
    if (status.publication.primary)
      out->Set(Metric::kPublishedEpoch, {{"cluster", cluster}}, status.publication.epoch.number);
    for (const DurabilityMode mode : {DurabilityMode::kAsync, DurabilityMode::kSemiSync}) {
      out->Set(Metric::kDurabilityInForce,
               {{"cluster", cluster}, {"mode", std::string(ToString(mode))}},
               status.durability_in_force == mode);
    }
  }

  static void AddDecision(const Snapshot& snapshot, Families* out) {
    const ClusterStatus& status = snapshot.status;
    for (const BlockReason reason : AllBlockReasons()) {
      const bool blocked = std::any_of(status.blocked.begin(), status.blocked.end(),
                                       [&](const Blocked& b) { return b.reason == reason; });
      out->Set(Metric::kFailoverBlocked,
               {{"cluster", status.name}, {"reason", std::string(ToString(reason))}}, blocked);
    }
    std::map<FindingCode, std::pair<Severity, int>> findings;
    for (const Finding& finding : status.findings) {
      auto& [severity, count] = findings[finding.code];
      severity = finding.severity;
      ++count;
    }
    for (const auto& [code, finding] : findings) {
      out->Set(Metric::kFinding,
               {{"cluster", status.name},
                {"code", std::string(ToString(code))},
                {"severity", std::string(ToString(finding.first))}},
               finding.second);
    }
  }

  static void AddLoop(const Snapshot& snapshot, Families* out) {
    const std::string& cluster = snapshot.status.name;
    const Counters& counters = snapshot.counters;
    const auto result = [&](Metric metric, const char* word, std::uint64_t count) {
      out->Set(metric, {{"cluster", cluster}, {"result", word}}, count);
    };
    result(Metric::kFailoverTotal, "done", counters.failovers_done);
    result(Metric::kFailoverTotal, "failed", counters.failovers_failed);
    result(Metric::kSteps, "done", counters.steps_done);
    result(Metric::kSteps, "failed", counters.steps_failed);
    for (const auto& [code, count] : counters.findings_raised)
      out->Set(Metric::kFindingsRaised, {{"cluster", cluster}, {"code", code}}, count);
    out->Set(Metric::kLooks, {{"cluster", cluster}}, counters.looks);
    out->Set(Metric::kTickDuration, {{"cluster", cluster}}, InSeconds(snapshot.tick_took));
    out->Set(Metric::kLastLook, {{"cluster", cluster}},
             InSeconds(snapshot.seen.taken_at.wall.time_since_epoch()));
    if (counters.failover_timings.empty()) return;
    const FailoverTiming& last = counters.failover_timings.back();
    for (const auto& [phase, took] :
         {std::pair("detect", last.detect), std::pair("fence", last.fence),
          std::pair("promote", last.promote), std::pair("publish", last.publish),
          std::pair("total", last.total)}) {
      out->Set(Metric::kFailoverDuration, {{"cluster", cluster}, {"phase", phase}},
               InSeconds(took));
    }
  }

  static void AddNode(const Snapshot& snapshot, const NodeStatus& node, Families* out) {
    const Labels labels = {{"cluster", snapshot.status.name}, {"instance_name", node.name.text}};
    const auto with = [&](const char* name, std::string value) {
      Labels more = labels;
      more.push_back({name, std::move(value)});
      return more;
    };
    out->Set(Metric::kInstanceUp, labels,
             node.contact == Contact::kAnswered && node.role != Role::kUnknown);
    for (const Role role : {Role::kPrimary, Role::kReplica, Role::kNone, Role::kUnknown})
      out->Set(Metric::kInstanceRole, with("role", std::string(ToString(role))), node.role == role);
    out->Set(Metric::kPromotableLossless, labels, node.lossless);
    if (node.divergence) {
      const RowCounts rows = node.divergence->rows();
      out->Set(Metric::kDivergedTransactions, labels,
               node.divergence->transactions - node.divergence->marks);
      out->Set(Metric::kDivergedRows, with("change", "inserted"), rows.inserted);
      out->Set(Metric::kDivergedRows, with("change", "updated"), rows.updated);
      out->Set(Metric::kDivergedRows, with("change", "deleted"), rows.deleted);
    }
    if (node.writable) out->Set(Metric::kInstanceWritable, labels, *node.writable);
    if (node.lag) out->Set(Metric::kReplicationLag, labels, InSeconds(*node.lag));
    if (node.behind) out->Set(Metric::kReplicationBehind, labels, *node.behind);
    const DatabaseSeen* seen = FindSeen(snapshot.seen, node.name);
    if (seen == nullptr || !seen->state.known() || node.role == Role::kUnknown) return;
    if (node.role == Role::kPrimary) {
      out->Set(Metric::kSemiSyncAcknowledgers, labels, seen->state->semi_sync.acknowledgers);
      out->Set(Metric::kSemiSyncWaiting, labels, seen->state->semi_sync.source_waiting);
    }
    if (!seen->state->replication) return;
    const ReplicationSeen& channel = *seen->state->replication;
    out->Set(Metric::kReplicationIoRunning, labels, channel.io == ThreadState::kRunning);
    out->Set(Metric::kReplicationSqlRunning, labels, channel.sql == ThreadState::kRunning);
    out->Set(Metric::kReplicationLastError, with("thread", "io"), channel.io_errno);
    out->Set(Metric::kReplicationLastError, with("thread", "sql"), channel.sql_errno);
  }

  static void AddEndpoint(const std::string& cluster, const EndpointNumbers& numbers,
                          Families* out) {
    out->Set(Metric::kEndpointSessions, {{"cluster", cluster}}, numbers.sessions);
    out->Set(Metric::kEndpointWaiting, {{"cluster", cluster}}, numbers.waiting);
    out->Set(Metric::kEndpointSessionsTotal, {{"cluster", cluster}}, numbers.sessions_total);
    out->Set(Metric::kEndpointCut, {{"cluster", cluster}}, numbers.cut);
    out->Set(Metric::kEndpointDrained, {{"cluster", cluster}}, numbers.drained);
  }

  const ExporterSources& sources_;
};

}  // namespace

std::string MetricsText(const ExporterSources& sources) {
  return prometheus::TextSerializer().Serialize(ClusterExporter(sources).Collect());
}

}  // namespace pandora_ha
