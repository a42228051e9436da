// Everything that keeps one cluster, wired together: the one place where a substrate is chosen.
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "reconciler/base/clock.h"
#include "reconciler/base/result.h"
#include "reconciler/loop/noticeboard.h"
#include "reconciler/model/intent.h"
#include "reconciler/model/spec.h"
#include "reconciler/port/database.h"
#include "reconciler/port/store.h"
#include "reconciler/publish/endpoint.h"

namespace pandora_ha {

struct ManagerOptions {
  ClusterSpec spec;
  ResolvedCredentials passwords;
  std::string state_directory;                  // memory, history, lock; made when missing
  std::vector<std::string> supervisor_command;  // local substrate: what starts a supervisor
};

class Manager {
 public:
  // Takes the state directory, reads the memory, listens on the endpoint. Touches no database.
  // `noticeboard` and `clock` must outlive the manager.
  static Result<std::unique_ptr<Manager>> Make(ManagerOptions options, Noticeboard& noticeboard,
                                               const Clock& clock);
  ~Manager();

  // Keeps the cluster until stop is requested. On the caller's thread.
  void Run(std::stop_token stop);

  // Local substrate: ends servers and supervisors. For the end of a demonstration; call after
  // Run().
  Status StopServers(Deadline deadline);

  // Null without `endpoint.listen`. Thread-safe.
  const Endpoint* endpoint() const;
  // See ClusterLoop. Thread-safe.
  Status Ask(Intent intent);
  std::vector<Intent> Pending() const;
  // The newest `most` events. Thread-safe.
  Result<std::vector<Event>> History(std::size_t most) const;

 private:
  struct Parts;
  explicit Manager(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

// The file that Pandora reads: conf/pandora_ha_hosts.conf below dataIn.path. Empty when the
// document declares no dataIn.
std::string HostsFilePath(const ClusterSpec& spec);

}  // namespace pandora_ha
