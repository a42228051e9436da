// Renews the heartbeat row of the open primary.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "reconciler/base/clock.h"
#include "reconciler/port/database.h"

namespace pandora_ha {

// A thread and connections of its own, because a write can be held up by locks or by semi-sync, and
// looks must not be. A beat that fails is logged, once for each reason, and so is the next one that
// does not. Thread-safe.
class Beater {
 public:
  using Connect = std::function<std::unique_ptr<DatabaseNode>(const NodeName&)>;

  // `connect` is called on the beater's thread, once for each node that is ever beaten.
  Beater(Connect connect, const Clock& clock, Duration timeout);
  // Waits for a beat under way, at most for its timeout.
  ~Beater();

  // Asks for one beat; does nothing while the last one is still under way.
  void Beat(const NodeName& primary, Epoch epoch);

 private:
  struct Wanted {
    NodeName primary;
    Epoch epoch;
  };

  void Loop();
  void Tell(const NodeName& primary, const std::string& problem);

  const Connect connect_;
  const Clock& clock_;
  const Duration timeout_;
  std::mutex mutex_;
  std::condition_variable asked_;
  bool stopping_ = false;
  bool busy_ = false;
  std::optional<Wanted> wanted_;
  // The thread's own.
  std::string problem_;  // why the last beat failed; empty: it did not
  std::map<NodeName, std::unique_ptr<DatabaseNode>> nodes_;
  std::thread thread_;
};

}  // namespace pandora_ha
