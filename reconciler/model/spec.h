// What people declare: the PandoraCluster document as values.
//
// The shape is that of crd/pandoracluster.yaml, field for field; the defaults here are the schema's
// (a test compares them). Nothing in this file knows YAML. Passwords are never part of the
// document: it says only where each one is found.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "reconciler/base/clock.h"
#include "reconciler/model/ids.h"

namespace pandora_ha {

enum class SubstrateKind { kLocal, kHosts, kKubernetes };

// What happens when the primary cannot be reached and cannot be proven dead. See PolicySentence().
enum class FailoverPolicy { kAvailability, kConsistency, kWitness };

enum class Failback { kManual, kWhenCaughtUp };

// Async: an acknowledged row may exist on the primary only. SemiSync: an acknowledged row has
// reached a replica's relay log.
enum class DurabilityMode { kAsync, kSemiSync };

// What a semi-sync primary does when no replica can acknowledge. Block: writes wait. Degrade: the
// replica first loses its right to a lossless promotion, then the primary stops waiting.
enum class WithoutReplica { kBlock, kDegrade };

// Where a password is found: exactly one of the three is set.
struct SecretSource {
  std::string file;                     // path; the first line is the password
  std::string environment;              // variable of the daemon itself
  std::string secret_name, secret_key;  // Kubernetes: secretKeyRef {name, key}

  bool operator==(const SecretSource&) const = default;
};

struct Account {
  std::string user;
  SecretSource password_from;

  bool operator==(const Account&) const = default;
};

struct Credentials {
  Account admin;        // creates accounts, changes replication, reads status
  Account replication;  // used by a replica to read its primary
  Account application;  // used by Pandora itself

  bool operator==(const Credentials&) const = default;
};

struct SshSpec {
  std::string user = "pandora-ha";
  std::uint16_t port = 22;

  bool operator==(const SshSpec&) const = default;
};

struct DatabaseNodeSpec {
  NodeName name;
  std::string address;     // host part; the port is DatabaseSpec::port
  ServerId server_id = 0;  // unique in the cluster
  std::string site;        // empty: not said
  std::string label;       // shown to people; empty: the name
  std::optional<SshSpec> ssh;

  bool operator==(const DatabaseNodeSpec&) const = default;
};

// Paths on the daemon's machine. Verified means: the CA is trusted by us only, the certificate
// names the node's address, and the session is really encrypted.
struct TlsSpec {
  bool enabled = false;  // false: the document has no `tls`
  std::string ca_file;
  std::string certificate_file;  // empty: no client certificate
  std::string key_file;

  bool operator==(const TlsSpec&) const = default;
};

struct ReplicationSpec {
  DurabilityMode durability = DurabilityMode::kAsync;
  WithoutReplica without_replica = WithoutReplica::kDegrade;
  Seconds max_lag{60};  // beyond it a replica is reported as lagging

  bool operator==(const ReplicationSpec&) const = default;
};

struct DetectionSpec {
  Milliseconds interval{1000};  // between two looks at a quiet cluster
  Milliseconds timeout{1000};   // an unanswered question counts as failed after this long
  int connect_retries = 2;      // failed looks after the first before anything is changed

  // The longest a silent primary goes unnoticed.
  Milliseconds Budget() const { return interval + (connect_retries + 1) * timeout; }
  bool operator==(const DetectionSpec&) const = default;
};

// What restarts a crashed server in place. Zero: nothing does ("inhibit"); a death is then proof.
struct RestartSpec {
  Seconds allow{0};

  bool operator==(const RestartSpec&) const = default;
};

enum class SalvageOnTimeout { kAbort, kPromote };
struct SalvageSpec {
  Seconds deadline{10};
  SalvageOnTimeout on_timeout = SalvageOnTimeout::kPromote;

  bool operator==(const SalvageSpec&) const = default;
};

enum class SplitBrainRows { kMerge, kArchive, kAsk };
enum class SplitBrainRejoin { kRewind, kClone, kWait };
struct SplitBrainSpec {
  bool autofix = false;
  SplitBrainRows rows = SplitBrainRows::kMerge;
  SplitBrainRejoin rejoin = SplitBrainRejoin::kRewind;
  int max_retries = 2;

  bool operator==(const SplitBrainSpec&) const = default;
};

enum class ResyncMethod { kAuto, kClone, kBackupStream, kDump, kScript };
struct ResyncSpec {
  ResyncMethod method = ResyncMethod::kAuto;
  int wait_retries = 3;
  Seconds sleep{10};
  std::string script;  // method: script

  bool operator==(const ResyncSpec&) const = default;
};

struct VirtualIpSpec {
  std::string address;  // CIDR
  std::string interface;

