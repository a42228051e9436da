// What is to be done, as data: printable, comparable, refusable.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "reconciler/base/clock.h"
#include "reconciler/model/ids.h"
#include "reconciler/model/memory.h"
#include "reconciler/model/spec.h"

namespace pandora_ha {

// ---- Actions: one small thing each, every one idempotent. ---------------------------------------

// Start the server's process, read-only and with replication stopped; makes its data directory
// first when there is none. Returns when the process runs, not when it answers.
struct StartServer {
  NodeName node;
  // The node was primary of an older epoch and a lossless promotion deposed it: a server that knows
  // how (MariaDB,
  // --init-rpl-role=SLAVE) takes back the transactions that no replica acknowledged.
  bool discard_unacknowledged = false;
  bool operator==(const StartServer&) const = default;
};
// End the server's process at once (SIGKILL) and keep it from being started by others.
struct FenceServer {
  NodeName node;
  bool operator==(const FenceServer&) const = default;
};
// Take client writes away. Bounded; fails when commits or locks hold it up.
struct SetReadOnly {
  NodeName node;
  bool operator==(const SetReadOnly&) const = default;
};
// Sessions of clients that would hold up SetReadOnly are ended and what they had begun is rolled
// back; never one that is committing.
struct EndTransactions {
  NodeName node;
  bool operator==(const EndTransactions&) const = default;
};
// New clients wait; the present ones may finish what they are at, and are then ended between two
// statements. Who is not done in time is left to WithdrawPublication.
struct DrainClients {
  bool operator==(const DrainClients&) const = default;
};
// Clients of the present publication are cut and new ones wait.
struct WithdrawPublication {
  bool operator==(const WithdrawPublication&) const = default;
};
// The replica receives nothing more; what it has keeps being applied.
struct StopReceiving {
  NodeName node;
  bool operator==(const StopReceiving&) const = default;
};
// Start the applier when it is stopped without an error, and wait until everything received is
// executed.
struct ApplyReceived {
  NodeName node;
  bool operator==(const ApplyReceived&) const = default;
};
// The node forgets its source and follows nobody. It stays read-only.
struct LeaveReplication {
  NodeName node;
  bool operator==(const LeaveReplication&) const = default;
};
enum class SemiSyncRole {
  kReplica,         // acknowledges, never waits
  kSource,          // waits for an acknowledgement, without a fall-back
  kSourceDegraded,  // acknowledges nothing to wait for: commits return at once
  kOff,             // durability: async
};
struct SetSemiSync {
  NodeName node;
  SemiSyncRole role = SemiSyncRole::kOff;
  bool operator==(const SetSemiSync&) const = default;
};
// Schema, accounts and heartbeat table, as declared; only on a primary-to-be or a primary.
struct Provision {
  NodeName node;
  bool operator==(const Provision&) const = default;
};
// Clients may write.
struct OpenWritable {
  NodeName node;
  Epoch epoch;
  bool operator==(const OpenWritable&) const = default;
};
// The heartbeat row says this epoch and this writer.
struct WriteMarker {
  NodeName node;
  Epoch epoch;
  bool operator==(const WriteMarker&) const = default;
};
// Clients are sent to this node: endpoint, hosts file with its sidecar.
struct Publish {
  NodeName node;
  Epoch epoch;
  bool operator==(const Publish&) const = default;
};
// The node follows `source`, by GTID, and both threads run.
struct ReplicateFrom {
  NodeName node;
  NodeName source;
  bool operator==(const ReplicateFrom&) const = default;
};

// The server is ended, its data directory is made anew from `source`'s, which goes on, and it is
// started on it: read-only, following nobody. Returns when that has begun; DatabaseSeen::process
// tells the rest. The old directory is kept until DiscardOldCopy.
struct RebuildServer {
  NodeName node;
  NodeName source;
  std::string id;          // of this order; the same again changes nothing
  GtidSet source_history;  // what `source` had executed; what the copy holds goes beyond it
  ResyncMethod method = ResyncMethod::kAuto;
  std::string script;      // method: script
  bool set_aside = false;  // the old directory is never deleted by us
  bool operator==(const RebuildServer&) const = default;
};
// The data directory of before the last copy is deleted.
struct DiscardOldCopy {
  NodeName node;
  bool operator==(const DiscardOldCopy&) const = default;
};
// What the node committed by itself is kept beside its data: its binary logs from the first one
// that holds a transaction which is not in `known`. Returns when that has begun;
// DatabaseSeen::process tells the rest.
struct ArchiveOwnRows {
  NodeName node;
  std::string id;  // of this order; the same again changes nothing
  GtidSet known;   // what the primary has
  GtidSet own;     // what the archive must hold
  bool operator==(const ArchiveOwnRows&) const = default;
};

// Brings what is archived of the node into the primary (docs/decisions/0017). Returns when that has
// begun; DatabaseSeen::process tells the rest.
struct MergeOwnRows {
  NodeName node;
  std::string id;     // of this order; the same again changes nothing
  std::string place;  // of the archive
  NodeName primary;
  Epoch epoch;  // of the primary: in another one nothing is written
  bool operator==(const MergeOwnRows&) const = default;
};

// The merge that runs beside the node is ended. What it has committed stays.
struct StopMerge {
  NodeName node;
  std::string id;  // of its order; another one goes on
  bool operator==(const StopMerge&) const = default;
};

// Takes back on the node what it committed by itself and is archived (docs/decisions/0021). Returns
// when that has begun; DatabaseSeen::process tells the rest.
struct RewindServer {
  NodeName node;
  std::string id;     // of this order; the same again changes nothing
  std::string place;  // of the archive
  bool operator==(const RewindServer&) const = default;
};

// The node's rows are compared with the primary's, while both serve (docs/decisions/0019). Returns
// when that has begun; DatabaseSeen::process tells the rest.
struct VerifyServer {
  NodeName node;
  NodeName primary;
  std::string id;  // of this order; the same again changes nothing
  bool operator==(const VerifyServer&) const = default;
};

// MySQL: what only `of` executed, and nobody misses, gets an empty place in the history of `node`,
// the primary; `of` can follow it then (docs/decisions/0018).
struct InjectEmpty {
  NodeName node;
  NodeName of;
  GtidSet transactions;
  bool operator==(const InjectEmpty&) const = default;
};

using Action = std::variant<StartServer, FenceServer, SetReadOnly, EndTransactions, DrainClients,
                            WithdrawPublication, StopReceiving, ApplyReceived, LeaveReplication,
                            SetSemiSync, Provision, OpenWritable, WriteMarker, Publish,
                            ReplicateFrom, RebuildServer, DiscardOldCopy, ArchiveOwnRows,
                            MergeOwnRows, StopMerge, RewindServer, VerifyServer, InjectEmpty>;

// ---- Conditions: asked again immediately before a step. -----------------------------------------

// The node's process has ended and nobody will start it (asked of the process's owner).
struct ProcessEnded {
  NodeName node;
  bool operator==(const ProcessEnded&) const = default;
};
// The node's server answers that clients cannot write there.
struct IsReadOnly {
  NodeName node;
  bool operator==(const IsReadOnly&) const = default;
};
// The node's server answers that clients can write there.
struct IsWritable {
  NodeName node;
  bool operator==(const IsWritable&) const = default;
};
using Condition = std::variant<ProcessEnded, IsReadOnly, IsWritable>;

struct Step {
  Action action;
  std::string because;               // one sentence, shown everywhere
  std::vector<Condition> requires_;  // all must hold, or the plan stops here
  Duration deadline = Seconds(10);
  bool may_fail = false;  // a failure is reported and holds back nothing

