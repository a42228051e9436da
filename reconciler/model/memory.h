// What a manager must not forget between two looks and across its own restarts.
//
// Memory may restrict what is done (an epoch, a cool-down, a remembered position); it never stands
// in for a fact of the world, which is observed again each time. It is stored before the first step
// of the plan that it was decided with.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "reconciler/base/clock.h"
#include "reconciler/model/divergence.h"
#include "reconciler/model/gtid.h"
#include "reconciler/model/guards.h"
#include "reconciler/model/ids.h"
#include "reconciler/model/intent.h"
#include "reconciler/model/spec.h"

namespace pandora_ha {

// A promotion that has been decided and is not yet known to be complete.
struct Promotion {
  Epoch epoch;                   // of the primary to come
  std::optional<NodeName> from;  // the primary that is replaced; none: the cluster's first
  std::optional<NodeName> to;    // chosen once no candidate receives any more
  std::string because;           // the evidence, as a sentence
  WallTime began_at{};
  TimePoint began{};          // for durations; comparable only within one boot
  bool lossless = false;      // `to` had the right to a lossless promotion when it was chosen
  bool fence_waived = false;  // policy `availability` took the risk of an unproven fence
  // A person asked for it: the id of the intent. Empty: evidence began it.
  std::string intent;
  std::optional<NodeName> wanted;  // the node that the person, or the check of a switchover, chose
  // A switchover: the old primary lives and is closed first; until the target has been opened, it
  // is opened again when something goes wrong.
  bool planned = false;
  bool loss_allowed = false;  // the person accepts lost rows and an unproven fence

  bool operator==(const Promotion&) const = default;
};

enum class History { kUnjudged, kContained, kDiverged };

inline constexpr Duration kJudgingAge = Milliseconds(200);

// What a promotion may have lost, until the old primary is compared.
struct Loss {
  NodeName from;
  Epoch epoch;              // of the promotion
  std::uint64_t count = 0;  // known at the last look at `from`, or exact
  bool exact = false;       // `from` was compared
  // An unseen node that was known to hold what the promoted one lacks.
  std::optional<NodeName> holder;
  WallTime at{};

  bool operator==(const Loss&) const = default;
};

// A node whose data directory is to be made anew, until it has caught up on the new one. It is of
// one primary in one epoch, and ends with them.
struct Rebuild {
  std::string id;      // of the present attempt
  std::string intent;  // of the wish; empty: the document says so (splitBrain.autofix)
  NodeName source;
  Epoch epoch;
  bool set_aside = false;
  int failures = 0;        // attempts that failed
  bool ordered = false;    // the present attempt
  bool in_place = false;   // its copy was seen to be the node's data
  TimePoint not_before{};  // of the order; once it is given, of the end of waiting for its effect
  TimePoint give_up_at{};  // when what holds up the present attempt ends it

  bool operator==(const Rebuild&) const = default;
};

// What a diverged node committed by itself, until and while it is kept.
struct Archive {
  std::string id;  // of the present attempt
  GtidSet own;     // what it holds, or is to hold
  bool done = false;
  int failures = 0;
  TimePoint not_before{};  // of the order; once it is given, of its repetition
  std::string place;       // done
  Divergence divergence;   // done
  std::string why;         // the last attempt failed

  bool operator==(const Archive&) const = default;
};

// The archived rows on their way into the primary of one epoch. Another primary may lack them: it
// is done again there, and adds nothing twice.
struct Merge {
  std::string id;       // of the present try
  std::string archive;  // Archive::id
  Epoch epoch;
  bool done = false;
  MergedRows rows;         // done
  int tries = 0;           // that failed, or found something in their way
  int failures = 0;        // of these, the failed ones
  TimePoint not_before{};  // of the order; once it is given, of its repetition
  std::string waits_for;   // the last try found it in its way
  std::string why;         // the last try failed

  bool operator==(const Merge&) const = default;
};

// The archived rows being taken back on the node itself, in place of a copy.
struct Rewind {
  std::string id;       // of the present try
  std::string archive;  // Archive::id
  int failures = 0;
  bool refused = false;    // only a copy helps
  TimePoint not_before{};  // of the order; once it is given, of its repetition
  std::string why;         // the last try failed

  bool operator==(const Rewind&) const = default;
};

// Its rows are to be compared with the primary's (see decide/verification.h).
struct Verification {
  std::string id;  // of the present try
  Epoch epoch;     // of the primary that it is compared with
  int tries = 0, failures = 0;
  TimePoint not_before{};  // of the order; once it is given, of its repetition
  std::string differs;     // the last try's result; empty: none yet
  std::string why;         // the last try failed

