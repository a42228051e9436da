// Everything that keeps one cluster, wired together: the one place where a substrate is chosen.
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "reconciler/base/clock.h"
#include "reconciler/base/result.h"
#include "reconciler/loop/noticeboard.h"
#include "reconciler/loop/pulse.h"
#include "reconciler/loop/work_queue.h"
#include "reconciler/model/intent.h"
#include "reconciler/model/spec.h"
#include "reconciler/port/database.h"
#include "reconciler/port/store.h"
#include "reconciler/publish/endpoint.h"
#include "reconciler/spec/fields.h"

namespace pandora_ha {

struct ManagerOptions {
  ClusterSpec spec;
  ResolvedCredentials passwords;
  std::string state_directory;                  // memory, history, lock; made when missing
  std::vector<std::string> supervisor_command;  // local substrate: what starts a supervisor
  // The document that all this was read from, for messages. Empty: from nowhere in particular.
  std::string file{};
  Fields fields{};
};

// A process that stood still for longer is taken for frozen: it may have been replaced. Shorter
// than the time after which another manager takes over (kShortestSessionTimeout).
constexpr Duration kFrozen = Seconds(4);

class Manager {
 public:
  // Takes the state directory, reads the memory, listens on the endpoint. Touches no database.
  // `noticeboard`, `pulse` (with kFrozen; one serves all managers of a process) and `clock` must
  // outlive the manager.
  static Result<std::unique_ptr<Manager>> Make(ManagerOptions options, Noticeboard& noticeboard,
                                               Pulse& pulse, const Clock& clock);
  // Database servers go on; the last snapshot stays on the noticeboard. REQUIRES: it is detached.
  ~Manager();

  // Keeps the cluster in turns of that queue, under the cluster's name, until Detach(), which waits
  // for the turn under way. The queue must outlive what is between them.
  void Attach(WorkQueue& queue);
  void Detach();
  // The same on a queue of its own until stop is requested.
  void Run(std::stop_token stop);
  // Begins to end: what is under way goes on, and nothing else is begun, so that the destructors of
  // several managers wait at the same time. REQUIRES: it is detached.
  void Stop();

  // Another document of the same cluster (file, fields, spec and passwords; the rest stays). It is
  // taken up between two ticks: what is the same in both goes on undisturbed. What cannot be taken
  // up is refused as by Refuse(), and tried again now and then. Thread-safe, never waits.
  void Change(ManagerOptions next);
  // The document that lies there is not taken up: a finding with this text from the next look on,
  // until there is a Change(). Thread-safe, never waits.
  void Refuse(std::string why);
  // What is in force. Thread-safe.
  ManagerOptions options() const;

  // Local substrate: ends servers and supervisors. For the end of a demonstration; call when it is
  // detached.
  Status StopServers(Deadline deadline);

  // Null without `endpoint.listen`. Thread-safe.
  std::shared_ptr<const Endpoint> endpoint() const;
  // See ClusterLoop. Thread-safe.
  Status Ask(Intent intent);
  std::vector<Intent> Pending() const;
  // The newest `most` events. Thread-safe.
  Result<std::vector<Event>> History(std::size_t most) const;

 private:
  struct Parts;
  explicit Manager(std::unique_ptr<Parts> parts);
  Duration Turn();

  std::unique_ptr<Parts> parts_;
};

// The file that Pandora reads: conf/pandora_ha_hosts.conf below dataIn.path. Empty when the
// document declares no dataIn.
std::string HostsFilePath(const ClusterSpec& spec);

}  // namespace pandora_ha
