// A manager's side of a supervisor.
//
// Keeps one connection, starts a supervisor when none answers (it then adopts a server that already
// runs), and holds the last state that was pushed.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "reconciler/base/clock.h"
#include "reconciler/base/result.h"
#include "reconciler/model/observation.h"
#include "reconciler/substrate/local/supervisor_protocol.h"

namespace pandora_ha {

struct SupervisorClientOptions {
  std::string directory;  // the node's own; exists; canonical
  // Runs a supervisor that detaches itself: argv, to which the directory is added as last word.
  std::vector<std::string> command;
  // Called on a thread of the client's own, at once after every change of State(); must not block
  // and must not destroy the client. May be empty.
  std::function<void()> on_change;
};

// Thread-safe.
class SupervisorClient {
 public:
  SupervisorClient(SupervisorClientOptions options, const Clock& clock);
  ~SupervisorClient();
  SupervisorClient(const SupervisorClient&) = delete;
  SupervisorClient& operator=(const SupervisorClient&) = delete;

  // Unknown, with the reason, while no supervisor is connected.
  Seen<SupervisorState> State() const;
  // Waits for a connection if need be, asks, and waits for the answer.
  Status Call(SupervisorRequest request, Deadline deadline);
  // Stops the server, kills it when it has not ended after two thirds of the time, and ends the
  // supervisor for good: this client starts no new one.
  Status StopAndQuit(Deadline deadline);
  // True as soon as `condition` holds; false when the deadline came first.
  bool WaitFor(const std::function<bool(const Seen<SupervisorState>&)>& condition,
               Deadline deadline) const;

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace pandora_ha
