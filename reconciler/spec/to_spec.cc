#include "reconciler/spec/to_spec.h"

#include <array>
#include <charconv>
#include <chrono>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "reconciler/spec/endpoint_address.h"

namespace pandora_ha {
namespace {

// Reads members of one mapping; every read of what is not there leaves the target alone.
class Fields {
 public:
  explicit Fields(const TreeNode* node) : node_(node) {}

  bool exists() const { return node_ != nullptr && node_->kind == NodeKind::kMapping; }
  Fields In(std::string_view key) const { return Fields(Member(key)); }

  void Text(std::string_view key, std::string* out) const {
    const TreeNode* member = Member(key);
    if (member != nullptr && member->kind == NodeKind::kString) *out = member->text;
  }

  void Name(std::string_view key, NodeName* out) const { Text(key, &out->text); }

  // What has an int-or-string schema is kept as it was written.
  void Word(std::string_view key, std::map<std::string, std::string>* out) const {
    const TreeNode* member = Member(key);
    if (member != nullptr &&
        (member->kind == NodeKind::kString || member->kind == NodeKind::kInteger)) {
      (*out)[std::string(key)] = member->text;
    }
  }

  void Flag(std::string_view key, bool* out) const {
    const TreeNode* member = Member(key);
    if (member != nullptr && member->kind == NodeKind::kBoolean)
      *out = member->text[0] == 't' || member->text[0] == 'T';
  }

  // The schema has checked the range; a number that does not fit is no number.
  template <class Number>
  void Count(std::string_view key, Number* out) const {
    const TreeNode* member = Member(key);
    if (member != nullptr && member->integer && std::in_range<Number>(*member->integer)) {
      *out = static_cast<Number>(*member->integer);
    }
  }

  template <class Rep, class Period>
  void Time(std::string_view key, std::chrono::duration<Rep, Period>* out) const {
    std::int32_t number = static_cast<std::int32_t>(out->count());
    Count(key, &number);
    *out = std::chrono::duration<Rep, Period>(number);
  }

  template <class Enum, std::size_t N>
  void Choice(std::string_view key, const std::array<std::pair<std::string_view, Enum>, N>& words,
              Enum* out) const {
    std::string text;
    Text(key, &text);
    for (const auto& [word, value] : words) {
      if (word == text) *out = value;
    }
  }

  void Texts(std::string_view key, std::vector<std::string>* out) const {
    for (const TreeNode& item : Items(key)) {
      if (item.kind == NodeKind::kString) out->push_back(item.text);
    }
  }

  const std::vector<TreeNode>& Items(std::string_view key) const {
    static const std::vector<TreeNode> kNone;
    const TreeNode* member = Member(key);
    return member == nullptr ? kNone : member->items;
  }

  const std::vector<TreeMember>& Members() const {
    static const std::vector<TreeMember> kNone;
    return node_ == nullptr ? kNone : node_->members;
  }

 private:
  const TreeNode* Member(std::string_view key) const {
    return node_ == nullptr ? nullptr : node_->Find(key);
  }

