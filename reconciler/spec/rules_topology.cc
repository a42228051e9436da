#include <algorithm>
#include <charconv>

#include "reconciler/spec/rule_context.h"

namespace pandora_ha::rules {

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

namespace {

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

bool IsBrokenIpv4(const std::string& address) {
  return !address.empty() && address.find_first_not_of("0123456789.") == std::string::npos &&
         !IsIpv4(address);
}

}  // namespace

void AddressForm(const Context& context) {
  const auto check = [&](const std::string& path, const std::string& address) {
    if (!IsBrokenIpv4(address)) return;
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
    const std::string& address = nodes[i].address;
    if (address.empty() || IsBrokenIpv4(address) || address.starts_with("127.")) continue;
    context.Report(
        Where(kNodes, i, "address"),
        Shown(address) +
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

}  // namespace pandora_ha::rules
