#include "reconciler/spec/rules.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "reconciler/spec/problem.h"

namespace pandora_ha {
namespace {

constexpr char kNodes[] = "spec.database.nodes";
constexpr char kWitnesses[] = "spec.lease.witnesses";

// What a rule sees, and where it puts what it finds. Values that the schema has refused are empty
// here; a rule skips them.
struct Context {
  const ClusterSpec& spec;
  const TreeNode& root;
  std::string rule_id;
  std::vector<Violation>* out;

  void Report(std::string path, std::string message, std::vector<std::string> reads = {}) const {
    out->push_back({rule_id, std::move(path), std::move(message), std::move(reads)});
  }
  bool OnKubernetes() const { return spec.substrate == SubstrateKind::kKubernetes; }
};

std::string Where(const char* list, std::size_t index, const char* field) {
  return ChildPath(ItemPath(list, index), field);
}

// Reports every entry whose `field` repeats that of an earlier one.
template <class Entry, class Value>
void ReportRepeats(const Context& context, const char* list, const std::vector<Entry>& entries,
                   const char* field, Value Entry::*member) {
  std::map<Value, std::size_t> first;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const Value& value = entries[i].*member;
    if (value == Value{}) continue;
    const auto [earlier, is_new] = first.emplace(value, i);
    if (is_new) continue;
    std::string text;
    if constexpr (std::is_arithmetic_v<Value>) {
      text = std::to_string(value);
    } else {
      text = Shown(value);
    }
    context.Report(
        Where(list, i, field),
        text + " is already " + Where(list, earlier->second, field) + "; each must have its own");
  }
}

void UniqueAddress(const Context& context) {
  ReportRepeats(context, kNodes, context.spec.database.nodes, "address",
                &DatabaseNodeSpec::address);
}

void UniqueServerId(const Context& context) {
  ReportRepeats(context, kNodes, context.spec.database.nodes, "serverId",
                &DatabaseNodeSpec::server_id);
}

void UniqueWitnessAddress(const Context& context) {
  ReportRepeats(context, kWitnesses, context.spec.lease.witnesses, "address",
                &WitnessSpec::address);
}

bool IsIpv4(std::string_view text) {
  for (int part = 0; part < 4; ++part) {
    const std::string_view number = text.substr(0, text.find('.'));
    unsigned value = 256;
    std::from_chars(number.data(), number.data() + number.size(), value);
    const bool padded = number.size() == 3 && number[0] == '0';
    if (number.empty() || number.size() > 3 || value > 255 || padded) return false;
    text.remove_prefix(number.size());
    if (part < 3) {
      if (text.empty()) return false;
      text.remove_prefix(1);
    }
  }
  return text.empty();
}

void AddressForm(const Context& context) {
  const auto check = [&](const std::string& path, const std::string& address) {
    if (address.empty() || address.find_first_not_of("0123456789.") != std::string::npos ||
        IsIpv4(address))
      return;
    context.Report(
        path, Shown(address) +
                  " is no IPv4 address; it must be four numbers from 0 to 255, such as 10.0.1.11");
  };
  const ClusterSpec& spec = context.spec;
  for (std::size_t i = 0; i < spec.database.nodes.size(); ++i)
    check(Where(kNodes, i, "address"), spec.database.nodes[i].address);
  for (std::size_t i = 0; i < spec.lease.witnesses.size(); ++i)
    check(Where(kWitnesses, i, "address"), spec.lease.witnesses[i].address);
  for (std::size_t i = 0; i < spec.servers.size(); ++i)
    check(Where("spec.servers", i, "address"), spec.servers[i].address);
  if (!spec.console) return;
  for (std::size_t i = 0; i < spec.console->addresses.size(); ++i) {
    check(ItemPath("spec.console.addresses", i), spec.console->addresses[i]);
  }
}

void NodesOfHosts(const Context& context) {
  const DatabaseSpec& database = context.spec.database;
  if (context.OnKubernetes()) return;
  const std::string substrate(ToString(context.spec.substrate));
  if (database.nodes.empty()) {
    context.Report(kNodes,
                   "substrate '" + substrate +
                       "' needs the list of nodes; give each a name, an address and a serverId",
                   {"spec.substrate"});
  }
  if (database.replicas != 0) {
    context.Report(
        "spec.database.replicas",
        "substrate '" + substrate + "' has as many nodes as `nodes` lists; remove `replicas`",
        {"spec.substrate"});
  }
}

void ReplicasOfKubernetes(const Context& context) {
  const DatabaseSpec& database = context.spec.database;
  if (!context.OnKubernetes()) return;
  if (database.replicas == 0) {
    context.Report("spec.database.replicas",
                   "substrate 'kubernetes' needs the number of database pods, such as 2",
                   {"spec.substrate"});
  }
  if (!database.nodes.empty()) {
    context.Report(kNodes,
                   "substrate 'kubernetes' makes its own nodes; remove the list and set `replicas`",
                   {"spec.substrate"});
  }
}

void PreferenceNamesNode(const Context& context) {
  const auto& nodes = context.spec.database.nodes;
  std::vector<std::string> names, reads;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    names.push_back(nodes[i].name.text);
    reads.push_back(Where(kNodes, i, "name"));
  }
  if (reads.empty()) reads.emplace_back(kNodes);
  const auto& preference = context.spec.database.master_preference;
  for (std::size_t i = 0; i < preference.size(); ++i) {
    const std::string& name = preference[i].text;
    if (name.empty() || std::find(names.begin(), names.end(), name) != names.end()) continue;
    const std::string nearest = Nearest(name, names);
    std::string message = "there is no node " + Shown(name);
    message +=
        names.empty() ? "; without `nodes`, remove the list" : "; the nodes are " + Listed(names);
    if (!nearest.empty()) message += "; did you mean '" + nearest + "'?";
    context.Report(ItemPath("spec.database.masterPreference", i), message, reads);
  }
}

