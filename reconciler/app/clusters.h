// The clusters of this process: one manager each, all on one work queue.
#pragma once

#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "reconciler/app/declared.h"
#include "reconciler/app/manager.h"
#include "reconciler/loop/noticeboard.h"
#include "reconciler/loop/work_queue.h"

namespace pandora_ha {

// A document that is not in force as it lies there.
struct RefusedDocument {
  std::string file;
  std::vector<Problem> problems;  // at least one
  bool could_not_start = false;   // the document is good; its cluster could not be begun

  bool operator==(const RefusedDocument&) const = default;
};

class Clusters {
 public:
  // Where a cluster's memory and history are kept, by its name.
  using StateDirectory = std::function<std::string(const std::string& cluster)>;

  // `clock` must outlive it.
  Clusters(StateDirectory state_directory, std::vector<std::string> supervisor_command,
           const Clock& clock);
  // Ends all managers, each after its turn; database servers go on.
  ~Clusters();

  // Brings what runs to what the documents say: starts a cluster that is new, hands a changed
  // document in, lets go of a cluster whose document is gone (its servers go on), and keeps the
  // last good document of one that is refused. Waits for no turn of a cluster. Gives what is
  // refused and was not at the last call. Not from two threads at once.
  std::vector<RefusedDocument> Declare(const std::map<std::string, DocumentFile>& files);
  // One that no document is watched for. Likewise.
  Status Start(ManagerOptions options);

  // Local substrate: ends all turns, then servers and supervisors.
  Status StopServers(Deadline deadline);

  // The rest is thread-safe.
  const Noticeboard& noticeboard() const { return noticeboard_; }
  std::vector<RefusedDocument> refused() const;
  // By name: since when they are looked after.
  std::map<std::string, TimePoint> Since() const;
  // Null: there is none.
  std::shared_ptr<Manager> Find(const std::string& cluster) const;
  std::size_t threads() const { return queue_.threads(); }

 private:
  struct Running {
    std::shared_ptr<Manager> manager;
    TimePoint since;
    std::string file;
    std::string text;  // that was handed in last; empty: it was refused since
  };

  std::map<std::string, InForce> InForceNow() const;
  void LetGo(const std::string& name);
  void Keep(const std::string& name, const std::vector<Problem>& problems);
  // What is in the way; empty: nothing.
  RefusedDocument TakeUp(const std::string& name, Declared::Good document, const std::string& text);

  const StateDirectory state_directory_;
  const std::vector<std::string> supervisor_command_;
  const Clock& clock_;
  Pulse pulse_;
  Noticeboard noticeboard_;
  WorkQueue queue_;
  mutable std::mutex mutex_;
  std::map<std::string, Running> running_;
  std::vector<RefusedDocument> refused_;
  std::vector<std::future<void>> endings_;  // of clusters that were let go
};

// The first of the problems, and how many there are beside it.
std::string Summary(const std::vector<Problem>& problems);

}  // namespace pandora_ha