  const TreeNode* node_;
};

template <class Enum, std::size_t N>
using Words = std::array<std::pair<std::string_view, Enum>, N>;

constexpr Words<SubstrateKind, 3> kSubstrates = {{{"local", SubstrateKind::kLocal},
                                                  {"hosts", SubstrateKind::kHosts},
                                                  {"kubernetes", SubstrateKind::kKubernetes}}};
constexpr Words<FailoverPolicy, 3> kPolicies = {{{"availability", FailoverPolicy::kAvailability},
                                                 {"consistency", FailoverPolicy::kConsistency},
                                                 {"witness", FailoverPolicy::kWitness}}};
constexpr Words<Failback, 2> kFailbacks = {
    {{"manual", Failback::kManual}, {"whenCaughtUp", Failback::kWhenCaughtUp}}};
constexpr Words<DurabilityMode, 2> kDurabilities = {
    {{"async", DurabilityMode::kAsync}, {"semiSync", DurabilityMode::kSemiSync}}};
constexpr Words<WithoutReplica, 2> kWithoutReplica = {
    {{"block", WithoutReplica::kBlock}, {"degrade", WithoutReplica::kDegrade}}};
constexpr Words<SalvageOnTimeout, 2> kSalvageEnds = {
    {{"abort", SalvageOnTimeout::kAbort}, {"promote", SalvageOnTimeout::kPromote}}};
constexpr Words<SplitBrainRows, 3> kRows = {{{"merge", SplitBrainRows::kMerge},
                                             {"archive", SplitBrainRows::kArchive},
                                             {"ask", SplitBrainRows::kAsk}}};
constexpr Words<SplitBrainRejoin, 3> kRejoins = {{{"rewind", SplitBrainRejoin::kRewind},
                                                  {"clone", SplitBrainRejoin::kClone},
                                                  {"wait", SplitBrainRejoin::kWait}}};
constexpr Words<ResyncMethod, 5> kMethods = {{{"auto", ResyncMethod::kAuto},
                                              {"clone", ResyncMethod::kClone},
                                              {"backupStream", ResyncMethod::kBackupStream},
                                              {"dump", ResyncMethod::kDump},
                                              {"script", ResyncMethod::kScript}}};
constexpr Words<Flavor, 2> kFlavors = {{{"mariadb", Flavor::kMariaDb}, {"mysql", Flavor::kMySql}}};
constexpr Words<ServerComponent, 9> kComponents = {{{"data", ServerComponent::kData},
                                                    {"network", ServerComponent::kNetwork},
                                                    {"wmi", ServerComponent::kWmi},
                                                    {"plugin", ServerComponent::kPlugin},
                                                    {"web", ServerComponent::kWeb},
                                                    {"prediction", ServerComponent::kPrediction},
                                                    {"discovery", ServerComponent::kDiscovery},
                                                    {"inventory", ServerComponent::kInventory},
                                                    {"snmp", ServerComponent::kSnmp}}};

Account ToAccount(const Fields& fields) {
  Account account;
  fields.Text("user", &account.user);
  const Fields source = fields.In("passwordFrom");
  source.Text("file", &account.password_from.file);
  source.Text("env", &account.password_from.environment);
  source.In("secretKeyRef").Text("name", &account.password_from.secret_name);
  source.In("secretKeyRef").Text("key", &account.password_from.secret_key);
  return account;
}

DatabaseNodeSpec ToNode(const Fields& fields) {
  DatabaseNodeSpec node;
  fields.Name("name", &node.name);
  fields.Text("address", &node.address);
  fields.Count("serverId", &node.server_id);
  fields.Text("site", &node.site);
  fields.Text("label", &node.label);
  if (const Fields ssh = fields.In("ssh"); ssh.exists()) {
    node.ssh.emplace();
    ssh.Text("user", &node.ssh->user);
    ssh.Count("port", &node.ssh->port);
  }
  return node;
}

TlsSpec ToTls(const Fields& fields) {
  TlsSpec tls;
  tls.enabled = fields.exists();
  fields.Text("caFile", &tls.ca_file);
  fields.Text("certificateFile", &tls.certificate_file);
  fields.Text("keyFile", &tls.key_file);
  return tls;
}

RestartSpec ToRestart(const Fields& fields) {
  RestartSpec restart;
  std::string in_place;
  fields.Text("inPlace", &in_place);
  if (in_place == "allow") fields.Time("allowSeconds", &restart.allow);
  return restart;
}

// Replication, detection, salvage, split brain and resync: what happens when.
void ReadBehaviour(const Fields& fields, DatabaseSpec* database) {
  const Fields replication = fields.In("replication");
  replication.Choice("durability", kDurabilities, &database->replication.durability);
  replication.Choice("withoutReplica", kWithoutReplica, &database->replication.without_replica);
  replication.Time("maxLagSeconds", &database->replication.max_lag);
  const Fields detection = fields.In("detection");
  detection.Time("intervalMilliseconds", &database->detection.interval);
  detection.Time("timeoutMilliseconds", &database->detection.timeout);
  detection.Count("connectRetries", &database->detection.connect_retries);
  database->restart = ToRestart(fields.In("restart"));
  const Fields salvage = fields.In("salvage");
  salvage.Time("deadlineSeconds", &database->salvage.deadline);
  salvage.Choice("onTimeout", kSalvageEnds, &database->salvage.on_timeout);
  const Fields split = fields.In("splitBrain");
  split.Flag("autofix", &database->split_brain.autofix);
  split.Choice("rows", kRows, &database->split_brain.rows);
  split.Choice("rejoin", kRejoins, &database->split_brain.rejoin);
  split.Count("maxRetries", &database->split_brain.max_retries);
  const Fields resync = fields.In("resync");
  resync.Choice("method", kMethods, &database->resync.method);
  resync.Count("waitRetries", &database->resync.wait_retries);
  resync.Time("sleepSeconds", &database->resync.sleep);
  resync.Text("script", &database->resync.script);
}

DatabaseSpec ToDatabase(const Fields& fields) {
  DatabaseSpec database;
  fields.Text("schema", &database.schema);
  fields.Count("port", &database.port);
  for (const TreeNode& item : fields.Items("nodes"))
    database.nodes.push_back(ToNode(Fields(&item)));
  fields.Count("replicas", &database.replicas);
  for (const TreeNode& item : fields.Items("masterPreference"))
    database.master_preference.emplace_back(item.text);
  fields.Choice("failback", kFailbacks, &database.failback);
  const Fields credentials = fields.In("credentials");
  database.credentials = {ToAccount(credentials.In("admin")),
                          ToAccount(credentials.In("replication")),
                          ToAccount(credentials.In("application"))};
  database.tls = ToTls(fields.In("tls"));
  ReadBehaviour(fields, &database);
  const Fields configuration = fields.In("configuration");
  for (const TreeMember& member : configuration.Members())
    configuration.Word(member.key, &database.configuration);
  if (const Fields ip = fields.In("virtualIP"); ip.exists()) {
    database.virtual_ip.emplace();
    ip.Text("address", &database.virtual_ip->address);
    ip.Text("interface", &database.virtual_ip->interface);
  }
  return database;
}

LeaseSpec ToLease(const Fields& fields) {
  LeaseSpec lease;
  fields.Time("seconds", &lease.duration);
  for (const TreeNode& item : fields.Items("witnesses")) {
    const Fields from(&item);
    WitnessSpec& witness = lease.witnesses.emplace_back();
    from.Name("name", &witness.name);
    from.Text("address", &witness.address);
    from.Text("site", &witness.site);
  }
  return lease;
}

EndpointSpec ToEndpoint(const Fields& fields) {
  EndpointSpec endpoint;
  std::string listen;
  fields.Text("listen", &listen);
  endpoint.listen = ParseHostPort(listen);
  fields.Time("holdSeconds", &endpoint.hold);
  return endpoint;
}

DataInSpec ToDataIn(const Fields& fields) {
  DataInSpec data_in;
  fields.Text("path", &data_in.path);
  fields.Texts("shared", &data_in.shared);
  fields.Text("attachment", &data_in.attachment);
  fields.In("storage").Text("className", &data_in.storage_class);
  fields.In("storage").Text("size", &data_in.storage_size);
  return data_in;
}

PandoraServerSpec ToServer(const Fields& fields) {
  PandoraServerSpec server;
  fields.Name("name", &server.name);
  fields.Text("address", &server.address);
  fields.Count("master", &server.master);
  std::vector<std::string> components;
  fields.Texts("components", &components);
  for (const std::string& name : components) {
    for (const auto& [word, component] : kComponents) {
      if (word == name) server.components.push_back(component);
    }
  }
  return server;
}

LocalSpec ToLocal(const Fields& fields) {
  LocalSpec local;
  fields.Text("directory", &local.directory);
  fields.Choice("flavor", kFlavors, &local.flavor);
  fields.Text("serverRoot", &local.server_root);
  return local;
}

KubernetesSpec ToKubernetes(const Fields& fields) {
  KubernetesSpec kubernetes;
  for (const char* image : {"database", "server", "console"})
    fields.In("images").Word(image, &kubernetes.images);
  fields.In("storage").Text("className", &kubernetes.storage_class);
  fields.In("storage").Text("size", &kubernetes.storage_size);
  for (const char* resource : {"cpu", "memory"}) {
    fields.In("resources").In("requests").Word(resource, &kubernetes.requests);
    fields.In("resources").In("limits").Word(resource, &kubernetes.limits);
  }
  return kubernetes;
}

}  // namespace

ClusterSpec ToSpec(const TreeNode& root) {
  ClusterSpec cluster;
  const Fields document(&root);
  const Fields spec = document.In("spec");
  document.In("metadata").Text("name", &cluster.name);
  document.In("metadata").Text("namespace", &cluster.name_space);
  document.In("metadata").Count("generation", &cluster.generation);
  spec.Choice("substrate", kSubstrates, &cluster.substrate);
  spec.Flag("suspend", &cluster.suspend);
  spec.Choice("failoverPolicy", kPolicies, &cluster.failover_policy);
  spec.Time("failoverCoolDownSeconds", &cluster.failover_cool_down);
  cluster.database = ToDatabase(spec.In("database"));
  cluster.lease = ToLease(spec.In("lease"));
  cluster.endpoint = ToEndpoint(spec.In("endpoint"));
  if (spec.In("dataIn").exists()) cluster.data_in = ToDataIn(spec.In("dataIn"));
  for (const TreeNode& item : spec.Items("servers"))
    cluster.servers.push_back(ToServer(Fields(&item)));
  if (const Fields console = spec.In("console"); console.exists()) {
    cluster.console.emplace();
    console.Count("replicas", &cluster.console->replicas);
    console.Texts("addresses", &cluster.console->addresses);
  }
  if (spec.In("local").exists()) cluster.local = ToLocal(spec.In("local"));
  if (spec.In("kubernetes").exists()) cluster.kubernetes = ToKubernetes(spec.In("kubernetes"));
  return cluster;
}

}  // namespace pandora_ha