void LoopbackOnLocal(const Context& context) {
  if (context.spec.substrate != SubstrateKind::kLocal) return;
  const auto& nodes = context.spec.database.nodes;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].address.empty() || nodes[i].address.starts_with("127.")) continue;
    context.Report(
        Where(kNodes, i, "address"),
        Shown(nodes[i].address) +
            " is not on this machine's loopback; substrate 'local' needs one such as 127.0.1." +
            std::to_string(i + 1),
        {"spec.substrate"});
  }
}

void SshOfHosts(const Context& context) {
  if (context.spec.substrate == SubstrateKind::kHosts) return;
  const auto& nodes = context.spec.database.nodes;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (!nodes[i].ssh) continue;
    context.Report(Where(kNodes, i, "ssh"), "SSH is used on substrate 'hosts' only; remove `ssh`",
                   {"spec.substrate"});
  }
}

void AccountsDiffer(const Context& context) {
  const Credentials& credentials = context.spec.database.credentials;
  const std::pair<const char*, const std::string*> users[] = {
      {"admin", &credentials.admin.user},
      {"replication", &credentials.replication.user},
      {"application", &credentials.application.user}};
  for (int i = 1; i < 3; ++i) {
    for (int j = 0; j < i; ++j) {
      if (users[i].second->empty() || *users[i].second != *users[j].second) continue;
      context.Report(std::string("spec.database.credentials.") + users[i].first + ".user",
                     std::string("the user of `") + users[i].first + "` may not be that of `" +
                         users[j].first +
                         "`: each account has other privileges, and only the admin's may write on "
                         "a read-only server");
      break;
    }
  }
}

template <class Check>
void ForEachAccount(const Context& context, Check check) {
  const Credentials& credentials = context.spec.database.credentials;
  const TreeNode* spec = context.root.Find("spec");
  const TreeNode* database = spec == nullptr ? nullptr : spec->Find("database");
  const TreeNode* declared = database == nullptr ? nullptr : database->Find("credentials");
  const std::pair<const char*, const Account*> accounts[] = {
      {"admin", &credentials.admin},
      {"replication", &credentials.replication},
      {"application", &credentials.application}};
  for (const auto& [name, account] : accounts) {
    const TreeNode* written = declared == nullptr ? nullptr : declared->Find(name);
    if (written == nullptr || written->Find("passwordFrom") == nullptr) continue;
    check(std::string("spec.database.credentials.") + name + ".passwordFrom",
          account->password_from);
  }
}

