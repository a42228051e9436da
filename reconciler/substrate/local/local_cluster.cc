#include "reconciler/substrate/local/local_cluster.h"

#include <filesystem>
#include <future>

namespace pandora_ha {
namespace {

// All at once, so that one slow server does not use up the time of the others.
template <class Range, class Function>
Status ForEachAtOnce(Range& range, Function stop) {
  std::vector<std::future<Status>> work;
  for (auto& element : range)
    work.push_back(std::async(std::launch::async, [&] { return stop(element); }));
  Status all;
  for (auto& one : work) {
    if (Status status = one.get(); !status.ok()) all = status;
  }
  return all;
}

}  // namespace

Result<std::unique_ptr<LocalCluster>> LocalCluster::Open(const LocalClusterOptions& options,
                                                         const Clock& clock, Deadline deadline) {
  const ClusterSpec& spec = options.spec;
  std::unique_ptr<LocalCluster> cluster(new LocalCluster);
  PHA_ASSIGN_OR_RETURN(cluster->program_,
                       FindServerProgram(spec.local->flavor, spec.local->server_root, deadline));
  for (const DatabaseNodeSpec& node : spec.database.nodes) {
    PHA_ASSIGN_OR_RETURN(
        cluster->hosts_[node.name],
        LocalHost::Open(cluster->OptionsFor(options, cluster->program_, node), clock));
  }
  return cluster;
}

LocalHostOptions LocalCluster::OptionsFor(const LocalClusterOptions& options,
                                          const ServerProgram& program,
                                          const DatabaseNodeSpec& node) const {
  const ClusterSpec& spec = options.spec;
  LocalHostOptions host;
  host.program = program;
  host.settings.directory = spec.local->directory + "/" + node.name.text;
  host.settings.address = {node.address, spec.database.port};
  host.settings.server_id = node.server_id;
  host.settings.configuration = spec.database.configuration;
  host.node = node.name;
  host.schema = spec.database.schema;
  host.admin_user = spec.database.credentials.admin.user;
  host.admin_password = options.admin_password;
  host.tls = spec.database.tls;
  host.restart_allowed = spec.database.restart.allow;
  host.supervisor_command = options.supervisor_command;
  host.on_change = options.on_change;
  return host;
}

Status LocalCluster::Change(const LocalClusterOptions& options, const Clock& clock,
                            Deadline deadline) {
  const ClusterSpec& spec = options.spec;
  PHA_ASSIGN_OR_RETURN(const ServerProgram program,
                       FindServerProgram(spec.local->flavor, spec.local->server_root, deadline));
  std::map<NodeName, std::unique_ptr<LocalHost>> fresh;
  for (const DatabaseNodeSpec& node : spec.database.nodes) {
    LocalHostOptions wanted = OptionsFor(options, program, node);
    if (hosts_.contains(node.name)) {
      PHA_TRY(ServerConfiguration(wanted.program, wanted.settings));
    } else {
      PHA_ASSIGN_OR_RETURN(fresh[node.name], LocalHost::Open(std::move(wanted), clock));
    }
  }
  program_ = program;
  for (const DatabaseNodeSpec& node : spec.database.nodes) {
    if (const auto known = hosts_.find(node.name); known != hosts_.end())
      PHA_TRY(known->second->Change(OptionsFor(options, program, node)));
  }
  hosts_.merge(fresh);
  return Ok();
}

void LocalCluster::Keep(const ClusterSpec& spec) {
  std::erase_if(hosts_, [&](const auto& host) { return FindNode(spec, host.first) == nullptr; });
}

LocalHost* LocalCluster::Find(const NodeName& name) const {
  const auto found = hosts_.find(name);
  return found == hosts_.end() ? nullptr : found->second.get();
}

Status LocalCluster::StopAll(Deadline deadline) {
  return ForEachAtOnce(hosts_, [&](auto& host) { return host.second->StopAndQuit(deadline); });
}

Status StopLocalServers(const std::string& directory,
                        const std::vector<std::string>& supervisor_command, const Clock& clock,
                        Deadline deadline) {
  std::vector<std::string> directories;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(directory, failed)) {
    if (std::filesystem::exists(entry.path() / "supervisor.lock", failed)) {
      directories.push_back(std::filesystem::canonical(entry.path(), failed).string());
    }
  }
  return ForEachAtOnce(directories, [&](const std::string& node) {
    SupervisorClient client({node, supervisor_command, {}}, clock);
    return client.StopAndQuit(deadline);
  });
}

}  // namespace pandora_ha