  static constexpr int kMostFailures = 3;
  // A person is told; it is tried again now and then.
  bool given_up() const { return failures >= kMostFailures; }
  bool operator==(const Verification&) const = default;
};

struct NodeMemory {
  // Failed looks since the last answer. A look that was never finished is not counted.
  int failed_looks = 0;
  std::uint64_t attempts_counted = 0;  // DatabaseSeen::attempts at the last count
  std::optional<TimePoint> unanswered_since;
  // Of the recorded primary: since when every witness, each of which may renew its lease, says that
  // it does not reach it. None: one reaches it, or is not known to.
  std::optional<TimePoint> unwitnessed_since;
  // The arrival token of this replica's channel and when it last changed.
  std::string arrival_token;
  TimePoint arrival_changed{};
  // Everything this node is known to have received, ever, in the present epoch. A node that holds
  // less than this has dropped received events and must not be promoted.
  GtidSet received;
  std::string run_id;  // of its server at the last answer; empty: never answered
  // The node acknowledges every commit of the primary, so promoting it loses none (semiSync only).
  bool lossless = false;
  // Its acknowledgement may be the only one of a commit: it was seen to acknowledge, or its primary
  // counts more replicas than are seen to. Not a right: one that only we do not reach keeps it.
  bool may_acknowledge = false;
  // Its channel has not acknowledged since then; none while it does.
  std::optional<TimePoint> not_acknowledging_since;
  // How its history stands to that of the present primary. A node that shows transactions which the
  // primary lacks is judged on an older answer (`executed`, at least kJudgingAge old): two servers
  // are never asked at the same instant, and a replica may be ahead of the primary's answer for a
  // moment.
  History history = History::kUnjudged;
  GtidSet executed;
  TimePoint executed_at{};
  GtidSet errant;        // what it has and the primary lacks; empty unless diverged
  bool deposed = false;  // was primary of an older epoch and has not followed since
  // What it holds beyond its successor was acknowledged to nobody: the promotion that deposed it
  // was lossless.
  bool discard = false;
  int starts = 0;                             // of its process since it last answered
  std::optional<TimePoint> start_not_before;  // back-off of the next start
  // Back-off of the next try to receive, after an error of its channel that may have passed.
  std::optional<TimePoint> receive_not_before;
  std::optional<Rebuild> rebuild;
  std::optional<Archive> archive;  // the last one; its rows may have been merged or lost since
  std::optional<Merge> merge;
  std::optional<Rewind> rewind;
  std::optional<Verification> verification;  // none: nothing is owed
  std::string rebuild_failed;  // why the last one was given up; empty: none was, or it was seen to

  bool operator==(const NodeMemory&) const = default;
};

struct Memory {
  // The machine run in which the TimePoints below were taken; on a mismatch they start anew.
  std::string boot_id;
  std::string cluster;              // guards against a file of another cluster
  std::string manager;              // names this manager among those that write guards; drawn once
  Epoch epoch;                      // the highest epoch ever decided
  std::optional<NodeName> primary;  // of `epoch`, once its promotion is complete
  std::optional<Promotion> promotion;
  // The durability that is in force, which may be less than the declared one while no replica
  // acknowledges.
  DurabilityMode durability_in_force = DurabilityMode::kAsync;
  std::map<NodeName, NodeMemory> nodes;
  GtidSet primary_executed;  // all that the primary of `epoch` was seen to hold
  // What the primary had committed and, while open, lacked at a later look. It stays until another
  // node is primary: numbers may be used again, and then positions tell no difference.
  GtidSet primary_lost;
  bool primary_waited = false;  // at that look it waited for acknowledgements
  std::optional<Loss> loss;     // none: nothing is missing as far as is known
  Guards guards;
  GuardsVersion guards_seen;      // of the copy in the database that they were taken from or are in
  bool guards_unwritten = false;  // they were changed here since
  // guards.failed_over_at by our own clock; never later than when we heard of it.
  std::optional<TimePoint> failed_over_at;
  std::vector<IntentRecord> intents;     // the newest last; at most one changes the primary
  std::optional<TimePoint> failback_at;  // when the preferred node is asked for, if nothing changes
  TimePoint failback_not_before{};       // of the next try
  // Observation::acts_since of the last decision, and when that was; none: before a reboot.
  TimePoint acts_since{};
  std::optional<TimePoint> decided_at;
  // Clients were sent to it until a promotion cut them, and it has not answered since.
  std::optional<NodeName> clients_cut_from;

  bool operator==(const Memory&) const = default;
};

// True when nothing that was decided differs: epoch, primary, promotion, rights, verdicts.
// Counters, positions and dates may; they are stored only now and then.
bool SameIntent(const Memory& a, const Memory& b);

// The node's entry, made when it is missing.
NodeMemory& MemoryOf(Memory& memory, const NodeName& name);
// An empty entry when it is missing.
const NodeMemory& MemoryOf(const Memory& memory, const NodeName& name);

// Null: nobody holds us off it.
const Guard* PausedOf(const Memory& memory, const NodeName& node);
const Guard* FencedOf(const Memory& memory, const NodeName& node);

}  // namespace pandora_ha
