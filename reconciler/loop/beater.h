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
// looks must not be. Thread-safe.
class Beater {
 public:
  using Connect = std::function<std::unique_ptr<DatabaseNode>(const NodeName&)>;

  // `connect` is called on the beater's thread, once for each node that is ever beaten.
  Beater(Connect connect, const Clock& clock, Duration timeout);
  // Waits for a beat under way, at most for its timeout.
  ~Beater();
  // Begins to end; the destructor waits.
  void Stop();

  // Nodes are connected anew by this, from the next beat on. Does not wait.
  void Change(Connect connect, Duration timeout);

  // Asks for one beat; does nothing while the last one is still under way.
  void Beat(const NodeName& primary, Epoch epoch);
  // Why the last finished beat failed; empty: it did not.
  std::string problem() const;

 private:
  struct Wanted {
    NodeName primary;
    Epoch epoch;
  };

  void Loop();

  const Clock& clock_;
  mutable std::mutex mutex_;
  Connect connect_;
  Duration timeout_;
  bool changed_ = false;  // the connections are of before
  std::condition_variable asked_;
  bool stopping_ = false;
  bool busy_ = false;
  std::optional<Wanted> wanted_;
  std::string problem_;
  std::map<NodeName, std::unique_ptr<DatabaseNode>> nodes_;  // the thread's own
  std::thread thread_;  // since the first beat: a manager that observes has none
};

}  // namespace pandora_ha
