// A whole cluster in memory, with virtual time.
//
// The servers behave as MySQL and MariaDB were measured to: a semi-sync source holds a commit until
// a connected replica has received it, a restart commits what was waiting, a restarted replica may
// have dropped what it had received, every server boots read-only. Everything random comes from one
// seed. Physics only: nothing here knows the brain.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "reconciler/model/memory.h"
#include "reconciler/model/observation.h"
#include "reconciler/model/plan.h"
#include "reconciler/model/spec.h"
#include "tests/simulation/random.h"

namespace pandora_ha::simulation {

// What kind of installation is simulated.
struct WorldKind {
  Flavor flavor = Flavor::kMariaDb;
  int nodes = 2;
  SubstrateKind substrate = SubstrateKind::kLocal;  // local: processes known, fence; hosts: neither
  FailoverPolicy policy = FailoverPolicy::kConsistency;
  DurabilityMode durability = DurabilityMode::kAsync;
  WithoutReplica without_replica = WithoutReplica::kDegrade;
  Seconds restart_allow{0};
  int managers = 1;
  bool stubborn = false;  // some clients write past the publication, to whatever is writable
  bool failback = false;  // to node1, by itself
  bool quiet = false;     // clients hardly write: what a killed primary has more is marks
};

// Test-only switches that break one safeguard each; the checks must notice.
struct KnownBad {
  bool without_fence = false;    // the fence reports success, the server lives; nothing is re-asked
  bool publish_first = false;    // the executor publishes before it opens
  bool keep_rights = false;      // a right to a lossless promotion is never revoked
  bool forget_received = false;  // neither received positions nor restarts are remembered
  bool no_lease = false;         // two managers act at once
  bool boots_writable = false;   // a server starts writable
  bool skip_apply = false;       // received transactions are not applied before opening
  bool forget_guards = false;    // managers do not read what people asked of the others

  bool operator==(const KnownBad&) const = default;
  bool any() const { return !(*this == KnownBad{}); }
};

// Who can be cut off from whom.
inline constexpr int kMaxNodes = 3;
inline constexpr int kFirstManager = kMaxNodes;
inline constexpr int kWitness = kFirstManager + 2;
inline constexpr int kClients = kWitness + 1;
inline constexpr int kPlaces = kClients + 1;

struct Transaction {
  int writer = 0;  // index of the server
  std::uint64_t number = 0;
  GtidSet gtid;
  GtidSet alone;  // without the earlier ones of its writer, which MariaDB's names, too
  std::optional<HeartbeatSeen> marker;
  std::optional<GuardsCopy> guards;
  bool provisions = false;
  bool by_client = false;
  bool stubborn = false;
  bool acknowledged = false;
  bool superseded = false;  // acknowledged by a primary that already had a successor
  bool promised = false;    // acknowledged while semiSync was in force, as durably recorded
};

struct Channel {
  int source = 0;
  ThreadState io = ThreadState::kStopped;
  ThreadState sql = ThreadState::kStopped;
  int io_errno = 0;
  std::size_t cursor = 0;  // into the source's binlog
  std::uint64_t arrivals = 0;
  TimePoint last_arrival{};
};

struct Server {
  NodeName name;
  std::string address;
  std::string uuid;
  ServerId id = 0;
  // The process.
  ProcessState::Phase phase = ProcessState::Phase::kNeverStarted;
  bool frozen = false, inhibited = false, fenced = false;
  bool owner_lies = false;  // KnownBad::without_fence: the owner says ended, the server lives
  std::optional<TimePoint> stalled_since;  // its disk; it answers, and no commit ends
  TimePoint ended_at{};
  std::optional<TimePoint> restarts_at;  // by its owner or by systemd
  int starts = 0;
  TimePoint slow_until{};    // its applier lags until then
  TimePoint witnessed_at{};  // the witness last reached it
  TimePoint told_at{};       // the self-fencing agent's lease was last renewed then
  std::optional<ArchiveSeen> archive;
  GtidSet archived;  // what it holds
  std::optional<JobSeen> rewind;
  // The server.
  bool writable = false;
  bool human_opened = false;   // somebody else made it writable
  bool waived = false;         // replaced without a proven fence, and not stopped since
  Epoch opened_in;             // the last epoch it was opened in
  std::vector<int> binlog;     // transactions in order
  std::size_t committed = 0;   // of binlog; the rest waits for an acknowledgement
  std::size_t acked = 0;       // of binlog, by some semi-sync replica
  std::vector<int> relay;      // received and not applied, in order
  std::vector<bool> has;       // by transaction: in binlog or relay
  GtidSet logged, done, held;  // of binlog, of its committed part, of binlog and relay
  std::optional<Channel> channel;
  bool source_enabled = false, waits = false, replica_enabled = true, replica_active = false;
  std::optional<HeartbeatSeen> heartbeat;
  std::optional<GuardsCopy> guards;
  bool provisioned = false;
  bool denied = false;  // refuses our account

