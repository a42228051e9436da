#include "reconciler/app/manager.h"

#include <map>
#include <mutex>

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
namespace {

// A failover does not wait longer for a shared directory whose file server is gone.
constexpr Duration kPublishWithin = Seconds(2);
// Shorter than the time after which another manager takes over (kShortestSessionTimeout).
constexpr Duration kFrozen = Seconds(4);

// Workers and hosts are made before the loop that they wake.
class Waker {
 public:
  void Wake() {
    const std::lock_guard lock(mutex_);
    if (loop_ != nullptr) loop_->Wake();
  }
  void Set(ClusterLoop* loop) {
    const std::lock_guard lock(mutex_);
    loop_ = loop;
  }

 private:
  std::mutex mutex_;
  ClusterLoop* loop_ = nullptr;
};

// How long a publication is believed without a word from its manager. Under availability clients
// are better served by an old truth than by none.
Milliseconds PublicationLease(const ClusterSpec& spec) {
  return spec.failover_policy == FailoverPolicy::kAvailability ? Milliseconds(0)
                                                               : spec.lease.duration;
}

}  // namespace

// Destroyed from the last to the first: who calls goes before who is called.
struct Manager::Parts {
  ManagerOptions options;
  const Clock& clock;
  Waker waker;
  std::unique_ptr<FileStore> store;
  std::unique_ptr<FileLease> lease;
  Pulse pulse{clock, kFrozen};
  std::unique_ptr<Leader> leader;
  std::unique_ptr<LocalCluster> local;
  std::unique_ptr<Endpoint> endpoint;
  std::unique_ptr<BoundedPublisher> hosts_file;
  std::unique_ptr<Publishers> publishers;
  std::vector<std::unique_ptr<NodeWorker>> workers;
  std::unique_ptr<Observer> observer;
  std::unique_ptr<Beater> beater;
  std::unique_ptr<Hands> hands;
  std::unique_ptr<ClusterLoop> loop;

  Parts(ManagerOptions o, const Clock& c) : options(std::move(o)), clock(c) {}
  ~Parts() { waker.Set(nullptr); }

  std::unique_ptr<DatabaseNode> Connect(const NodeName& name) const {
    DatabaseNodeOptions wanted = OptionsFor(name);
    wanted.lock_of_another = ManagerLockName(options.spec.name);
    return MakeDatabaseNode(std::move(wanted));
  }
  DatabaseNodeOptions OptionsFor(const NodeName& name) const {
    const ClusterSpec& spec = options.spec;
    return DatabaseNodeOptionsFor(spec, *FindNode(spec, name), options.passwords);
  }
  Status OpenSubstrate();
  Status OpenPublishers();
  void MakeWorkers();
};

std::string HostsFilePath(const ClusterSpec& spec) {
  return spec.data_in ? spec.data_in->path + "/conf/pandora_ha_hosts.conf" : "";
}

Status Manager::Parts::OpenSubstrate() {
  switch (options.spec.substrate) {
    case SubstrateKind::kLocal: {
      PHA_ASSIGN_OR_RETURN(
          local, LocalCluster::Open({options.spec, options.passwords.admin,
                                     options.supervisor_command, [this] { waker.Wake(); }},
                                    clock, Deadline(clock, Seconds(10))));
      return Ok();
    }
    case SubstrateKind::kHosts:
      return Ok();
    case SubstrateKind::kKubernetes:
      break;
  }
  return Error{ErrorCode::kUnsupported,
               "substrate: kubernetes is not run by this version; use local or hosts."};
}

Status Manager::Parts::OpenPublishers() {
  const ClusterSpec& spec = options.spec;
  std::vector<Publisher*> all;
  if (spec.endpoint.listen) {
    EndpointOptions wanted;
    wanted.listen = *spec.endpoint.listen;
    wanted.hold = spec.endpoint.hold;
    PHA_ASSIGN_OR_RETURN(endpoint, Endpoint::Start(wanted, clock));
    PHA_TRY(endpoint->SetLease(PublicationLease(spec)));
    all.push_back(endpoint.get());
  }
  if (const std::string path = HostsFilePath(spec); !path.empty()) {
    HostsFileOptions wanted;
    wanted.path = path;
    wanted.cluster = spec.name;
    wanted.lease = PublicationLease(spec);
    hosts_file = std::make_unique<BoundedPublisher>(std::make_shared<HostsFile>(wanted, clock),
                                                    path, kPublishWithin, clock);
    all.push_back(hosts_file.get());
  }
  publishers = std::make_unique<Publishers>(std::move(all));
  return Ok();
}

void Manager::Parts::MakeWorkers() {
  const ClusterSpec& spec = options.spec;
  hands =
      std::make_unique<Hands>(Hands{spec, options.passwords, {}, {}, *publishers, *leader, clock});
  std::vector<NodeWorker*> looking;
  for (const DatabaseNodeSpec& node : spec.database.nodes) {
    Host* host = local ? local->Find(node.name) : nullptr;
    workers.push_back(std::make_unique<NodeWorker>(
        node.name, MakeDatabaseNode(WithManagerLock(OptionsFor(node.name), spec)), host, clock,
        spec.database.detection.timeout, [this] { waker.Wake(); }));
    looking.push_back(workers.back().get());
    hands->nodes[node.name] = workers.back().get();
    if (host != nullptr) hands->hosts[node.name] = host;
  }
  observer = std::make_unique<Observer>(std::move(looking), *publishers, clock,
                                        spec.database.detection.timeout);
  beater = std::make_unique<Beater>([this](const NodeName& name) { return Connect(name); }, clock,
                                    spec.database.detection.timeout);
}

Manager::Manager(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Manager::~Manager() = default;

Result<std::unique_ptr<Manager>> Manager::Make(ManagerOptions options, Noticeboard& noticeboard,
                                               const Clock& clock) {
  auto parts = std::make_unique<Parts>(std::move(options), clock);
  PHA_ASSIGN_OR_RETURN(parts->store, FileStore::Open(parts->options.state_directory));
  PHA_ASSIGN_OR_RETURN(parts->lease, FileLease::Take(parts->options.state_directory));
  parts->leader = std::make_unique<Leader>(*parts->lease, parts->pulse);
  PHA_TRY(parts->OpenSubstrate());
  PHA_TRY(parts->OpenPublishers());
  parts->MakeWorkers();
  parts->loop =
      std::make_unique<ClusterLoop>(LoopParts{*parts->observer, *parts->hands, *parts->store,
                                              *parts->beater, noticeboard, parts->leader.get()});
  parts->waker.Set(parts->loop.get());
  PHA_TRY(parts->loop->Start());
  return std::unique_ptr<Manager>(new Manager(std::move(parts)));
}

void Manager::Run(std::stop_token stop) {
  parts_->loop->Run(stop);
}

Status Manager::StopServers(Deadline deadline) {
  return parts_->local ? parts_->local->StopAll(deadline) : Ok();
}

const Endpoint* Manager::endpoint() const {
  return parts_->endpoint.get();
}

Status Manager::Ask(Intent intent) {
  return parts_->loop->Ask(std::move(intent));
}

std::vector<Intent> Manager::Pending() const {
  return parts_->loop->Pending();
}

Result<std::vector<Event>> Manager::History(std::size_t most) const {
  return parts_->store->ReadEvents(most);
}

}  // namespace pandora_ha
