// Makes a writer endpoint in a process of its own follow a manager: the transport of
// `pandora-ha endpoint --hosts-file PATH --listen ADDR`.
//
// The manager publishes to pandora_ha_hosts.conf and its sidecar, in a directory that both can see;
// this reads the sidecar at every change of the directory (inotify) and once a second besides,
// because a network file system announces nothing.
#pragma once

#include <memory>
#include <string>

#include "reconciler/base/clock.h"
#include "reconciler/publish/endpoint.h"

namespace pandora_ha {

// Runs on one thread of its own until it is destroyed.
//
// A sidecar that is missing, unreadable, writable by everybody or of a lower epoch changes nothing:
// the endpoint goes on with the last truth, and Problem() says why. With a lease in the sidecar
// that truth has an end, counted from the manager's writing by wall time (clocks must agree to well
// within the lease; a time in the future counts as now). A stale sidecar read at the start never
// begins to forward.
//
// A drain in the sidecar drains the endpoint (Endpoint::Drain). A mark whose time is over, because
// the manager died before it withdrew, is as none: clients go on to the same primary.
class Follower {
 public:
  // `hosts_file` is the path of pandora_ha_hosts.conf. `endpoint` and `clock` must outlive it. kIo
  // when the machine has no inotify left; a directory that is not there yet is waited for.
  static Result<std::unique_ptr<Follower>> Start(const std::string& hosts_file, Endpoint& endpoint,
                                                 const Clock& clock);
  ~Follower();
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  // Why the sidecar is not followed now; empty: in order. Thread-safe.
  std::string Problem() const;

 private:
  class Impl;
  explicit Follower(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace pandora_ha
