// What one look at the world found. Facts only: nothing here has been judged.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "reconciler/base/clock.h"
#include "reconciler/model/divergence.h"
#include "reconciler/model/gtid.h"
#include "reconciler/model/guards.h"
#include "reconciler/model/ids.h"
#include "reconciler/model/intent.h"

namespace pandora_ha {

// A fact with its date, or the reason why it is not known. Unknown is not false, not zero and not
// "down": it never makes anything better and never permits a step that cannot be undone.
template <class T>
class Seen {
 public:
  Seen() : why_("never looked") {}
  static Seen Known(T value, TimePoint at) {
    Seen seen;
    seen.value_ = std::move(value);
    seen.at_ = at;
    seen.why_.clear();
    return seen;
  }
  static Seen Unknown(std::string why, TimePoint at) {
    Seen seen;
    seen.why_ = std::move(why);
    seen.at_ = at;
    return seen;
  }

  bool known() const { return value_.has_value(); }
  // REQUIRES: known()
  const T& operator*() const { return *value_; }
  const T* operator->() const { return &*value_; }
  T* mutable_value() { return value_ ? &*value_ : nullptr; }
  TimePoint at() const { return at_; }
  const std::string& why_unknown() const { return why_; }
  bool operator==(const Seen&) const = default;

 private:
  std::optional<T> value_;
  TimePoint at_{};
  std::string why_;
};

// How the last question to a server ended. Only kAnswered is proof of life for the data; everything
// from kDenied to kBusy proves that something lives there, and none of the rest proves a death.
enum class Contact {
  kNeverTried,
  kAnswered,     // the query came back
  kDenied,       // wrong password, missing privilege
  kTlsRefused,   // certificate, name or encryption not as demanded
  kBusy,         // "Too many connections": alive
  kRefusedPort,  // nobody listens
  kHungUp,       // the connection broke
  kSilent,       // no answer within the timeout
  kUnroutable,   // no route, no such host
};

std::string_view ToString(Contact contact);

struct ServerVersion {
  Flavor flavor = Flavor::kMariaDb;
  int major = 0, minor = 0, patch = 0;
  std::string text;  // as the server prints it

  bool operator==(const ServerVersion&) const = default;
};

enum class ThreadState { kStopped, kConnecting, kRunning };

// One replication channel as its replica reports it.
struct ReplicationSeen {
  Address source;
  ThreadState io = ThreadState::kStopped;
  ThreadState sql = ThreadState::kStopped;
  int io_errno = 0, sql_errno = 0;  // 0: no error
  std::string io_error, sql_error;
  // Everything this replica holds: executed here or waiting in its relay log.
  GtidSet received;
  // Everything received is also executed.
  bool applied_all = false;
  // As the server reports it; none when it reports NULL, which means unknown and never 0.
  std::optional<Seconds> lag;
  // Changes whenever anything at all (an event, a heartbeat) came from the source. Two equal tokens
  // some time apart say that nothing came in between.
  std::string arrival_token;

  bool operator==(const ReplicationSeen&) const = default;
};

// Semi-synchronous replication as one server reports it.
struct SemiSyncSeen {
  bool source_enabled = false;  // the primary's side is switched on
  bool source_waiting = false;  // and really waits for acknowledgements now (not fallen back)
  bool waits_without_replica = false;
  int acknowledgers = 0;  // replicas connected with semi-sync
  bool replica_enabled = false;
  bool replica_active = false;  // the replica's side is really in use on the running channel

  // A commit on this server would wait now, and nobody is there to end that.
  bool commits_wait() const { return source_waiting && acknowledgers == 0; }
  bool operator==(const SemiSyncSeen&) const = default;
};

// The marker row that the open primary writes into the replicated schema.
struct HeartbeatSeen {
  Epoch epoch;
  NodeName writer;
  WallTime written_at{};  // by the writing manager's clock