  bool operator==(const Step&) const = default;
};

struct Plan {
  std::string purpose;  // "" for an empty plan; "failover to node2 (epoch 4)"
  // Each step needs the ones before it: the plan stops at the first that is not done. Otherwise a
  // step that fails holds back only later steps on the same node.
  bool ordered = false;
  std::vector<Step> steps;

  bool empty() const { return steps.empty(); }
  bool operator==(const Plan&) const = default;
};

// ---- Findings: what is noteworthy about the world. ----------------------------------------------

enum class Severity { kInfo, kWarning, kCritical };

// Every code is a row of the table in decide/diagnose.cc, with its sentence and severity.
enum class FindingCode {
  kNoPrimaryYet,
  kPrimaryDead,
  kPrimaryUnreachable,
  kPrimaryStalled,
  kPrimaryUnreachableButReplicating,
  kPrimaryRefusesUs,
  kPrimaryRestarting,
  kPrimaryReadOnly,
  kPrimaryLostRows,
  kPrimaryNotPreferred,
  kPromotionUnderWay,
  kTwoWritable,
  kWritableReplica,
  kReplicaDown,
  kReplicaUnreachable,
  kReplicaStopped,
  kReplicaBroken,
  kReplicaConnecting,
  kReplicaWrongSource,
  kReplicaLagging,
  kReplicaLagUnknown,
  kNodeDiverged,
  kArchiveFailed,
  kNodeMerging,
  kMergeFailed,
  kNodeRewinding,
  kNodeVerifying,
  kNotVerified,
  kRowsDiffer,
  kNodeRebuilding,
  kRebuildFailed,
  kReceivedTailLost,
  kDuplicateServerId,
  kDuplicateServerUuid,
  kServerIdMismatch,
  kAccessDenied,
  kTlsRefused,
  kNodeUnfit,
  kDurabilityRelaxed,
  kSemiSyncDegraded,
  kSemiSyncNotWaiting,
  kWritesWait,
  kEpochAhead,
  kLossPossible,
  kFailoverBlocked,
  kPublicationFailed,
  kNotReconciled,
  kDocumentRefused,
  kSuspended,
  kPaused,
  kFenced,
  kStepFailed,
  kAnotherManagerActs,
  kNotAllLocked,
  kGuardsUnread,
  kFailback,
};

struct Finding {
  FindingCode code{};
  std::optional<NodeName> about;  // none: the whole cluster
  Severity severity = Severity::kInfo;
  std::string says;    // the whole sentence
  std::string remedy;  // what a person can do, or that nobody has to; a clause