void OneSecretSource(const Context& context) {
  ForEachAccount(context, [&](const std::string& path, const SecretSource& source) {
    std::vector<std::string> set;
    if (!source.file.empty()) set.push_back("file");
    if (!source.environment.empty()) set.push_back("env");
    if (!source.secret_name.empty()) set.push_back("secretKeyRef");
    if (set.size() == 1) return;
    context.Report(
        path, set.empty()
                  ? "it says nowhere where the password is; set one of file, env and secretKeyRef"
                  : Listed(set) + " are set; keep one of them");
  });
}

void SecretSourceFitsSubstrate(const Context& context) {
  ForEachAccount(context, [&](const std::string& path, const SecretSource& source) {
    const bool reference = !source.secret_name.empty();
    if (context.OnKubernetes() && !reference &&
        !(source.file.empty() && source.environment.empty())) {
      context.Report(path,
                     "on substrate 'kubernetes' a password comes from a Secret; write "
                     "secretKeyRef: {name: …, key: …}",
                     {"spec.substrate"});
    } else if (!context.OnKubernetes() && reference) {
      context.Report(path + ".secretKeyRef",
                     "Secrets exist on substrate 'kubernetes' only; write file: /path or env: NAME",
                     {"spec.substrate"});
    }
  });
}

void ClientCertificatePair(const Context& context) {
  const TlsSpec& tls = context.spec.database.tls;
  if (tls.certificate_file.empty() == tls.key_file.empty()) return;
  const bool no_key = tls.key_file.empty();
  context.Report(no_key ? "spec.database.tls.certificateFile" : "spec.database.tls.keyFile",
                 no_key ? "a certificate is of no use without its key; set `keyFile` too"
                        : "a key is of no use without its certificate; set `certificateFile` too",
                 {no_key ? "spec.database.tls.keyFile" : "spec.database.tls.certificateFile"});
}

void RestartAllowance(const Context& context) {
  const TreeNode* node = &context.root;
  for (const char* key : {"spec", "database", "restart"})
    node = node == nullptr ? nullptr : node->Find(key);
  const TreeNode* in_place = node == nullptr ? nullptr : node->Find("inPlace");
  if (in_place == nullptr) return;
  const bool allowed = in_place->text == "allow", timed = node->Find("allowSeconds") != nullptr;
  if (allowed == timed) return;
  context.Report(
      allowed ? "spec.database.restart.inPlace" : "spec.database.restart.allowSeconds",
      allowed
          ? "'allow' needs to know for how long; set `allowSeconds`"
          : "nothing is waited for while `inPlace` is 'inhibit'; remove it or set inPlace: allow",
      {"spec.database.restart.inPlace", "spec.database.restart.allowSeconds"});
}

void ScriptMethodNeedsScript(const Context& context) {
  const ResyncSpec& resync = context.spec.database.resync;
  const bool method = resync.method == ResyncMethod::kScript, script = !resync.script.empty();
  if (method == script) return;
  context.Report(method ? "spec.database.resync.method" : "spec.database.resync.script",
                 method ? "'script' needs the path of the script; set `script`"
                        : "a script runs only with method: script; set it or remove `script`",
                 {"spec.database.resync.method", "spec.database.resync.script"});
}

void OptionName(const Context& context) {
  for (const auto& [name, value] : context.spec.database.configuration) {
    const bool form =
        name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") == std::string::npos &&
        !name.empty() && name[0] >= 'a' && name[0] <= 'z';
    if (form) continue;
    context.Report("spec.database.configuration",
                   Shown(name) +
                       " is no name of an option; it must be lower-case letters, digits, '_' and "
                       "'-', such as 'innodb_buffer_pool_size'");
  }
}

void ManagedOption(const Context& context) {
  const auto& managed = ManagedOptions();
  for (const auto& [name, value] : context.spec.database.configuration) {
    std::string plain = name;
    std::replace(plain.begin(), plain.end(), '-', '_');
    if (std::find(managed.begin(), managed.end(), plain) == managed.end()) continue;
    context.Report(ChildPath("spec.database.configuration", name),
                   "the cluster decides this option itself; remove it");
  }
}

