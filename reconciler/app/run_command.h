// The verbs that are processes: run, endpoint, supervise.
#pragma once

#include <optional>
#include <ostream>
#include <string>

#include "reconciler/base/clock.h"
#include "reconciler/model/ids.h"

namespace pandora_ha {

struct RunOptions {
  std::string config;  // the document, or a directory of them
  // Empty: /var/lib/pandora-ha. Of a directory of documents, each cluster has DIRECTORY/NAME; of
  // one document, it is the directory itself when it is named here, and else likewise.
  std::string state_directory;
  std::string socket_path;        // empty: /run/pandora-ha/api.sock
  std::optional<Address> listen;  // probes and metrics
};

// Keeps the clusters until SIGTERM or SIGINT, and goes by their documents as they change; SIGHUP
// reads all of them, and the passwords, at once. What is wrong with a document is printed. 0: ended
// as asked. When no cluster at all can be begun: 1, or 2 when it is for a document or a password it
// points to, and nothing was touched.
int RunCommand(const RunOptions& options, std::ostream& err);

struct EndpointCommandOptions {
  std::string hosts_file;  // pandora_ha_hosts.conf; its sidecar is followed
  Address listen;
  Seconds hold{10};
};

// A writer endpoint in a process of its own, until SIGTERM or SIGINT. 0 or 1.
int EndpointCommand(const EndpointCommandOptions& options, std::ostream& err);

}  // namespace pandora_ha