  bool running() const { return phase == ProcessState::Phase::kRunning; }
  bool answers() const { return running() && !frozen; }
  bool commits() const { return answers() && !stalled_since; }
};

class World {
 public:
  World(const WorldKind& kind, const KnownBad& bad, std::uint64_t seed);

  const WorldKind& kind() const { return kind_; }
  const KnownBad& bad() const { return bad_; }
  const ClusterSpec& spec() const { return spec_; }
  TimePoint now() const { return now_; }
  Random& random() { return random_; }
  std::vector<Server>& servers() { return servers_; }
  int IndexOf(const NodeName& name) const;

  // Lets time pass: replication, clients, agents, restarts.
  void Advance(Duration duration);
  // A server's process ended with a hung-up socket since the last call.
  bool TakeWake();

  // Links. A connection needs both directions; `acks` only lets events through.
  bool Linked(int a, int b) const { return down_[a][b] == 0 && down_[b][a] == 0; }
  void Cut(int from, int to, int by) { down_[from][to] += by; }
  int acks_lost = 0;  // > 0: acknowledgements do not arrive

  // What faults do.
  void Kill(int node, std::optional<Duration> restarts_in);
  void Start(int node, bool discard_unacknowledged);
  int WriteAsSomebody(int node);  // one client transaction; -1: not accepted
  int WriteMarker(int node, Epoch epoch, const NodeName& writer, bool provision);
  void WriteGuards(int node, const GuardsCopy& copy);  // unless a later copy is there

  // What actions do; the words are those of port/database.h.
  void OpenWritable(int node, Epoch epoch);
  void LeaveReplication(int node);
  void ReplicateFrom(int node, int source);
  void StopReceiving(int node);
  void SetSemiSync(int node, SemiSyncRole role);
  void InjectEmpty(int node, const GtidSet& which);
  void Rewind(int node);  // what is archived

  // What an archive of these transactions counts.
  Divergence Account(int node, const GtidSet& own) const;
  DatabaseState StateOf(int node) const;
  ProcessState ProcessOf(int node) const;
  bool WitnessReaches(int node) const;

  PublicationSeen publication;
  // The lease holder's durable memory; tells what was promised when a commit was acknowledged.
  const Memory* recorded = nullptr;
  bool promotion_waived = false;
  Duration wall_ahead[2] = {};  // of each manager's wall clock
  bool calm = false;            // clients pause, so that the end state can be compared
  std::vector<Transaction> transactions;
  std::vector<int> promised;  // acknowledged under semiSync in force
  std::uint64_t acknowledged = 0;
  Epoch newest;  // the highest epoch in which a node was opened

 private:
  void Substep(Duration duration);
  void Receive(int node);
  void Connect(int node);
  void Apply(int node);
  void Commit(int node);
  void RunClients();
  void RunAgents();
  void Drop(int node);  // what was received and not applied
  void Rebuild(int node);
  int Append(int node, Transaction transaction);

  WorldKind kind_;
  KnownBad bad_;
  ClusterSpec spec_;
  Random random_;
  TimePoint now_;
  std::vector<Server> servers_;
  int down_[kPlaces][kPlaces] = {};
  bool wake_ = false;
};

ClusterSpec SpecOf(const WorldKind& kind);

}  // namespace pandora_ha::simulation