  bool operator==(const HeartbeatSeen&) const = default;
};

// Who may change this server: the session that holds the managers' named lock there.
struct ManagerLockSeen {
  enum class Holder {
    kNotAsked,
    kNobody,
    kOurs,
    kOursBefore,  // a session of this manager that it has lost, and that the server still keeps
    kOther,
  };
  Holder holder = Holder::kNotAsked;
  // The server's number of the connection that holds it; 0: nobody. `who`, of kOursBefore and
  // kOther only: "user@host:port" as the server tells it (empty: gone in between).
  std::uint64_t connection = 0;
  std::string who;

  bool operator==(const ManagerLockSeen&) const = default;
};

// One database server, from its own answers.
struct DatabaseState {
  ServerVersion version;
  std::string server_uuid;  // MySQL server_uuid; MariaDB server_uid where it has one, else empty
  ServerId server_id = 0;
  bool writable = false;  // clients may write: neither read_only nor super_read_only
  GtidSet executed;
  std::optional<ReplicationSeen> replication;  // none: not configured as a replica
  SemiSyncSeen semi_sync;
  std::optional<HeartbeatSeen> heartbeat;  // none: the table is not there or empty
  // What people have asked every manager to keep to, as it lies there; none: nothing does, unless
  // `unread_guards` says that something may.
  std::optional<GuardsCopy> guards;
  std::optional<UnreadGuards> unread_guards;
  // Numbers a run of the server process: another value means that it was restarted.
  std::string run_id;
  bool log_bin = false;
  bool gtid_on = false;  // gtid_mode=ON; MariaDB: gtid_strict_mode=ON
  bool log_replica_updates = false;
  bool durable = false;      // sync_binlog=1 and innodb_flush_log_at_trx_commit=1
  bool provisioned = false;  // schema, accounts and our tables are there
  std::string tls_cipher;    // of our own session; empty: not encrypted
  ManagerLockSeen manager_lock;

  bool operator==(const DatabaseState&) const = default;
};

// A data directory that is made, or was made, by copying another node.
struct CopySeen {
  enum class Phase { kCopying, kInPlace, kFailed };
  std::string id;  // of the order (RebuildServer)
  Phase phase = Phase::kCopying;
  // Copying: written so far, and the whole as estimated at the beginning (0: not known yet).
  std::int64_t bytes = 0, expected = 0;
  TimePoint began{};
  std::string how;  // "by CLONE, the fastest way here"; empty: not told yet
  std::string why;  // it failed

  bool operator==(const CopySeen&) const = default;
};

// A long work that the owner of a server's process does beside the server.
struct JobSeen {
  enum class Phase { kWorking, kDone, kFailed };
  std::string id;  // of the order
  Phase phase = Phase::kWorking;
  std::int64_t done = 0, all = 0;  // so far, and the whole (0: not known yet)
  std::string why;                 // it failed
  bool not_now = false;            // it failed by what is in its way now, and may go later
  bool never = false;              // it failed by what no repetition changes

  bool operator==(const JobSeen&) const = default;
};

// The last archive of what a node committed by itself (ArchiveOwnRows); in bytes.
struct ArchiveSeen : JobSeen {
  std::string place;      // where it is; set when done
  Divergence divergence;  // what it holds; set when done

  bool operator==(const ArchiveSeen&) const = default;
};

// The last merge of an archive into a primary (MergeOwnRows); in transactions.
struct MergeSeen : JobSeen {
  MergedRows rows;  // set when done

  bool operator==(const MergeSeen&) const = default;
};

// The last comparison of the node's rows with the primary's (VerifyServer); in rows.
struct VerificationSeen : JobSeen {
  // Done: what is not the same ("tevento: 3 rows only on node1"); empty: nothing that could be
  // settled.
  std::string differs;
  bool settled = true;  // false: something changed too often to be compared

