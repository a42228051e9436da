// All database servers of a document with `substrate: local`.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "reconciler/model/spec.h"
#include "reconciler/substrate/local/local_host.h"

namespace pandora_ha {

struct LocalClusterOptions {
  ClusterSpec spec;                             // REQUIRES: spec.local
  Secret admin_password;                        // of spec.database.credentials.admin
  std::vector<std::string> supervisor_command;  // see SupervisorClientOptions
  std::function<void()> on_change;              // likewise; of any node
};

// One LocalHost per node, in spec.local->directory/NODE. Thread-safe after Open().
class LocalCluster {
 public:
  // Finds the server's program and connects to the supervisors without waiting for them; starts no
  // server.
  static Result<std::unique_ptr<LocalCluster>> Open(const LocalClusterOptions& options,
                                                    const Clock& clock, Deadline deadline);

  // Null when there is no such node. Lives as long as the cluster.
  LocalHost* Find(const NodeName& name) const;
  const ServerProgram& program() const { return program_; }

  // What another document of the same cluster makes different: hosts of new nodes are added,
  // settings are changed for the next start. On an error nothing is different. Hosts of nodes that
  // are not declared any more stay until Keep(). Not beside Find().
  Status Change(const LocalClusterOptions& options, const Clock& clock, Deadline deadline);
  // Lets go of all other nodes; their servers and supervisors go on.
  void Keep(const ClusterSpec& spec);

  // Stops all servers, kills after two thirds of the time those that do not end, and ends their
  // supervisors.
  Status StopAll(Deadline deadline);

 private:
  LocalCluster() = default;

  LocalHostOptions OptionsFor(const LocalClusterOptions& options, const ServerProgram& program,
                              const DatabaseNodeSpec& node) const;

  ServerProgram program_;
  std::map<NodeName, std::unique_ptr<LocalHost>> hosts_;
};

// The same for whatever an earlier program left in `directory`, without a document.
Status StopLocalServers(const std::string& directory,
                        const std::vector<std::string>& supervisor_command, const Clock& clock,
                        Deadline deadline);

}  // namespace pandora_ha