  bool operator==(const Finding&) const = default;
};

// Why a failover (or another needed change) is not done now.
enum class BlockReason {
  kGatheringEvidence,  // the declared looks are not over yet
  kStillReplicating,   // a replica still receives from the primary
  kRestartAllowance,   // the crashed server may still be restarted in place
  kNoCandidate,
  kAmbiguousCandidates,
  kUnprovenFence,  // nobody can prove that the old primary cannot write
  kLeaseRunning,   // the old primary's self-fence lease has not run out
  kNoWitness,      // policy witness: no independent witness agrees
  kMayLoseRows,    // semiSync was promised and the candidate has lost its right
  kSuspended,
  kSplitBrain,
  kEpochAhead,
  kAccessDenied,  // the server lives; our account is refused
  kPaused,        // a person keeps us off the cluster or off the node
  kCoolDown,      // the last failover is too recent, and this one has no proof of death
  kNotAllLocked,  // another manager may act on a node that this one does not hold
  kGuardsUnread,  // what people asked for lies in the database and cannot be read
};

struct Blocked {
  BlockReason reason{};
  std::string says;                // the whole sentence
  std::string who;                 // who can unblock it and how
  std::optional<TimePoint> until;  // when it ends by itself

  bool operator==(const Blocked&) const = default;
};

enum class ClusterState {
  kHealthy,
  kDegraded,
  kFailed,
  kLost,
  kSplitBrain,
  kResyncing,
  kSuspended,
  kUnknown
};

// One candidate's place in an election, with the rung of the ladder that decided.
struct CandidateVerdict {
  NodeName node;
  bool eligible = false;
  std::string reason;

  bool operator==(const CandidateVerdict&) const = default;
};

struct Decision {
  ClusterState state = ClusterState::kUnknown;
  std::vector<Finding> findings;             // by severity, then declared order
  std::vector<Blocked> blocked;              // empty: nothing needed is held back
  std::vector<CandidateVerdict> candidates;  // of the last election of this decision; else empty
  Plan plan;
  bool beat = false;  // the open primary's heartbeat row is to be renewed
  // To be written on the primary, beside its heartbeat row: see decide/guards.h.
  std::optional<GuardsCopy> share;
  Memory memory;  // to be stored before the plan's first step
  Duration look_again_in = Seconds(1);

  bool operator==(const Decision&) const = default;
};

// ---- Reports: what became of a plan. ------------------------------------------------------------

enum class StepOutcome { kDone, kFailed, kUnknown, kNotTried };

struct StepReport {
  std::string step;  // Describe(action)
  StepOutcome outcome = StepOutcome::kNotTried;
  std::string error;  // empty when done
  Duration took{};
  TimePoint began{};  // not tried: never

  bool operator==(const StepReport&) const = default;
};

struct Report {
  std::vector<StepReport> steps;
  bool complete = true;  // every step done

  bool operator==(const Report&) const = default;
};

std::string_view ToString(FindingCode code);    // "PrimaryDead"
std::string_view ToString(Severity severity);   // "info", "warning", "critical"
std::string_view ToString(BlockReason reason);  // "UnprovenFence"
std::string_view ToString(ClusterState state);  // "Healthy"
std::string_view ToString(SemiSyncRole role);
std::string_view ToString(StepOutcome outcome);

std::string Describe(const Action& action);  // "open node2 for writing (epoch 4)"
std::string Describe(const Condition& condition);
NodeName TargetOf(const Action& action);      // empty for what is done to all clients
bool OnlyTellsClients(const Action& action);  // it names a node and does not touch it
bool OnlyEndsOurWork(const Action& action);   // fewer changes than without it, also while paused

// All codes in declared order, for tables and tests.
std::vector<FindingCode> AllFindingCodes();
std::vector<BlockReason> AllBlockReasons();

}  // namespace pandora_ha