  bool operator==(const VerificationSeen&) const = default;
};

// What the owner of the server's process (local supervisor, agent) says.
struct ProcessState {
  enum class Phase { kRunning, kEnded, kNeverStarted };
  Phase phase = Phase::kNeverStarted;
  std::int64_t pid = 0;
  std::string how_ended;  // "killed by signal 9", "exit code 1"; empty while running
  // While it runs: the end after which its owner started it again in place; zero otherwise.
  TimePoint ended_at{};
  bool restart_inhibited = false;  // the owner will not start it again by itself
  bool fenced = false;             // ended by us, and must not be started without an unfence
  bool initialised = false;        // a data directory is there
  // A start was ordered and goes on by itself, though nothing serves yet: the data directory is
  // being made. Not kRunning then, and restart_inhibited is false.
  bool starting = false;
  std::optional<CopySeen> copy{};        // the last order to copy; none: there was none
  bool old_copy = false;                 // the data directory of before the copy is still there
  std::optional<ArchiveSeen> archive{};  // none: none was ordered, and none is there
  std::optional<MergeSeen> merge{};      // likewise
  std::optional<JobSeen> rewind{};       // likewise (RewindServer); in rows
  std::optional<VerificationSeen> verification{};  // likewise

  bool operator==(const ProcessState&) const = default;
};

// A write of ours to the open primary that stands in its commit. It waits neither for a lock nor
// for a replica, and nothing has reached that server's disk.
struct StalledWrite {
  TimePoint since;    // nothing moved from then on
  TimePoint seen_at;  // when the server last said so
  std::string doing;  // in the server's words: "Commit"

  bool operator==(const StalledWrite&) const = default;
};

struct DatabaseSeen {
  NodeName name;
  Contact contact = Contact::kNeverTried;
  std::string contact_error;  // empty when answered
  // Grows by one with every question that was asked and is over; tells two failures from one
  // failure seen twice.
  std::uint64_t attempts = 0;
  // When the failures without an answer in between began; none while it answers.
  std::optional<TimePoint> unanswered_since;
  Seen<DatabaseState> state;
  Seen<ProcessState> process;
  bool can_fence = false;     // somebody can end this server's process or cut its port for us
  bool self_fencing = false;  // an agent there ends the server when its lease runs out
  std::optional<StalledWrite> stalled_write;

  bool operator==(const DatabaseSeen&) const = default;
};

// What the publishers hold.
struct PublicationSeen {
  std::optional<NodeName> primary;  // the node that clients are sent to; none: clients wait
  Epoch epoch;
  std::string problem;  // empty: in order

  bool operator==(const PublicationSeen&) const = default;
};

struct WitnessSeen {
  NodeName name;
  Seen<bool> sees_primary;  // whether the witness can reach the recorded primary
  // When the witness last reached it, by our clock and rather late than early; it may have renewed
  // the primary's lease then, between two looks of ours.
  TimePoint reached_at{};
  bool independent = false;  // its site is neither the primary's nor the candidate's

  bool operator==(const WitnessSeen&) const = default;
};

struct Observation {
  std::uint64_t id = 0;  // grows with every look of one manager
  Instant taken_at;
  std::vector<DatabaseSeen> databases;  // in declared order
  PublicationSeen publication;
  std::vector<WitnessSeen> witnesses;
  // What has been going on at the recorded primary for longer than a second and would hold up
  // making it read-only, a clause each. Asked only while a switchover waits to begin.
  Seen<std::vector<std::string>> in_the_way;
  // Why the first step of the manager's last plan that was not done was not; empty: all were done.
  std::string last_failure;
  std::vector<Intent> intents;  // what people have asked for and is not taken up yet, oldest first
  // Since when this manager has been the one that acts, without a break in which another one may
  // have acted: it ends with a restart, a standstill of the process, or a look that stands by.
  TimePoint acts_since{};
  // Why the document that lies there is refused while an older one is in force; empty: it is not.
  std::string document_problem;
  // What a changed document, taken up since the last look, changed.
  std::vector<std::string> document_changes;

  bool operator==(const Observation&) const = default;
};

// Null when the observation has no such node.
const DatabaseSeen* FindSeen(const Observation& seen, const NodeName& name);

}  // namespace pandora_ha
