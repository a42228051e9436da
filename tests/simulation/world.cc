#include "tests/simulation/world.h"

#include <algorithm>

namespace pandora_ha::simulation {
namespace {

constexpr Duration kHeartbeat = Milliseconds(500);
constexpr Duration kNetTimeout = Seconds(10);

}  // namespace

ClusterSpec SpecOf(const WorldKind& kind) {
  ClusterSpec spec;
  spec.name = "pandora";
  spec.substrate = kind.substrate;
  spec.failover_policy = kind.policy;
  spec.database.replication.durability = kind.durability;
  spec.database.replication.without_replica = kind.without_replica;
  spec.database.restart.allow = kind.restart_allow;
  if (kind.failback) {
    spec.database.failback = Failback::kWhenCaughtUp;
    spec.failover_cool_down = Seconds(10);
  }
  for (int i = 0; i < kind.nodes; ++i) {
    DatabaseNodeSpec node;
    node.name = NodeName("node" + std::to_string(i + 1));
    node.address = "10.0.0." + std::to_string(i + 1);
    node.server_id = static_cast<ServerId>(i + 1);
    spec.database.nodes.push_back(node);
  }
  if (kind.policy == FailoverPolicy::kWitness) {
    spec.lease.witnesses.push_back({NodeName("third"), "10.0.0.9", "lyon"});
  }
  return spec;
}

World::World(const WorldKind& kind, const KnownBad& bad, std::uint64_t seed)
    : kind_(kind), bad_(bad), spec_(SpecOf(kind)), random_(seed), now_(TimePoint(Seconds(1000))) {
  for (int i = 0; i < kind.nodes; ++i) {
    Server server;
    const DatabaseNodeSpec& declared = spec_.database.nodes[static_cast<std::size_t>(i)];
    server.name = declared.name;
    server.address = declared.address;
    server.id = declared.server_id;
    server.uuid = "00000000-0000-0000-0000-00000000000" + std::to_string(i + 1);
    servers_.push_back(server);
  }
  if (kind.substrate == SubstrateKind::kHosts) {
    for (int i = 0; i < kind.nodes; ++i) Start(i, false);
  }
}

int World::IndexOf(const NodeName& name) const {
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    if (servers_[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

bool World::TakeWake() {
  const bool wake = wake_;
  wake_ = false;
  return wake;
}

void World::Advance(Duration duration) {
  while (duration > Duration::zero()) {
    const Duration step = std::min<Duration>(duration, Milliseconds(200));
    now_ += step;
    duration -= step;
    Substep(step);
  }
}

void World::Substep(Duration /*duration*/) {
  const int first = random_.Below(kind_.nodes);
  for (int k = 0; k < kind_.nodes; ++k) {
    const int node = (first + k) % kind_.nodes;
    Server& server = servers_[static_cast<std::size_t>(node)];
    if (!server.running() && server.restarts_at && now_ >= *server.restarts_at) Start(node, false);
    if (!server.answers()) continue;
    Receive(node);
    Apply(node);
  }
  for (int node = 0; node < kind_.nodes; ++node) Commit(node);
  RunClients();
  for (int node = 0; node < kind_.nodes; ++node) Commit(node);
  if (kind_.policy == FailoverPolicy::kWitness) RunAgents();
}

// ---- Replication ----

void World::Connect(int node) {
  Server& replica = servers_[static_cast<std::size_t>(node)];
  Channel& channel = *replica.channel;
  const Server& source = servers_[static_cast<std::size_t>(channel.source)];
  const auto stop = [&] {
    channel.io = ThreadState::kStopped;
    channel.io_errno = 1236;
  };
  const auto source_has = [&](int id) {
    const auto i = static_cast<std::size_t>(id);
    return i < source.has.size() && source.has[i];
  };
  if (kind_.flavor == Flavor::kMariaDb) {
    if (!replica.binlog.empty() && !source_has(replica.binlog.back())) return stop();
  } else {
    for (const int id : replica.binlog) {
      const Transaction& t = transactions[static_cast<std::size_t>(id)];
      if (t.writer == channel.source && !source_has(id)) return stop();
    }
  }
  channel.cursor = 0;
  while (channel.cursor < source.binlog.size() &&
         replica.has[static_cast<std::size_t>(source.binlog[channel.cursor])]) {
    ++channel.cursor;
  }
  channel.io = ThreadState::kRunning;
  channel.io_errno = 0;
  channel.last_arrival = now_;
  ++channel.arrivals;
  // Both servers let a replica register for semi-sync whether or not the source's side is on.
  replica.replica_active = replica.replica_enabled;
}

void World::Receive(int node) {
  Server& replica = servers_[static_cast<std::size_t>(node)];
  if (!replica.channel || replica.channel->io == ThreadState::kStopped) return;
  Channel& channel = *replica.channel;
  Server& source = servers_[static_cast<std::size_t>(channel.source)];
  const bool reachable = Linked(node, channel.source);
  if (channel.io == ThreadState::kConnecting) {
    if (reachable && source.answers() && random_.Chance(60)) Connect(node);
    return;
  }
  if (reachable ? !source.running() : now_ - channel.last_arrival > kNetTimeout) {
    channel.io = ThreadState::kConnecting;
    replica.replica_active = false;
    return;
  }
  if (!reachable || !source.answers()) return;
  bool arrived = now_ - channel.last_arrival >= kHeartbeat;
  for (int most = random_.Between(0, 12); most > 0 && channel.cursor < source.binlog.size();
       ++channel.cursor) {
    const int id = source.binlog[channel.cursor];
    const auto i = static_cast<std::size_t>(id);
    if (!replica.has[i]) {
      replica.has[i] = true;
      replica.relay.push_back(id);
      replica.held = replica.held.Union(transactions[i].gtid);
      arrived = true;
      --most;
    }
  }
  // An acknowledgement covers everything before it, and a broken path only delays it.
  if (replica.replica_active && acks_lost == 0)
    source.acked = std::max(source.acked, channel.cursor);
  if (arrived) {
    ++channel.arrivals;
    channel.last_arrival = now_;
  }
}

void World::Apply(int node) {
  Server& replica = servers_[static_cast<std::size_t>(node)];
  if (!replica.channel || replica.channel->sql != ThreadState::kRunning) return;
  // A replica whose own source side waits holds its applier, too.
  if (replica.waits && replica.committed < replica.binlog.size()) return;
  if (random_.Below(200) == 0) replica.slow_until = now_ + Milliseconds(random_.Below(6000));
  const std::size_t most =
      static_cast<std::size_t>(!calm && now_ < replica.slow_until ? 0 : random_.Between(0, 12));
  const std::size_t count = std::min(most, replica.relay.size());
  for (std::size_t k = 0; k < count; ++k) {
    replica.binlog.push_back(replica.relay[k]);
    replica.logged =
        replica.logged.Union(transactions[static_cast<std::size_t>(replica.relay[k])].gtid);
  }
  replica.relay.erase(replica.relay.begin(), replica.relay.begin() + static_cast<long>(count));
  Commit(node);
}

void World::Commit(int node) {
  Server& server = servers_[static_cast<std::size_t>(node)];
  if (!server.commits()) return;
  const std::size_t until =
      server.waits ? std::max(server.committed, std::min(server.acked, server.binlog.size()))
                   : server.binlog.size();
  for (; server.committed < until; ++server.committed) {
    const int id = server.binlog[server.committed];
    Transaction& t = transactions[static_cast<std::size_t>(id)];
    server.done = server.done.Union(t.gtid);
    if (t.marker) server.heartbeat = t.marker;
    if (t.guards) server.guards = t.guards;
    if (t.provisions) server.provisioned = true;
    if (t.writer != node || !t.by_client || t.acknowledged || !server.writable) continue;
    const bool told = t.stubborn || publication.primary == server.name;
    if (!told || !Linked(kClients, node)) continue;
    t.acknowledged = true;
    t.superseded = server.opened_in < newest;
    ++acknowledged;
    t.promised = kind_.durability == DurabilityMode::kSemiSync && recorded != nullptr &&
                 recorded->primary == server.name &&
                 recorded->durability_in_force == DurabilityMode::kSemiSync;
    if (t.promised) promised.push_back(id);
  }
}

int World::Append(int node, Transaction transaction) {
  Server& server = servers_[static_cast<std::size_t>(node)];
  std::uint64_t last = 0;
  for (const auto& [source, ranges] : server.logged.sources()) {
    if (kind_.flavor == Flavor::kMariaDb || source == server.uuid)
      last = std::max(last, ranges.back().last);
  }
  transaction.writer = node;
  transaction.number = last + 1;
  const std::string number = std::to_string(last + 1);
  transaction.gtid =
      *GtidSet::Parse(kind_.flavor, kind_.flavor == Flavor::kMariaDb
                                        ? "0-" + std::to_string(server.id) + "-" + number
                                        : server.uuid + ":" + number);
  transaction.alone = transaction.gtid;
  if (kind_.flavor == Flavor::kMariaDb && last > 0) {
    const std::string earlier = "0-" + std::to_string(server.id) + "-" + std::to_string(last);
    transaction.alone = transaction.gtid.Subtract(*GtidSet::Parse(kind_.flavor, earlier));
  }
  const int id = static_cast<int>(transactions.size());
  server.logged = server.logged.Union(transaction.gtid);
  server.held = server.held.Union(transaction.gtid);
  transactions.push_back(std::move(transaction));
  for (Server& other : servers_) other.has.resize(transactions.size());
  server.has.back() = true;
  server.binlog.push_back(id);
  return id;
}

// ---- Clients, agents ----

int World::WriteAsSomebody(int node) {
  Server& server = servers_[static_cast<std::size_t>(node)];
  if (!server.commits() || !server.writable) return -1;
  if (server.binlog.size() - server.committed > 3) return -1;  // every session waits
  Transaction t;
  t.by_client = true;
  return Append(node, std::move(t));
}

int World::WriteMarker(int node, Epoch epoch, const NodeName& writer, bool provision) {
  Transaction t;
  if (provision) {
    t.provisions = true;
  } else {
    t.marker = HeartbeatSeen{epoch, writer, WallTime{}};
  }
  const int id = Append(node, std::move(t));
  Commit(node);
  return id;
}

void World::WriteGuards(int node, const GuardsCopy& copy) {
  const auto& there = servers_[static_cast<std::size_t>(node)].guards;
  if (there && there->version >= copy.version) return;
  Transaction t;
  t.guards = copy;
  Append(node, std::move(t));
  Commit(node);
}

// Whoever executes one of them from now on executes nothing.
void World::InjectEmpty(int node, const GtidSet& which) {
  Server& server = servers_[static_cast<std::size_t>(node)];
  for (std::size_t id = 0; id < transactions.size(); ++id) {
    Transaction& t = transactions[id];
    if (server.has[id] || !which.Contains(t.gtid)) continue;
    t.marker.reset();
    t.guards.reset();
    server.has[id] = true;
    server.binlog.push_back(static_cast<int>(id));
    server.logged = server.logged.Union(t.gtid);
    server.held = server.held.Union(t.gtid);
  }
  Commit(node);
}

Divergence World::Account(int node, const GtidSet& own) const {
  Divergence sum;
  for (const int id : servers_[static_cast<std::size_t>(node)].binlog) {
    const Transaction& t = transactions[static_cast<std::size_t>(id)];
    if (!own.Contains(t.alone)) continue;
    ++sum.transactions;
    if (!t.by_client && !t.provisions) ++sum.marks;
  }
  return sum;
}

void World::RunClients() {
  if (calm) return;
  if (publication.primary && random_.Chance(kind_.quiet ? 1 : 70) &&
      (!kind_.quiet || random_.Chance(10))) {
    const int node = IndexOf(*publication.primary);
    if (Linked(kClients, node)) WriteAsSomebody(node);
  }
  if (!kind_.stubborn || !random_.Chance(40)) return;
  for (int node = 0; node < kind_.nodes; ++node) {
    if (!Linked(kClients, node)) continue;
    const int id = WriteAsSomebody(node);
    if (id >= 0) transactions[static_cast<std::size_t>(id)].stubborn = true;
  }
}

bool World::WitnessReaches(int node) const {
  return Linked(kWitness, node) && servers_[static_cast<std::size_t>(node)].answers();
}

// The agent ends its server when neither a manager nor the witness has got an answer from it for
// the lease's duration. Managers renew in Look.
void World::RunAgents() {
  for (int node = 0; node < kind_.nodes; ++node) {
    Server& server = servers_[static_cast<std::size_t>(node)];
    if (WitnessReaches(node)) server.told_at = server.witnessed_at = now_;
    if (!server.running() || now_ - server.told_at < spec_.lease.duration) continue;
    Kill(node, std::nullopt);
    server.restarts_at = now_ + Seconds(5);  // read-only, as every start
  }
}

}  // namespace pandora_ha::simulation