void VirtualIpOfHosts(const Context& context) {
  if (context.spec.substrate == SubstrateKind::kHosts || !context.spec.database.virtual_ip) return;
  context.Report("spec.database.virtualIP",
                 "a virtual address moves between machines, on substrate 'hosts' only; remove it",
                 {"spec.substrate"});
}

void VirtualIpIsApart(const Context& context) {
  if (!context.spec.database.virtual_ip) return;
  const std::string& address = context.spec.database.virtual_ip->address;
  for (const DatabaseNodeSpec& node : context.spec.database.nodes) {
    if (node.address.empty() || !address.starts_with(node.address + "/")) continue;
    context.Report(
        "spec.database.virtualIP.address",
        "it is the address of node '" + node.name.text + "'; choose one that no machine has");
  }
}

void SemiSyncNeedsReplica(const Context& context) {
  const DatabaseSpec& database = context.spec.database;
  const std::size_t members =
      database.nodes.empty() ? static_cast<std::size_t>(database.replicas) : database.nodes.size();
  if (database.replication.durability != DurabilityMode::kSemiSync || members == 0 || members >= 2)
    return;
  context.Report("spec.database.replication.durability",
                 "with 'semiSync' a replica acknowledges each write, but there is one node; add a "
                 "node or choose async",
                 {database.nodes.empty() ? "spec.database.replicas" : kNodes});
}

void WitnessPolicyNeedsWitness(const Context& context) {
  if (context.spec.failover_policy != FailoverPolicy::kWitness ||
      !context.spec.lease.witnesses.empty())
    return;
  context.Report(
      "spec.failoverPolicy",
      "'witness' needs a third place; name one in `lease.witnesses`, or choose consistency",
      {kWitnesses});
}

void LeaseOutlastsDetection(const Context& context) {
  const DetectionSpec& detection = context.spec.database.detection;
  if (context.spec.failover_policy == FailoverPolicy::kAvailability) return;
  if (Milliseconds(context.spec.lease.duration) > detection.Budget()) return;
  const auto needed = detection.Budget().count() / 1000 + 1;
  // A lease that nobody wrote has no line; detection must have one then.
  const TreeNode* declared = context.root.Find("spec");
  const TreeNode* lease = declared == nullptr ? nullptr : declared->Find("lease");
  const bool written = lease != nullptr && !lease->from_default;
  context.Report(written ? "spec.lease.seconds" : "spec.database.detection",
                 "a lease of " + std::to_string(context.spec.lease.duration.count()) +
                     " s would run out before a silence is noticed (" +
                     std::to_string(detection.interval.count()) + " + " +
                     std::to_string(detection.connect_retries + 1) + " × " +
                     std::to_string(detection.timeout.count()) + " ms); set lease: {seconds: " +
                     std::to_string(needed) + "} or more, or quicken the detection",
                 {"spec.lease.seconds", "spec.database.detection", "spec.failoverPolicy"});
}

void WitnessIsApart(const Context& context) {
  const auto& witnesses = context.spec.lease.witnesses;
  for (std::size_t i = 0; i < witnesses.size(); ++i) {
    for (const DatabaseNodeSpec& node : context.spec.database.nodes) {
      const bool name = !node.name.text.empty() && node.name == witnesses[i].name;
      const bool address = !node.address.empty() && node.address == witnesses[i].address;
      if (!name && !address) continue;
      context.Report(Where(kWitnesses, i, address ? "address" : "name"),
                     Shown(address ? node.address : node.name.text) + " is database node '" +
                         node.name.text +
                         "', which cannot testify about itself; a witness must be another machine "
                         "with a name of its own");
    }
  }
}

void EndpointIsApart(const Context& context) {
  if (!context.spec.endpoint.listen) return;
  const Address& listen = *context.spec.endpoint.listen;
  for (const DatabaseNodeSpec& node : context.spec.database.nodes) {
    if (listen.host != node.address || listen.port != context.spec.database.port) continue;
    context.Report(
        "spec.endpoint.listen",
        "there database node '" + node.name.text + "' listens; choose another address or port",
        {"spec.database.port"});
  }
}

