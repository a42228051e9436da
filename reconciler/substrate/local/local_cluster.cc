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
    LocalHostOptions host;
    host.program = cluster->program_;
    host.settings.directory = spec.local->directory + "/" + node.name.text;
    host.settings.address = {node.address, spec.database.port};
    host.settings.server_id = node.server_id;
    host.settings.configuration = spec.database.configuration;
    host.admin_user = spec.database.credentials.admin.user;
    host.admin_password = options.admin_password;
    host.restart_allowed = spec.database.restart.allow;
    host.supervisor_command = options.supervisor_command;
    host.on_change = options.on_change;
    PHA_ASSIGN_OR_RETURN(cluster->hosts_[node.name], LocalHost::Open(std::move(host), clock));
  }
  return cluster;
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
