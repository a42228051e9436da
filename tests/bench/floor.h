// The least that any failover must do, as a program of its own: it waits for the broken socket and
// sends the promotion's SQL. It proves nothing, remembers nothing, fences nobody.
#pragma once

#include "reconciler/mysql/session.h"

namespace pandora_ha::bench {

struct FloorTimes {
  TimePoint broken{}, stopped{}, applied{}, left{}, opened{}, written{};
};

class Floor {
 public:
  // As the admin. Both connections are open when it returns.
  static Result<Floor> Connect(Flavor flavor, const SessionOptions& primary,
                               const SessionOptions& replica, Deadline deadline);

  // The primary's idle connection, for poll(POLLRDHUP).
  int watched() const { return primary_->descriptor(); }
  // Waits for the primary's connection to break, promotes the replica and writes the row `id`.
  Result<FloorTimes> Run(std::uint64_t id, Deadline deadline);

 private:
  Result<std::string> Received(Deadline deadline);

  Flavor flavor_{};
  std::unique_ptr<Session> primary_, replica_;
};

// When the socket's other side is gone; the clock's epoch when the deadline came first.
TimePoint WaitForBreak(int socket, Deadline deadline);

// The replica has executed all that it received: its relay log is empty.
bool AppliedAll(Flavor flavor, Session& replica, Deadline deadline);

}  // namespace pandora_ha::bench
