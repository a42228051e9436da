// What is told about a cluster: status for people and machines, events, and the snapshot that API,
// page and metrics read.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "reconciler/model/memory.h"
#include "reconciler/model/observation.h"
#include "reconciler/model/plan.h"
#include "reconciler/model/spec.h"

namespace pandora_ha {

enum class Truth { kTrue, kFalse, kUnknown };

// As Kubernetes conditions: Ready, Available, ReplicationHealthy, PrimaryReachable, Progressing,
// Paused, SplitBrainDetected.
struct ConditionStatus {
  std::string type;
  Truth status = Truth::kUnknown;
  std::string reason;  // CamelCase
  std::string message;

  bool operator==(const ConditionStatus&) const = default;
};

enum class Role { kPrimary, kReplica, kNone, kUnknown };

struct NodeStatus {
  NodeName name;
  std::string label;
  std::string site;
  Address address;
  Role role = Role::kUnknown;
  bool preferred = false;
  Contact contact = Contact::kNeverTried;
  std::string version;  // empty: unknown
  std::optional<bool> writable;
  std::string
      replication;  // "running", "connecting", "stopped", "error 1062", "" for a primary, "unknown"
  std::optional<Seconds> lag;  // none: unknown or not a replica
  std::optional<std::uint64_t>
      behind;             // transactions the primary has and this node has not received
  std::string semi_sync;  // "acknowledging", "waiting for 1", "off", …
  std::string position;   // GTID set, printed
  bool lossless = false;
  std::string note;  // first finding about the node; empty: none
  std::optional<Guard> paused, fenced;
  // What it committed by itself and the primary lacks, counted one by one, and where that is kept.
  // None and empty: nothing, or not archived yet.
  std::optional<Divergence> divergence;
  std::string archive;
  std::optional<MergedRows> merged;  // of these, what became of them in the primary

  bool operator==(const NodeStatus&) const = default;
};

struct ClusterStatus {
  std::string name;
  std::int64_t observed_generation = 0;
  ClusterState state = ClusterState::kUnknown;
  std::string verdict;  // one sentence: what is the matter and why (not) acted
  std::optional<NodeName> primary;
  Epoch epoch;
  std::string policy_sentence;
  DurabilityMode durability_declared = DurabilityMode::kAsync;
  DurabilityMode durability_in_force = DurabilityMode::kAsync;
  std::vector<ConditionStatus> conditions;
  std::vector<NodeStatus> nodes;
  std::vector<Finding> findings;
  std::vector<Blocked> blocked;
  std::vector<CandidateVerdict> candidates;
  std::vector<IntentRecord> intents;  // the newest last
  std::optional<Guard> paused;
  // The last failover that no person asked for, until it is acknowledged.
  std::optional<WallTime> failed_over_at;
  // Until then no primary that only is silent is replaced by itself; none: nothing keeps us from
  // it.
  std::optional<WallTime> cool_down_until;
  PublicationSeen publication;
  // What a changed document, taken up since the last look, changed.
  std::vector<std::string> document_changes;
  WallTime observed_at{};

  bool operator==(const ClusterStatus&) const = default;
};

// One line of history.
struct Event {
  std::string id;  // unique; the same event always gets the same one
  WallTime at{};
  Severity severity = Severity::kInfo;
  std::string reason;  // CamelCase, from a closed set: see docs/events.md
  std::optional<NodeName> about;
  Epoch epoch;
  std::string message;

  bool operator==(const Event&) const = default;
};

// How long the phases of one failover took. Zero where a phase was not needed.
struct FailoverTiming {
  Duration detect{}, fence{}, promote{}, publish{}, total{};

  bool operator==(const FailoverTiming&) const = default;
};

// Numbers that only grow while the process lives.
struct Counters {
  std::uint64_t looks = 0;
  std::uint64_t look_errors = 0;
  std::uint64_t failovers_done = 0, failovers_failed = 0;
  std::uint64_t steps_done = 0, steps_failed = 0;
  std::map<std::string, std::uint64_t> findings_raised;  // by code
  std::vector<FailoverTiming> failover_timings;          // bounded: the newest 64

  bool operator==(const Counters&) const = default;
};

// When the parts of one tick were over.
struct TickTimes {
  TimePoint began{}, looked{}, decided{}, remembered{}, acted{};
};

// Everything a reader may want of one tick. Immutable once pinned; never shared by reference.
struct Snapshot {
  ClusterSpec spec;
  Observation seen;
  Decision decision;
  Report report;
  ClusterStatus status;
  Counters counters;
  Duration tick_took{};
  TickTimes times;
};

std::string_view ToString(Truth truth);  // "True", "False", "Unknown"
std::string_view ToString(Role role);    // "primary", "replica", "none", "unknown"

}  // namespace pandora_ha
