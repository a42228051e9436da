#include "reconciler/model/json.h"

#include <nlohmann/json.hpp>

namespace pandora_ha {
namespace {

using nlohmann::json;

constexpr int kMostDepth = 64;

// A moment that the machine counted from its start, as people's time.
std::string Dated(TimePoint at, const Instant& now) {
  return FormatWallTime(now.wall + std::chrono::round<Milliseconds>(at - now.mono));
}

template <class Values>
json List(const Values& values) {
  json out = json::array();
  for (const auto& value : values) out.push_back(ToJson(value));
  return out;
}

json PublicationToJson(const PublicationSeen& publication) {
  json out = {{"epoch", publication.epoch.number}};
  if (publication.primary) out["primary"] = publication.primary->text;
  if (!publication.problem.empty()) out["problem"] = publication.problem;
  return out;
}

json NodeToJson(const NodeStatus& node) {
  json out = {{"name", node.name.text},
              {"label", node.label},
              {"site", node.site},
              {"address", ToString(node.address)},
              {"role", ToString(node.role)},
              {"preferred", node.preferred},
              {"contact", ToString(node.contact)},
              {"replication", node.replication},
              {"semiSync", node.semi_sync},
              {"lossless", node.lossless}};
  if (!node.version.empty()) out["version"] = node.version;
  if (node.writable) out["writable"] = *node.writable;
  if (node.lag) out["lagSeconds"] = node.lag->count();
  if (node.behind) out["behind"] = *node.behind;
  if (!node.position.empty()) out["position"] = node.position;
  if (!node.note.empty()) out["note"] = node.note;
  if (node.paused) out["paused"] = ToJson(*node.paused);
  if (node.fenced) out["fenced"] = ToJson(*node.fenced);
  if (node.divergence) out["divergence"] = ToJson(*node.divergence);
  if (!node.archive.empty()) out["archive"] = node.archive;
  if (node.merged) out["merged"] = ToJson(*node.merged);
  return out;
}

std::string_view ToString(ThreadState state) {
  switch (state) {
    case ThreadState::kStopped:
      return "stopped";
    case ThreadState::kConnecting:
      return "connecting";
    case ThreadState::kRunning:
      return "running";
  }
  return "";
}

std::string_view ToString(ProcessState::Phase phase) {
  switch (phase) {
    case ProcessState::Phase::kRunning:
      return "running";
    case ProcessState::Phase::kEnded:
      return "ended";
    case ProcessState::Phase::kNeverStarted:
      return "never started";
  }
  return "";
}

std::string_view ToString(CopySeen::Phase phase) {
  switch (phase) {
    case CopySeen::Phase::kCopying:
      return "copying";
    case CopySeen::Phase::kInPlace:
      return "inPlace";
    case CopySeen::Phase::kFailed:
      return "failed";
  }
  return "";
}

json ChannelToJson(const ReplicationSeen& channel) {
  json out = {{"source", ToString(channel.source)},
              {"receiving", ToString(channel.io)},
              {"applying", ToString(channel.sql)},
              {"received", channel.received.ToString()},
              {"appliedAll", channel.applied_all}};
  if (channel.lag) out["lagSeconds"] = channel.lag->count();
  if (channel.io_errno != 0) {
    out["receiveError"] = {{"number", channel.io_errno}, {"message", channel.io_error}};
  }
  if (channel.sql_errno != 0) {
    out["applyError"] = {{"number", channel.sql_errno}, {"message", channel.sql_error}};
  }
  return out;
}

json StateToJson(const DatabaseState& state) {
  json out = {{"version", state.version.text},
              {"flavor", ToString(state.version.flavor)},
              {"serverId", state.server_id},
              {"writable", state.writable},
              {"executed", state.executed.ToString()},
              {"durable", state.durable},
              {"provisioned", state.provisioned},
              {"semiSync",
               {{"sourceEnabled", state.semi_sync.source_enabled},
                {"sourceWaiting", state.semi_sync.source_waiting},
                {"acknowledgers", state.semi_sync.acknowledgers},
                {"replicaEnabled", state.semi_sync.replica_enabled},
                {"replicaActive", state.semi_sync.replica_active}}}};
  if (!state.server_uuid.empty()) out["serverUuid"] = state.server_uuid;
  if (!state.tls_cipher.empty()) out["tlsCipher"] = state.tls_cipher;
  if (state.replication) out["replication"] = ChannelToJson(*state.replication);
  if (state.heartbeat) {
    out["marker"] = {{"epoch", state.heartbeat->epoch.number},
                     {"writer", state.heartbeat->writer.text},
                     {"writtenAt", FormatWallTime(state.heartbeat->written_at)}};
  }
  return out;
}

std::string_view ToString(JobSeen::Phase phase) {
  switch (phase) {
    case JobSeen::Phase::kWorking:
      return "working";
    case JobSeen::Phase::kDone:
      return "done";
    case JobSeen::Phase::kFailed:
      return "failed";
  }
  return "";
}

json ProcessToJson(const ProcessState& process, const Instant& now) {
  json out = {{"phase", process.starting ? "starting" : ToString(process.phase)},
              {"fenced", process.fenced},
              {"restartInhibited", process.restart_inhibited}};
  if (process.phase == ProcessState::Phase::kRunning) out["pid"] = process.pid;
  if (process.phase == ProcessState::Phase::kEnded) {
    out["howEnded"] = process.how_ended;
    out["endedAt"] = Dated(process.ended_at, now);
  }
  if (process.copy) {
    const CopySeen& copy = *process.copy;
    out["copy"] = {
        {"phase", ToString(copy.phase)}, {"bytes", copy.bytes}, {"expectedBytes", copy.expected}};
    if (copy.phase == CopySeen::Phase::kCopying) out["copy"]["beganAt"] = Dated(copy.began, now);
    if (!copy.how.empty()) out["copy"]["how"] = copy.how;
    if (!copy.why.empty()) out["copy"]["why"] = copy.why;
  }
  if (process.old_copy) out["oldCopy"] = true;
  if (process.archive) {
    const ArchiveSeen& archive = *process.archive;
    out["archive"] = {{"phase", ToString(archive.phase)},
                      {"bytes", archive.done},
                      {"expectedBytes", archive.all}};
    if (archive.phase == ArchiveSeen::Phase::kDone) out["archive"]["place"] = archive.place;
    if (!archive.why.empty()) out["archive"]["why"] = archive.why;
  }
  if (process.merge) {
    const MergeSeen& merge = *process.merge;
    out["merge"] = {{"phase", ToString(merge.phase)},
                    {"transactions", merge.done},
                    {"allTransactions", merge.all}};
    if (merge.phase == MergeSeen::Phase::kDone) out["merge"]["rows"] = ToJson(merge.rows);
    if (!merge.why.empty()) out["merge"]["why"] = merge.why;
  }
  if (process.rewind) {
    const JobSeen& rewind = *process.rewind;
    out["rewind"] = {
        {"phase", ToString(rewind.phase)}, {"rows", rewind.done}, {"allRows", rewind.all}};
    if (!rewind.why.empty()) out["rewind"]["why"] = rewind.why;
  }
  if (process.verification) {
    const VerificationSeen& verification = *process.verification;
    json& told = out["verification"];
    told = {{"phase", ToString(verification.phase)},
            {"rows", verification.done},
            {"expectedRows", verification.all}};
    if (verification.phase == JobSeen::Phase::kDone) {
      told["differs"] = verification.differs;
      told["settled"] = verification.settled;
    }
    if (!verification.why.empty()) told["why"] = verification.why;
  }
  return out;
}

// {"known": true, "at": …, "value": …} or {"known": false, "why": …}
template <class T, class F>
json SeenToJson(const Seen<T>& seen, const Instant& now, F&& value) {
  json out = {{"known", seen.known()}};
  if (seen.at() != TimePoint{}) out["at"] = Dated(seen.at(), now);
  if (seen.known()) {
    out["value"] = value(*seen);
  } else {
    out["why"] = seen.why_unknown();
  }
  return out;
}

json DatabaseToJson(const DatabaseSeen& node, const Instant& now) {
  json out = {{"name", node.name.text},
              {"contact", ToString(node.contact)},
              {"canFence", node.can_fence},
              {"selfFencing", node.self_fencing},
              {"state", SeenToJson(node.state, now, StateToJson)},
              {"process", SeenToJson(node.process, now, [&](const ProcessState& p) {
                 return ProcessToJson(p, now);
               })}};
  if (!node.contact_error.empty()) out["contactError"] = node.contact_error;
  if (node.unanswered_since) out["unansweredSince"] = Dated(*node.unanswered_since, now);
  return out;
}

}  // namespace

Result<json> ParseJson(std::string_view text) {
  bool too_deep = false;
  const auto guard = [&](int depth, json::parse_event_t, json&) {
    too_deep = too_deep || depth > kMostDepth;
    if (too_deep) throw std::length_error("depth");
    return true;
  };
  try {
    return json::parse(text, guard);
  } catch (const std::exception& e) {
    return Error{
        ErrorCode::kInvalid,
        too_deep ? "The JSON text is nested deeper than " + std::to_string(kMostDepth) + " levels."
                 : "This is not JSON: " + std::string(e.what()),
        0};
  }
}

std::string PrintJson(const json& value, int indent) {
  return value.dump(indent, ' ', false, json::error_handler_t::replace);
}

json ToJson(const Finding& finding) {
  json out = {{"code", ToString(finding.code)},
              {"severity", ToString(finding.severity)},
              {"says", finding.says},
              {"remedy", finding.remedy}};
  if (finding.about) out["about"] = finding.about->text;
  return out;
}

json ToJson(const CandidateVerdict& verdict) {
  return {{"node", verdict.node.text}, {"eligible", verdict.eligible}, {"reason", verdict.reason}};
}

json ToJson(const Blocked& blocked, const Instant& now) {
  json out = {{"reason", ToString(blocked.reason)}, {"says", blocked.says}, {"who", blocked.who}};
  if (blocked.until) out["until"] = Dated(*blocked.until, now);
  return out;
}

json ToJson(const Step& step) {
  json requires_ = json::array();
  for (const Condition& condition : step.requires_) requires_.push_back(Describe(condition));
  json out = {{"action", Describe(step.action)},
              {"because", step.because},
              {"requires", std::move(requires_)},
              {"deadlineMicroseconds", step.deadline.count()}};
  if (const NodeName target = TargetOf(step.action); !target.text.empty())
    out["node"] = target.text;
  return out;
}

json ToJson(const Plan& plan) {
  return {{"purpose", plan.purpose}, {"ordered", plan.ordered}, {"steps", List(plan.steps)}};
}

json ToJson(const Report& report) {
  json steps = json::array();
  for (const StepReport& step : report.steps) {
    steps.push_back({{"step", step.step},
                     {"outcome", ToString(step.outcome)},
                     {"tookMicroseconds", step.took.count()}});
    if (!step.error.empty()) steps.back()["error"] = step.error;
  }
  return {{"complete", report.complete}, {"steps", std::move(steps)}};
}

json ToJson(const ClusterStatus& status) {
  json conditions = json::array();
  for (const ConditionStatus& condition : status.conditions) {
    conditions.push_back({{"type", condition.type},
                          {"status", ToString(condition.status)},
                          {"reason", condition.reason},
                          {"message", condition.message},
                          {"observedGeneration", status.observed_generation}});
  }
  json nodes = json::array();
  for (const NodeStatus& node : status.nodes) nodes.push_back(NodeToJson(node));
  json blocked = json::array();
  for (const Blocked& one : status.blocked) {
    blocked.push_back({{"reason", ToString(one.reason)}, {"says", one.says}, {"who", one.who}});
  }
  json out = {{"name", status.name},
              {"observedGeneration", status.observed_generation},
              {"state", ToString(status.state)},
              {"verdict", status.verdict},
              {"epoch", status.epoch.number},
              {"policy", status.policy_sentence},
              {"durability",
               {{"declared", ToString(status.durability_declared)},
                {"inForce", ToString(status.durability_in_force)}}},
              {"conditions", std::move(conditions)},
              {"nodes", std::move(nodes)},
              {"findings", List(status.findings)},
              {"blocked", std::move(blocked)},
              {"candidates", List(status.candidates)},
              {"publication", PublicationToJson(status.publication)},
              {"observedAt", FormatWallTime(status.observed_at)}};
  if (status.primary) out["primary"] = status.primary->text;
  if (status.paused) out["paused"] = ToJson(*status.paused);
  if (status.failed_over_at) out["notAcknowledged"] = FormatWallTime(*status.failed_over_at);
  if (status.cool_down_until) out["coolDownUntil"] = FormatWallTime(*status.cool_down_until);
  return out;
}

json SummaryToJson(const ClusterSpec& spec) {
  json nodes = json::array();
  for (const DatabaseNodeSpec& node : spec.database.nodes) {
    nodes.push_back({{"name", node.name.text},
                     {"address", ToString(Address{node.address, spec.database.port})},
                     {"serverId", node.server_id},
                     {"site", node.site},
                     {"label", node.label}});
  }
  const DetectionSpec& detection = spec.database.detection;
  return {{"name", spec.name},
          {"namespace", spec.name_space},
          {"generation", spec.generation},
          {"substrate", ToString(spec.substrate)},
          {"suspend", spec.suspend},
          {"failoverPolicy", ToString(spec.failover_policy)},
          {"durability", ToString(spec.database.replication.durability)},
          {"withoutReplica", ToString(spec.database.replication.without_replica)},
          {"detection",
           {{"intervalMilliseconds", detection.interval.count()},
            {"timeoutMilliseconds", detection.timeout.count()},
            {"connectRetries", detection.connect_retries}}},
          {"nodes", std::move(nodes)}};
}

json ToJson(const Observation& seen) {
  json databases = json::array();
  for (const DatabaseSeen& node : seen.databases) {
    databases.push_back(DatabaseToJson(node, seen.taken_at));
  }
  json witnesses = json::array();
  for (const WitnessSeen& witness : seen.witnesses) {
    witnesses.push_back({{"name", witness.name.text},
                         {"independent", witness.independent},
                         {"seesPrimary", SeenToJson(witness.sees_primary, seen.taken_at,
                                                    [](bool sees) { return json(sees); })}});
  }
  return {{"id", seen.id},
          {"takenAt", FormatWallTime(seen.taken_at.wall)},
          {"databases", std::move(databases)},
          {"publication", PublicationToJson(seen.publication)},
          {"witnesses", std::move(witnesses)}};
}

json ToJson(const Decision& decision, const Instant& now) {
  json blocked = json::array();
  for (const Blocked& one : decision.blocked) blocked.push_back(ToJson(one, now));
  return {{"state", ToString(decision.state)},
          {"findings", List(decision.findings)},
          {"blocked", std::move(blocked)},
          {"candidates", List(decision.candidates)},
          {"plan", ToJson(decision.plan)},
          {"lookAgainInMicroseconds", decision.look_again_in.count()}};
}

}  // namespace pandora_ha