void EndpointLeavesPort(const Context& context) {
  if (context.spec.substrate != SubstrateKind::kLocal || !context.spec.endpoint.listen) return;
  const Address& listen = *context.spec.endpoint.listen;
  if (listen.port != context.spec.database.port ||
      (listen.host != "0.0.0.0" && listen.host != "::"))
    return;
  context.Report("spec.endpoint.listen",
                 "it takes port " + std::to_string(listen.port) +
                     " on every address, and the nodes on this machine need it; choose another "
                     "port, or one address such as 127.0.0.1",
                 {"spec.database.port", "spec.substrate"});
}

void SharedSubdirectory(const Context& context) {
  if (!context.spec.data_in) return;
  const auto& shared = context.spec.data_in->shared;
  for (std::size_t i = 0; i < shared.size(); ++i) {
    const std::string& name = shared[i];
    const std::string path = ItemPath("spec.dataIn.shared", i);
    if (name.empty() || name == "." || name == ".." || name == context.spec.data_in->path) {
      context.Report(path,
                     "sharing data_in itself would process every agent's file twice; name a "
                     "subdirectory such as conf");
    } else if (name.find_first_not_of(
                   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.") !=
                   std::string::npos ||
               name[0] == '-' || name[0] == '.') {
      context.Report(path, Shown(name) +
                               " is no plain name of a subdirectory; use letters, digits, '_', '-' "
                               "and '.', without '/'");
    }
  }
}

void ConsoleAddresses(const Context& context) {
  if (context.OnKubernetes() || !context.spec.console) return;
  const ConsoleSpec& console = *context.spec.console;
  if (console.replicas < 0 ||
      console.addresses.size() >= static_cast<std::size_t>(console.replicas))
    return;
  context.Report("spec.console.replicas",
                 std::to_string(console.replicas) + " consoles are wanted and " +
                     std::to_string(console.addresses.size()) +
                     " addresses are named; add to `console.addresses` or lower `replicas`",
                 {"spec.substrate", "spec.console.addresses"});
}

void LocalSection(const Context& context) {
  const bool local = context.spec.substrate == SubstrateKind::kLocal;
  if (local == context.spec.local.has_value()) return;
  context.Report(
      "spec.local",
      local ? "substrate 'local' needs a place for its servers; add local: {directory: /path}"
            : "this section belongs to substrate 'local'; remove it",
      {"spec.substrate"});
}

void KubernetesSection(const Context& context) {
  if (context.OnKubernetes() || !context.spec.kubernetes) return;
  context.Report("spec.kubernetes", "this section belongs to substrate 'kubernetes'; remove it",
                 {"spec.substrate"});
}

void ClaimOfKubernetes(const Context& context) {
  if (context.OnKubernetes() || !context.spec.data_in || context.spec.data_in->storage_size.empty())
    return;
  context.Report("spec.dataIn.storage", "claims exist on substrate 'kubernetes' only; remove it",
                 {"spec.substrate"});
}

struct Rule {
  const char* id;
  void (*check)(const Context&);
};

constexpr Rule kRules[] = {
    {"UniqueAddress", UniqueAddress},
    {"UniqueServerId", UniqueServerId},
    {"UniqueWitnessAddress", UniqueWitnessAddress},
    {"AddressForm", AddressForm},
    {"NodesOfHosts", NodesOfHosts},
    {"ReplicasOfKubernetes", ReplicasOfKubernetes},
    {"PreferenceNamesNode", PreferenceNamesNode},
    {"LoopbackOnLocal", LoopbackOnLocal},
    {"SshOfHosts", SshOfHosts},
    {"AccountsDiffer", AccountsDiffer},
    {"OneSecretSource", OneSecretSource},
    {"SecretSourceFitsSubstrate", SecretSourceFitsSubstrate},
    {"ClientCertificatePair", ClientCertificatePair},
    {"RestartAllowance", RestartAllowance},
    {"ScriptMethodNeedsScript", ScriptMethodNeedsScript},
    {"OptionName", OptionName},
    {"ManagedOption", ManagedOption},
    {"VirtualIpOfHosts", VirtualIpOfHosts},
    {"VirtualIpIsApart", VirtualIpIsApart},
    {"SemiSyncNeedsReplica", SemiSyncNeedsReplica},
    {"WitnessPolicyNeedsWitness", WitnessPolicyNeedsWitness},
    {"LeaseOutlastsDetection", LeaseOutlastsDetection},
    {"WitnessIsApart", WitnessIsApart},
    {"EndpointIsApart", EndpointIsApart},
    {"EndpointLeavesPort", EndpointLeavesPort},
    {"SharedSubdirectory", SharedSubdirectory},
    {"ConsoleAddresses", ConsoleAddresses},
    {"LocalSection", LocalSection},
    {"KubernetesSection", KubernetesSection},
    {"ClaimOfKubernetes", ClaimOfKubernetes},
};

constexpr const char* kSubstrateIsFixed = "SubstrateIsFixed";
constexpr const char* kSchemaIsFixed = "SchemaIsFixed";
constexpr const char* kServerIdIsFixed = "ServerIdIsFixed";

}  // namespace