  bool operator==(const VirtualIpSpec&) const = default;
};

struct DatabaseSpec {
  std::string schema = "pandora";
  std::uint16_t port = 3306;
  std::vector<DatabaseNodeSpec> nodes;      // local and hosts
  int replicas = 0;                         // kubernetes: members of the StatefulSet; 0: not said
  std::vector<NodeName> master_preference;  // empty: the order of `nodes`
  Failback failback = Failback::kManual;
  Credentials credentials;
  TlsSpec tls;
  ReplicationSpec replication;
  DetectionSpec detection;
  RestartSpec restart;
  SalvageSpec salvage;
  SplitBrainSpec split_brain;
  ResyncSpec resync;
  std::map<std::string, std::string> configuration;  // option of my.cnf → value
  std::optional<VirtualIpSpec> virtual_ip;

  bool operator==(const DatabaseSpec&) const = default;
};

struct WitnessSpec {
  NodeName name;
  std::string address;
  std::string site;

  bool operator==(const WitnessSpec&) const = default;
};

// For how long a primary may go on without being told to, and who may tell it.
struct LeaseSpec {
  Seconds duration{15};
  std::vector<WitnessSpec> witnesses;

  bool operator==(const LeaseSpec&) const = default;
};

struct EndpointSpec {
  std::optional<Address> listen;  // none: no writer endpoint in this process
  Seconds hold{10};               // how long a new connection waits for a primary

  bool operator==(const EndpointSpec&) const = default;
};

struct DataInSpec {
  std::string path = "/var/spool/pandora/data_in";
  std::vector<std::string> shared;  // subdirectories; empty: the documented five
  std::string attachment;           // the console's attachment directory; empty: not managed
  std::string storage_class;        // kubernetes
  std::string storage_size;         // kubernetes

  bool operator==(const DataInSpec&) const = default;
};

enum class ServerComponent {
  kData,
  kNetwork,
  kWmi,
  kPlugin,
  kWeb,
  kPrediction,
  kDiscovery,
  kInventory,
  kSnmp
};

struct PandoraServerSpec {
  NodeName name;  // the `servername` of the Pandora server
  std::string address;
  int master = 1;  // 0: never Pandora master; 1..7: the highest wins
  std::vector<ServerComponent> components;

  bool operator==(const PandoraServerSpec&) const = default;
};

struct ConsoleSpec {
  int replicas = 0;
  std::vector<std::string> addresses;

  bool operator==(const ConsoleSpec&) const = default;
};

// substrate: local. Where this machine keeps the servers that it runs itself.
struct LocalSpec {
  std::string directory;  // data, sockets, logs and supervisors of all nodes
  Flavor flavor = Flavor::kMariaDb;
  std::string server_root;  // a root folder with the server's files; empty: the installed one

  bool operator==(const LocalSpec&) const = default;
};

struct KubernetesSpec {
  std::map<std::string, std::string> images;  // database, server, console
  std::string storage_class;
  std::string storage_size;
  std::map<std::string, std::string> requests;  // cpu, memory of the database container
  std::map<std::string, std::string> limits;

  bool operator==(const KubernetesSpec&) const = default;
};

// A declared part of the document that nothing reconciles yet in this release.
struct NotReconciledPart {
  std::string path;      // "spec.database.virtualIP"
  std::string sentence;  // what does not happen, and what to do instead

  bool operator==(const NotReconciledPart&) const = default;
};

struct ClusterSpec {
  std::string name;             // metadata.name
  std::string name_space;       // metadata.namespace; empty on plain hosts
  std::int64_t generation = 0;  // grows with every accepted change of the document
  SubstrateKind substrate = SubstrateKind::kHosts;
  bool suspend = false;  // observe and report, change nothing
  FailoverPolicy failover_policy = FailoverPolicy::kConsistency;
  // After a failover, the next one without a proof of death waits for so long or for a person.
  Seconds failover_cool_down{600};
  DatabaseSpec database;
  LeaseSpec lease;
  EndpointSpec endpoint;
  std::optional<DataInSpec> data_in;
  std::vector<PandoraServerSpec> servers;
  std::optional<ConsoleSpec> console;
  std::optional<LocalSpec> local;
  std::optional<KubernetesSpec> kubernetes;
  std::vector<NotReconciledPart> not_reconciled;  // each is a finding, never silence

  bool operator==(const ClusterSpec&) const = default;
};

// Null when no node has that name.
const DatabaseNodeSpec* FindNode(const ClusterSpec& spec, const NodeName& name);

// Every node name, the preferred first; nodes that `masterPreference` does not name keep their
// declared order after those it does.
std::vector<NodeName> PreferenceOrder(const ClusterSpec& spec);

// What the policy means for the user's data, in one fixed sentence (shown in status).
std::string PolicySentence(FailoverPolicy policy);

// The word used in the document.
std::string_view ToString(SubstrateKind kind);
std::string_view ToString(FailoverPolicy policy);
std::string_view ToString(DurabilityMode mode);
std::string_view ToString(WithoutReplica rule);

}  // namespace pandora_ha
