// What a manager is made of. Internal to manager.cc and manager_change.cc.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "reconciler/app/manager.h"
#include "reconciler/loop/cluster_loop.h"
#include "reconciler/mysql/database_node.h"
#include "reconciler/mysql/manager_lock.h"
#include "reconciler/publish/bounded_publisher.h"
#include "reconciler/publish/hosts_file.h"
#include "reconciler/publish/publishers.h"
#include "reconciler/substrate/files/file_lease.h"
#include "reconciler/substrate/files/file_store.h"
#include "reconciler/substrate/local/local_cluster.h"

namespace pandora_ha {

// Workers and hosts are made before the loop that they wake, and the queue comes and goes.
class Waker {
 public:
  // There is news.
  void Wake() {
    const std::lock_guard lock(mutex_);
    if (loop_ != nullptr) loop_->Wake();
  }
  void SetLoop(ClusterLoop* loop) {
    const std::lock_guard lock(mutex_);
    loop_ = loop;
  }

 private:
  std::mutex mutex_;
  ClusterLoop* loop_ = nullptr;
};

// Asks the queue for a turn.
class Caller {
 public:
  void Call() {
    const std::lock_guard lock(mutex_);
    if (call_) call_();
  }
  void Set(std::function<void()> call) {
    const std::lock_guard lock(mutex_);
    call_ = std::move(call);
  }

 private:
  std::mutex mutex_;
  std::function<void()> call_;
};

// Why a document cannot be taken up by a running manager.
struct Refusal {
  std::string path;  // of the field, as in Fields
  std::string message;
};

// Destroyed from the last to the first: who calls goes before who is called.
struct Manager::Parts {
  struct Node {
    DatabaseNodeOptions options;
    std::unique_ptr<NodeWorker> worker;
  };

  ManagerOptions options;  // changed by a turn, with the mutex
  const Clock& clock;
  mutable std::mutex mutex;
  std::optional<ManagerOptions> next;  // to be taken up; guarded by the mutex, as `refused`
  std::optional<std::string> refused;
  // A good document that cannot be taken up now.
  struct Waiting {
    ManagerOptions document;
    std::string says;
    TimePoint again;
  };
  std::optional<Waiting> waiting;
  WorkQueue* queue = nullptr;
  Caller caller;
  Waker waker;
  std::unique_ptr<FileStore> store;
  std::unique_ptr<FileLease> lease;
  std::unique_ptr<Leader> leader;
  std::unique_ptr<LocalCluster> local;
  std::shared_ptr<Endpoint> endpoint;  // replaced with the mutex
  HostsFileOptions hosts_file_at;
  std::unique_ptr<BoundedPublisher> hosts_file;
  Publishers publishers{{}};
  std::map<NodeName, Node> nodes;
  std::unique_ptr<Observer> observer;
  std::map<NodeName, DatabaseNodeOptions> beaten;  // what the beater connects to
  Milliseconds beat_within{};
  std::unique_ptr<Beater> beater;
  std::unique_ptr<Hands> hands;
  std::unique_ptr<ClusterLoop> loop;

  Parts(ManagerOptions o, const Clock& c) : options(std::move(o)), clock(c) {}
  ~Parts() { waker.SetLoop(nullptr); }

  LocalClusterOptions LocalOptionsFor(const ManagerOptions& wanted);
  Status OpenSubstrate();
  // The one that listens there, or a new one beside it; nothing that runs is changed.
  Result<std::shared_ptr<Endpoint>> EndpointFor(const EndpointSpec& wanted) const;
  // Anew, when the document says something else about it.
  void OpenHostsFile();
  // As the document says, with the endpoint that is there.
  Status SetUpPublishers();
  // Makes a worker for each declared node that needs one, keeps those that do not, and ends the
  // others. Gives the nodes whose worker is another one.
  std::vector<NodeName> MakeWorkers();
  void MakeBeater();

  // Takes up what was handed in, between two ticks.
  void TakeUpDocument();
  std::optional<Refusal> TakeUp(ManagerOptions wanted);
  std::optional<Refusal> WhyNot(const ManagerOptions& wanted) const;
  void WithdrawWhatEnds(const ClusterSpec& wanted);
};

// How long a publication is believed without a word from its manager. Under availability clients
// are better served by an old truth than by none.
Milliseconds PublicationLease(const ClusterSpec& spec);

}  // namespace pandora_ha
