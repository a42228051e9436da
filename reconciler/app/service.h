// A running manager and what it tells: the process that `run` and `demo` are.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "reconciler/api/server.h"
#include "reconciler/app/manager.h"
#include "reconciler/loop/noticeboard.h"

namespace pandora_ha {

struct ServiceOptions {
  ManagerOptions manager;
  std::string socket_path;        // the JSON API
  std::optional<Address> listen;  // probes and metrics; none: not over TCP
};

class Service {
 public:
  // Keeps the cluster and answers, on threads of its own, from its return until its end. `clock`
  // must outlive it.
  static Result<std::unique_ptr<Service>> Start(ServiceOptions options, const Clock& clock);
  // Ends the loop after its tick; database servers go on.
  ~Service();

  const Noticeboard& noticeboard() const { return noticeboard_; }
  // Ends the loop, then servers and supervisors. See Manager::StopServers.
  Status StopServers(Deadline deadline);

 private:
  Service() = default;

  Noticeboard noticeboard_;
  std::unique_ptr<Manager> manager_;
  std::unique_ptr<ApiServer> server_;
  std::jthread loop_;
};

// The passwords that the document points to; the error names which one and why.
Result<ResolvedCredentials> ResolvePasswords(const Credentials& credentials);

// How this very program is started as a supervisor.
std::vector<std::string> SupervisorCommand();

}  // namespace pandora_ha