std::vector<Violation> CheckRules(const ClusterSpec& spec, const TreeNode& root) {
  std::vector<Violation> violations;
  for (const Rule& rule : kRules) rule.check({spec, root, rule.id, &violations});
  return violations;
}

std::vector<Violation> CheckChange(const ClusterSpec& before, const ClusterSpec& after) {
  std::vector<Violation> violations;
  if (before.substrate != after.substrate) {
    violations.push_back({kSubstrateIsFixed,
                          "spec.substrate",
                          "it was '" + std::string(ToString(before.substrate)) +
                              "' and may not be changed; declare a new cluster and move the data",
                          {}});
  }
  if (before.database.schema != after.database.schema) {
    violations.push_back({kSchemaIsFixed,
                          "spec.database.schema",
                          "it was " + Shown(before.database.schema) +
                              " and may not be changed while the cluster exists",
                          {}});
  }
  for (std::size_t i = 0; i < after.database.nodes.size(); ++i) {
    const DatabaseNodeSpec& node = after.database.nodes[i];
    const DatabaseNodeSpec* known = FindNode(before, node.name);
    if (known == nullptr || known->server_id == node.server_id) continue;
    violations.push_back({kServerIdIsFixed,
                          Where(kNodes, i, "serverId"),
                          "it was " + std::to_string(known->server_id) +
                              " and may not be changed; remove the node and add it anew",
                          {}});
  }
  return violations;
}

std::vector<std::string> RuleIds() {
  std::vector<std::string> ids = {kSubstrateIsFixed, kSchemaIsFixed, kServerIdIsFixed};
  for (const Rule& rule : kRules) ids.emplace_back(rule.id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

const std::vector<std::string>& ManagedOptions() {
  static const std::vector<std::string> kOptions = {"bind_address",
                                                    "datadir",
                                                    "event_scheduler",
                                                    "gtid_mode",
                                                    "init_file",
                                                    "init_rpl_role",
                                                    "log_bin",
                                                    "log_slave_updates",
                                                    "log_replica_updates",
                                                    "offline_mode",
                                                    "pid_file",
                                                    "port",
                                                    "read_only",
                                                    "report_host",
                                                    "report_port",
                                                    "rpl_semi_sync_master_enabled",
                                                    "rpl_semi_sync_slave_enabled",
                                                    "rpl_semi_sync_replica_enabled",
                                                    "rpl_semi_sync_source_enabled",
                                                    "server_id",
                                                    "skip_networking",
                                                    "skip_replica_start",
                                                    "skip_slave_start",
                                                    "socket",
                                                    "super_read_only"};
  return kOptions;
}

std::vector<Violation> Advice(const ClusterSpec& spec) {
  std::vector<Violation> advice;
  const DatabaseSpec& database = spec.database;
  const std::size_t members =
      database.nodes.empty() ? static_cast<std::size_t>(database.replicas) : database.nodes.size();
  if (members == 1) {
    advice.push_back({"",
                      database.nodes.empty() ? "spec.database.replicas" : kNodes,
                      "with one node there is nothing to fail over to; add a second",
                      {}});
  }
  if (members == 2 && database.replication.durability == DurabilityMode::kSemiSync &&
      database.replication.without_replica == WithoutReplica::kBlock) {
    advice.push_back({"",
                      "spec.database.replication.withoutReplica",
                      "with two nodes and 'block', the loss of the replica stops all writes; add a "
                      "node or choose degrade",
                      {}});
  }
  return advice;
}

}  // namespace pandora_ha
