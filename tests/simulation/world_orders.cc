// What is done to a server, and what it answers.
#include "tests/simulation/world.h"

namespace pandora_ha::simulation {

// ---- Processes ----

void World::Kill(int node, std::optional<Duration> restarts_in) {
  Server& server = servers_[static_cast<std::size_t>(node)];
  if (!server.running()) return;
  server.phase = ProcessState::Phase::kEnded;
  server.frozen = false;
  server.stalled_since.reset();
  server.ended_at = now_;
  server.writable = server.human_opened = server.waived = false;
  server.replica_active = false;
  server.restarts_at.reset();
  if (restarts_in) server.restarts_at = now_ + *restarts_in;
  if (server.channel) {
    server.channel->io = server.channel->sql = ThreadState::kStopped;
  }
  wake_ = true;
}

void World::Drop(int node) {
  Server& server = servers_[static_cast<std::size_t>(node)];
  for (const int id : server.relay) server.has[static_cast<std::size_t>(id)] = false;
  server.relay.clear();
  server.held = server.logged;
}

void World::Rebuild(int node) {
  Server& server = servers_[static_cast<std::size_t>(node)];
  server.logged = server.done = GtidSet();
  server.heartbeat.reset();
  server.guards.reset();
  server.provisioned = false;
  for (const int id : server.binlog) {
    const Transaction& t = transactions[static_cast<std::size_t>(id)];
    server.logged = server.logged.Union(t.gtid);
    if (t.marker) server.heartbeat = t.marker;
    if (t.guards) server.guards = t.guards;
    if (t.provisions) server.provisioned = true;
  }
  server.done = server.held = server.logged;
  for (const int id : server.relay)
    server.held = server.held.Union(transactions[static_cast<std::size_t>(id)].gtid);
}

void World::Start(int node, bool discard_unacknowledged) {
  Server& server = servers_[static_cast<std::size_t>(node)];
  if (server.running()) return;
  server.phase = ProcessState::Phase::kRunning;
  server.restarts_at.reset();
  server.inhibited = server.fenced = server.owner_lies = false;
  ++server.starts;
  server.told_at = now_;
  server.writable = bad_.boots_writable;
  server.source_enabled = server.waits = false;
  server.replica_enabled = true;
  if (discard_unacknowledged && kind_.flavor == Flavor::kMariaDb) {
    for (std::size_t i = server.committed; i < server.binlog.size(); ++i)
      server.has[static_cast<std::size_t>(server.binlog[i])] = false;
    server.binlog.resize(server.committed);
  }
  server.committed = server.acked = server.binlog.size();
  if (!server.relay.empty() && random_.Chance(50)) Drop(node);
  Rebuild(node);
}

// ---- Actions ----

// The channel is forgotten: it had stopped at what is taken back.
void World::Rewind(int node) {
  Server& server = servers_[static_cast<std::size_t>(node)];
  Drop(node);
  server.channel.reset();
  std::erase_if(server.binlog, [&](int id) {
    const bool goes = server.archived.Contains(transactions[static_cast<std::size_t>(id)].alone);
    if (goes) server.has[static_cast<std::size_t>(id)] = false;
    return goes;
  });
  server.committed = server.acked = server.binlog.size();
  Rebuild(node);
}

void World::OpenWritable(int node, Epoch epoch) {
  Server& server = servers_[static_cast<std::size_t>(node)];
  server.writable = true;
  server.human_opened = server.waived = false;
  server.opened_in = epoch;
  newest = std::max(newest, epoch);
}

void World::LeaveReplication(int node) {
  Server& server = servers_[static_cast<std::size_t>(node)];
  Drop(node);
  server.channel.reset();
  server.replica_active = false;
}

void World::ReplicateFrom(int node, int source) {
  Server& server = servers_[static_cast<std::size_t>(node)];
  if (server.channel && server.channel->source == source) {
    if (server.channel->io == ThreadState::kStopped) {
      server.channel->io = ThreadState::kConnecting;
      server.channel->io_errno = 0;
    }
    server.channel->sql = ThreadState::kRunning;
    return;
  }
  Drop(node);
  Channel channel;
  channel.source = source;
  channel.io = ThreadState::kConnecting;
  channel.sql = ThreadState::kRunning;
  if (server.channel) channel.arrivals = server.channel->arrivals + 1;
  server.channel = channel;
  server.replica_active = false;
}

void World::StopReceiving(int node) {
  Server& server = servers_[static_cast<std::size_t>(node)];
  if (server.channel) server.channel->io = ThreadState::kStopped;
  server.replica_active = false;
}

void World::SetSemiSync(int node, SemiSyncRole role) {
  Server& server = servers_[static_cast<std::size_t>(node)];
  server.source_enabled = role == SemiSyncRole::kSource;
  const bool waits = role == SemiSyncRole::kSource;
  if (waits && !server.waits) server.acked = server.binlog.size();
  server.waits = waits;
  if (role == SemiSyncRole::kReplica) {
    server.replica_enabled = true;
    if (server.channel && server.channel->io == ThreadState::kRunning) {
      server.channel->io = ThreadState::kConnecting;  // the thread is started anew
    }
  }
  Commit(node);
}

// ---- What is seen ----

DatabaseState World::StateOf(int node) const {
  const Server& server = servers_[static_cast<std::size_t>(node)];
  DatabaseState state;
  state.version.flavor = kind_.flavor;
  state.server_uuid = server.uuid;
  state.server_id = server.id;
  state.writable = server.writable;
  // MariaDB's gtid_binlog_state names a commit as soon as it is in the binlog, MySQL's
  // gtid_executed when it is committed.
  state.executed = kind_.flavor == Flavor::kMariaDb ? server.logged : server.done;
  if (server.channel) {
    const Channel& channel = *server.channel;
    ReplicationSeen seen;
    seen.source.host = servers_[static_cast<std::size_t>(channel.source)].address;
    seen.io = channel.io;
    seen.sql = channel.sql;
    seen.io_errno = channel.io_errno;
    if (channel.io_errno != 0) seen.io_error = "position is not in the source's binary log";
    seen.received = server.held;
    seen.applied_all = server.relay.empty();
    if (channel.sql == ThreadState::kRunning && channel.io == ThreadState::kRunning)
      seen.lag = Seconds(seen.applied_all ? 0 : 1);
    seen.arrival_token = std::to_string(channel.arrivals);
    state.replication = std::move(seen);
  }
  state.semi_sync.source_enabled = server.source_enabled;
  state.semi_sync.source_waiting = server.source_enabled && server.waits;
  state.semi_sync.waits_without_replica = server.waits;
  for (const Server& other : servers_) {
    if (other.channel && other.channel->source == node && other.replica_active &&
        other.channel->io == ThreadState::kRunning)
      ++state.semi_sync.acknowledgers;
  }
  state.semi_sync.replica_enabled = server.replica_enabled;
  state.semi_sync.replica_active = server.replica_active;
  state.heartbeat = server.heartbeat;
  state.guards = server.guards;
  state.run_id = std::to_string(server.starts);
  state.log_bin = state.gtid_on = state.log_replica_updates = state.durable = true;
  state.provisioned = server.provisioned;
  return state;
}

ProcessState World::ProcessOf(int node) const {
  const Server& server = servers_[static_cast<std::size_t>(node)];
  ProcessState process;
  process.phase = server.owner_lies ? ProcessState::Phase::kEnded : server.phase;
  process.pid = 1000 + server.starts;
  if (process.phase == ProcessState::Phase::kEnded) process.how_ended = "killed by signal 9";
  process.ended_at = server.ended_at;
  process.restart_inhibited = process.phase != ProcessState::Phase::kRunning && !server.restarts_at;
  process.fenced = server.fenced;
  process.initialised = server.starts > 0;
  process.archive = server.archive;
  process.rewind = server.rewind;
  return process;
}

}  // namespace pandora_ha::simulation
