// The verbs that are processes: run, endpoint, supervise.
#pragma once

#include <optional>
#include <ostream>
#include <string>

#include "reconciler/base/clock.h"
#include "reconciler/model/ids.h"

namespace pandora_ha {

struct RunOptions {
  std::string config;             // the document
  std::string state_directory;    // empty: /var/lib/pandora-ha/CLUSTER
  std::string socket_path;        // empty: /run/pandora-ha/api.sock
  std::optional<Address> listen;  // probes and metrics
};

// Keeps the cluster until SIGTERM or SIGINT. 0: ended as asked; 1: could not start; 2: the document
// or a password it points to is wrong, and nothing was touched.
int RunCommand(const RunOptions& options, std::ostream& err);

struct EndpointCommandOptions {
  std::string hosts_file;  // pandora_ha_hosts.conf; its sidecar is followed
  Address listen;
  Seconds hold{10};
};

// A writer endpoint in a process of its own, until SIGTERM or SIGINT. 0 or 1.
int EndpointCommand(const EndpointCommandOptions& options, std::ostream& err);

}  // namespace pandora_ha
