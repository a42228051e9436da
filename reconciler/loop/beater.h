// Renews the heartbeat row of the open primary, and writes the guards beside it.
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

struct BeatWanted {
  NodeName primary;
  Epoch epoch;
  bool heartbeat = true;
  std::optional<GuardsCopy> guards;  // to be written, too
  // This manager's connection that holds its lock there; 0: none is asked for.
  std::uint64_t holder = 0;
};

// A thread and connections of its own, because a write can be held up by locks or by semi-sync, and
// looks must not be. A heartbeat that does not come back is followed by questions about what
// became of it, and by no other until it is over: each would hold one more connection. What fails
// is logged, once for each reason, and so is the next one that does not. Thread-safe.
class Beater {
 public:
  using Connect = std::function<std::unique_ptr<DatabaseNode>(const NodeName&)>;
  // Something that is another value when anything of a node's server has reached a disk meanwhile;
  // empty: not known.
  using DiskWrites = std::function<std::string(const NodeName&)>;

  // Both are called on the beater's thread, `connect` once for each node that is ever beaten.
  // Without `disk_writes` no heartbeat is ever said to wait for its disk.
  Beater(Connect connect, const Clock& clock, Duration timeout, DiskWrites disk_writes = {});
  // Waits for a beat under way, at most for its timeout.
  ~Beater();
  // Begins to end; the destructor waits.
  void Stop();

  // Nodes are connected anew by this, from the next beat on; one that has not begun is dropped.
  // Does not wait.
  void Change(Connect connect, Duration timeout, DiskWrites disk_writes = {});

  // Asks for one beat; does nothing while the last one is still under way.
  void Beat(BeatWanted wanted);

  // A heartbeat of `primary` that waits for its disk, as last asked; none otherwise.
  std::optional<StalledWrite> Stalled(const NodeName& primary) const;

 private:
  void Loop();
  struct Way {
    Connect connect;
    Duration timeout;
    DiskWrites disk_writes;
  };
  struct Words;  // of a person who reads the log
  static const Words kHeartbeat, kGuards;
  void Carry(const BeatWanted& wanted, const Way& way);
  void Tell(const NodeName& primary, const Status& done, const Words& words);
  void AskAfter(const Way& way);

  const Clock& clock_;
  mutable std::mutex mutex_;
  Way way_;
  bool changed_ = false;  // the connections are of before
  std::condition_variable asked_;
  bool stopping_ = false;
  bool busy_ = false;
  std::optional<BeatWanted> wanted_;
  // A heartbeat that did not come back. Written by the thread only.
  struct Left {
    NodeName primary;
    TimePoint since;      // sent, or when something was last written there
    std::string written;  // DiskWrites, as first asked since
    std::optional<StalledWrite> stalled;
    int unanswered = 0;    // questions in a row
    TimePoint ask_from{};  // not before
  };
  std::optional<Left> left_;
  // The thread's own.
  std::map<std::string, std::string> problems_;  // what fails, and why when it last did
  std::map<NodeName, std::unique_ptr<DatabaseNode>> nodes_;
  std::thread thread_;  // since the first beat: a manager that observes has none
};

}  // namespace pandora_ha
