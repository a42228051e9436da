// Running managers and what they tell: the process that `run` and `demo` are.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "reconciler/api/server.h"
#include "reconciler/app/clusters.h"

namespace pandora_ha {

struct Doors {
  std::string socket_path;        // the JSON API
  std::optional<Address> listen;  // probes and metrics; none: not over TCP
};

class Service {
 public:
  // `clock` must outlive it. See Clusters.
  Service(Clusters::StateDirectory state_directory, const Clock& clock);

  Clusters& clusters() { return clusters_; }
  const Noticeboard& noticeboard() const { return clusters_.noticeboard(); }
  // Answers from now on, on threads of its own.
  Status Open(const Doors& doors);

 private:
  const Clock& clock_;
  Clusters clusters_;
  std::unique_ptr<ApiServer> server_;
};

// How this very program is started as a supervisor.
std::vector<std::string> SupervisorCommand();

}  // namespace pandora_ha
