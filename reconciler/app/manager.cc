#include "reconciler/app/manager.h"

#include <algorithm>
#include <condition_variable>
#include <utility>

#include "reconciler/app/manager_parts.h"
#include "reconciler/substrate/local/disk_writes.h"

namespace pandora_ha {
namespace {

// A failover does not wait longer for a shared directory whose file server is gone.
constexpr Duration kPublishWithin = Seconds(2);

// A longer wait_timeout than needed does no harm, and is no reason to connect anew.
bool Serves(const DatabaseNodeOptions& present, DatabaseNodeOptions wanted) {
  wanted.wait_timeout = std::max(wanted.wait_timeout, present.wait_timeout);
  return present == wanted;
}

}  // namespace

Milliseconds PublicationLease(const ClusterSpec& spec) {
  return spec.failover_policy == FailoverPolicy::kAvailability ? Milliseconds(0)
                                                               : spec.lease.duration;
}

std::string HostsFilePath(const ClusterSpec& spec) {
  return spec.data_in ? spec.data_in->path + "/conf/pandora_ha_hosts.conf" : "";
}

LocalClusterOptions Manager::Parts::LocalOptionsFor(const ManagerOptions& wanted) {
  return {wanted.spec, wanted.passwords.admin, wanted.supervisor_command, [this] { waker.Wake(); }};
}

Status Manager::Parts::OpenSubstrate() {
  switch (options.spec.substrate) {
    case SubstrateKind::kLocal: {
      PHA_ASSIGN_OR_RETURN(
          local, LocalCluster::Open(LocalOptionsFor(options), clock, Deadline(clock, Seconds(10))));
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

void Manager::Parts::OpenHostsFile() {
  HostsFileOptions wanted;
  wanted.path = HostsFilePath(options.spec);
  wanted.cluster = options.spec.name;
  wanted.lease = PublicationLease(options.spec);
  if (wanted.path == hosts_file_at.path && wanted.lease == hosts_file_at.lease) return;
  hosts_file = wanted.path.empty()
                   ? nullptr
                   : std::make_unique<BoundedPublisher>(std::make_shared<HostsFile>(wanted, clock),
                                                        wanted.path, kPublishWithin, clock);
  hosts_file_at = std::move(wanted);
}

Result<std::shared_ptr<Endpoint>> Manager::Parts::EndpointFor(const EndpointSpec& wanted) const {
  if (!wanted.listen) return std::shared_ptr<Endpoint>();
  if (endpoint && options.spec.endpoint.listen == wanted.listen) return endpoint;
  EndpointOptions listening;
  listening.listen = *wanted.listen;
  PHA_ASSIGN_OR_RETURN(std::unique_ptr<Endpoint> made, Endpoint::Start(listening, clock));
  return std::shared_ptr<Endpoint>(std::move(made));
}

Status Manager::Parts::SetUpPublishers() {
  const ClusterSpec& spec = options.spec;
  OpenHostsFile();
  std::vector<Publisher*> all;
  if (endpoint) all.push_back(endpoint.get());
  if (hosts_file) all.push_back(hosts_file.get());
  publishers.Change(std::move(all));
  if (!endpoint) return Ok();
  PHA_TRY(endpoint->SetLease(PublicationLease(spec)));
  return endpoint->SetHold(spec.endpoint.hold);
}

std::vector<NodeName> Manager::Parts::MakeWorkers() {
  const ClusterSpec& spec = options.spec;
  std::vector<NodeWorker*> looking;
  std::vector<NodeName> made;
  std::map<NodeName, Node> before = std::exchange(nodes, {});
  for (const DatabaseNodeSpec& declared : spec.database.nodes) {
    const DatabaseNodeOptions wanted =
        WithManagerLock(DatabaseNodeOptionsFor(spec, declared, options.passwords), spec);
    Node& node = nodes[declared.name];
    if (const auto known = before.find(declared.name);
        known != before.end() && Serves(known->second.options, wanted)) {
      node = std::move(known->second);
      before.erase(known);
      node.worker->SetLookTimeout(spec.database.detection.timeout);
    } else {
      node.options = wanted;
      made.push_back(declared.name);
    }
  }
  // A session that goes frees its lock, which the new one is to take.
  for (auto& [name, node] : before) node.worker->Stop();
  before.clear();
  hands->nodes.clear();
  hands->hosts.clear();
  for (const DatabaseNodeSpec& declared : spec.database.nodes) {
    Node& node = nodes[declared.name];
    Host* host = local ? local->Find(declared.name) : nullptr;
    if (!node.worker) {
      node.worker =
          std::make_unique<NodeWorker>(declared.name, MakeDatabaseNode(node.options), host, clock,
                                       spec.database.detection.timeout, [this] { waker.Wake(); });
    }
    looking.push_back(node.worker.get());
    hands->nodes[declared.name] = node.worker.get();
    if (host != nullptr) hands->hosts[declared.name] = host;
  }
  if (observer) {
    observer->Change(std::move(looking), spec.database.detection.timeout);
  } else {
    observer = std::make_unique<Observer>(std::move(looking), publishers, clock,
                                          spec.database.detection.timeout);
  }
  return made;
}

void Manager::Parts::MakeBeater() {
  const ClusterSpec& spec = options.spec;
  std::map<NodeName, DatabaseNodeOptions> wanted;
  for (const DatabaseNodeSpec& node : spec.database.nodes) {
    DatabaseNodeOptions& beaten_at = wanted[node.name];
    beaten_at = DatabaseNodeOptionsFor(spec, node, options.passwords);
    beaten_at.lock_of_another = ManagerLockName(spec.name);
  }
  const auto connect = [wanted](const NodeName& name) { return MakeDatabaseNode(wanted.at(name)); };
  Beater::DiskWrites disk_writes;
  if (spec.local) {
    disk_writes = [nodes = spec.local->directory](const NodeName& name) {
      return DiskWrites(nodes + "/" + name.text + "/server.pid");
    };
  }
  if (!beater) {
    beater = std::make_unique<Beater>(connect, clock, spec.database.detection.timeout, disk_writes);
  } else if (beaten != wanted || beat_within != spec.database.detection.timeout) {
    beater->Change(connect, spec.database.detection.timeout, disk_writes);
  }
  beaten = std::move(wanted);
  beat_within = spec.database.detection.timeout;
}

Manager::Manager(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Manager::~Manager() {
  Stop();
}

Result<std::unique_ptr<Manager>> Manager::Make(ManagerOptions options, Noticeboard& noticeboard,
                                               Pulse& pulse, const Clock& clock) {
  auto parts = std::make_unique<Parts>(std::move(options), clock);
  Parts& p = *parts;
  PHA_ASSIGN_OR_RETURN(p.store, FileStore::Open(p.options.state_directory));
  PHA_ASSIGN_OR_RETURN(p.lease, FileLease::Take(p.options.state_directory));
  p.leader = std::make_unique<Leader>(*p.lease, pulse);
  // Before the substrate: an address that is taken must leave no supervisor behind.
  PHA_ASSIGN_OR_RETURN(p.endpoint, p.EndpointFor(p.options.spec.endpoint));
  PHA_TRY(p.OpenSubstrate());
  PHA_TRY(p.SetUpPublishers());
  p.hands = std::make_unique<Hands>(
      Hands{p.options.spec, p.options.passwords, {}, {}, p.publishers, *p.leader, clock});
  p.MakeWorkers();
  p.MakeBeater();
  p.loop = std::make_unique<ClusterLoop>(LoopParts{*p.observer, *p.hands, *p.store, *p.beater,
                                                   noticeboard, p.leader.get(),
                                                   [&p] { p.caller.Call(); }});
  p.waker.SetLoop(p.loop.get());
  PHA_TRY(p.loop->Start());
  return std::unique_ptr<Manager>(new Manager(std::move(parts)));
}

void Manager::Attach(WorkQueue& queue) {
  const std::string key = parts_->options.spec.name;
  parts_->queue = &queue;
  parts_->caller.Set([&queue, key] { queue.Wake(key); });
  queue.Add(key, [this] { return Turn(); });
}

void Manager::Detach() {
  if (parts_->queue == nullptr) return;
  parts_->queue->Remove(parts_->options.spec.name);
  parts_->caller.Set({});
  parts_->queue = nullptr;
}

void Manager::Run(std::stop_token stop) {
  WorkQueue queue(parts_->clock, 1);
  Attach(queue);
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  stopped.wait(lock, stop, [] { return false; });
  Detach();
}

void Manager::Stop() {
  parts_->beater->Stop();
  for (auto& [name, node] : parts_->nodes) node.worker->Stop();
}

Duration Manager::Turn() {
  if (!parts_->loop->looking()) parts_->TakeUpDocument();
  return parts_->loop->Turn();
}

Status Manager::StopServers(Deadline deadline) {
  return parts_->local ? parts_->local->StopAll(deadline) : Ok();
}

ManagerOptions Manager::options() const {
  const std::lock_guard lock(parts_->mutex);
  return parts_->options;
}

std::shared_ptr<const Endpoint> Manager::endpoint() const {
  const std::lock_guard lock(parts_->mutex);
  return parts_->endpoint;
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
