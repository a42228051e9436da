// Ends one statement of a session from outside, at a time finer than the server's own timeouts.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>

#include "reconciler/mysql/session.h"

namespace pandora_ha {

// From Begin() to its destructor: whatever `connection` executes when `within` has passed gets a
// KILL QUERY (error 1317), sent by a second connection that was made before. A statement that is
// sent after the destructor may still meet that KILL when struck() is true: send a harmless one
// first.
class StatementLimit {
 public:
  static Result<std::unique_ptr<StatementLimit>> Begin(const SessionOptions& options,
                                                       std::uint64_t connection,
                                                       Milliseconds within, Deadline deadline);
  ~StatementLimit();
  StatementLimit(const StatementLimit&) = delete;
  StatementLimit& operator=(const StatementLimit&) = delete;

  // Ends the watch, by the deadline. Whether the KILL was sent.
  bool Stop();

 private:
  StatementLimit(std::unique_ptr<Session> killer, std::uint64_t connection, Deadline at,
                 Deadline deadline);
  void Watch();

  const std::unique_ptr<Session> killer_;
  const std::uint64_t connection_;
  const Deadline at_, deadline_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
  bool struck_ = false;
  std::thread thread_;
};

}  // namespace pandora_ha
