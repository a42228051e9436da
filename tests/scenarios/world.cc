#include "tests/scenarios/world.h"

#include <algorithm>

#include "reconciler/decide/election.h"

namespace pandora_ha::scenarios {
namespace {

constexpr int kOutOfStep = 1236;  // the source lacks what the replica has

std::string Uuid(ServerId id) {
  const std::string digit = std::to_string(id);
  return "0000000" + digit + "-0000-0000-0000-00000000000" + digit;
}

void BreakChannel(Node* replica) {
  if (replica->state.replication && replica->state.replication->io == ThreadState::kRunning) {
    replica->state.replication->io = ThreadState::kConnecting;
    replica->state.replication->lag.reset();
    replica->state.semi_sync.replica_active = false;
  }
}

}  // namespace

void World::Declare(const std::string& name) {
  DatabaseNodeSpec declared;
  declared.name = NodeName(name);
  declared.server_id = static_cast<ServerId>(spec.database.nodes.size() + 1);
  declared.address = "10.0.0." + std::to_string(declared.server_id);
  spec.database.nodes.push_back(declared);
  Node node;
  DatabaseState& state = node.state;
  state.version.flavor = flavor_;
  state.server_id = declared.server_id;
  if (flavor_ == Flavor::kMySql) state.server_uuid = Uuid(declared.server_id);
  state.run_id = "run1";
  state.log_bin = state.gtid_on = state.log_replica_updates = state.durable = true;
  node.process.phase = ProcessState::Phase::kRunning;
  node.process.initialised = true;
  node.process.pid = 100 + declared.server_id;
  if (spec.substrate != SubstrateKind::kLocal) {
    node.process_unknown = "nobody owns the process for us";
    node.can_fence = false;
  }
  nodes[name] = node;
}

const std::string* World::NameAt(const std::string& host) const {
  for (const DatabaseNodeSpec& node : spec.database.nodes) {
    if (node.address == host) return &node.name.text;
  }
  return nullptr;
}

int World::Acknowledgers(const std::string& source) const {
  int count = 0;
  for (const auto& [name, node] : nodes) {
    if (!node.runs() || !node.state.replication) continue;
    const std::string* follows = NameAt(node.state.replication->source.host);
    if (follows != nullptr && *follows == source && node.state.semi_sync.replica_active) ++count;
  }
  return count;
}

DatabaseSeen World::LookAt(const NodeName& name, Node* node) {
  DatabaseSeen seen;
  seen.name = name;
  seen.can_fence = node->can_fence;
  seen.self_fencing = node->self_fencing;
  if (node->runs() && node->writes_stand)
    seen.stalled_write = StalledWrite{now - *node->writes_stand, now, "Commit"};
  seen.contact = node->runs() ? node->contact : node->insists.value_or(Contact::kRefusedPort);
  const bool answered = seen.contact == Contact::kAnswered;
  if (node->asked) ++node->attempts;
  node->asked = true;
  seen.attempts = node->attempts;
  if (answered) {
    node->unanswered_since.reset();
  } else {
    if (!node->unanswered_since) node->unanswered_since = now;
    seen.contact_error =
        node->contact_error.empty() ? std::string(ToString(seen.contact)) : node->contact_error;
  }
  seen.unanswered_since = node->unanswered_since;
  seen.process = node->process_unknown.empty()
                     ? Seen<ProcessState>::Known(node->process, now)
                     : Seen<ProcessState>::Unknown(node->process_unknown, now);
  if (node->state.replication) {
    ReplicationSeen& channel = *node->state.replication;
    const std::string* source = NameAt(channel.source.host);
    const Node* from = source == nullptr ? nullptr : &nodes.at(*source);
    // The source sends a heartbeat twice a second.
    if (channel.io == ThreadState::kRunning && from != nullptr && from->runs() && from->sends) {
      node->last_arrival = std::to_string(now.time_since_epoch() / Milliseconds(500)) + "/" +
                           channel.received.ToString();
    }
    channel.arrival_token = node->last_arrival;
    channel.applied_all = node->state.executed.Contains(channel.received);
  }
  if (!answered) {
    seen.state = Seen<DatabaseState>::Unknown(seen.contact_error, now);
    return seen;
  }
  DatabaseState state = node->state;
  if (state.replication) state.replication->received = HeldBy(state);  // as the servers say it
  state.semi_sync.acknowledgers = node->says_acknowledgers.value_or(Acknowledgers(name.text));
  seen.state = Seen<DatabaseState>::Known(state, now);
  return seen;
}

Observation World::Look() {
  Observation seen;
  seen.taken_at.mono = now;
  seen.taken_at.wall = wall();
  seen.acts_since = acts_since;
  for (const DatabaseNodeSpec& declared : spec.database.nodes) {
    seen.databases.push_back(LookAt(declared.name, &nodes.at(declared.name.text)));
  }
  seen.publication = publication;
  seen.document_problem = document_problem;
  seen.witnesses = witnesses;
  seen.intents = intents;
  seen.last_failure = last_failure;
  if (look_for_busy) {
    std::vector<std::string> busy;
    for (const auto& [name, node] : nodes) {
      if (!node.busy.empty()) busy.push_back(node.busy);
    }
    seen.in_the_way = Seen<std::vector<std::string>>::Known(busy, now);
  }
  return seen;
}

void World::EndProcess(const std::string& name, const std::string& how) {
  Node& node = nodes.at(name);
  node.process.phase = ProcessState::Phase::kEnded;
  node.process.how_ended = how;
  node.process.ended_at = now;
  node.process.restart_inhibited = spec.database.restart.allow == Seconds(0);
  node.state.writable = false;
  BreakChannel(&node);
  for (auto& [other, replica] : nodes) {
    if (!replica.state.replication) continue;
    const std::string* source = NameAt(replica.state.replication->source.host);
    if (source != nullptr && *source == name) BreakChannel(&replica);
  }
}

// As every server of ours starts: read-only, following nobody's calls until told to.
void World::StartProcess(const std::string& name) {
  Node& node = nodes.at(name);
  const ProcessState before = std::exchange(node.process, ProcessState{});
  node.process.copy = before.copy;
  node.process.old_copy = before.old_copy;
  node.process.archive = before.archive;
  node.process.merge = before.merge;
  node.process.phase = ProcessState::Phase::kRunning;
  node.process.initialised = true;
  node.contact = Contact::kAnswered;
  node.contact_error.clear();
  node.insists.reset();
  node.sends = true;
  node.state.run_id += "'";
  node.state.writable = false;
  node.state.semi_sync = SemiSyncSeen{};
  if (node.state.replication) {
    node.state.replication->io = node.state.replication->sql = ThreadState::kStopped;
    node.state.replication->lag.reset();
  }
  for (auto& [other, replica] : nodes) {
    if (!replica.state.replication || replica.state.replication->io != ThreadState::kConnecting)
      continue;
    const std::string* source = NameAt(replica.state.replication->source.host);
    if (source != nullptr && *source == name) Connect(&replica, &node);
  }
}

void World::FinishCopy(const std::string& name, const std::string& source) {
  Node& node = nodes.at(name);
  node.process.copy->phase = CopySeen::Phase::kInPlace;
  node.process.old_copy = true;
  node.state.replication.reset();
  node.state.executed = nodes.at(source).state.executed;
  node.state.heartbeat = nodes.at(source).state.heartbeat;
  StartProcess(name);
}

void World::Connect(Node* replica, Node* source) {
  ReplicationSeen& channel = *replica->state.replication;
  channel.io_errno = 0;
  channel.io_error.clear();
  if (!source->runs()) {
    channel.io = ThreadState::kConnecting;
    return;
  }
  if (!source->state.executed.Contains(replica->state.executed)) {
    channel.io = ThreadState::kStopped;
    channel.io_errno = kOutOfStep;
    channel.io_error = "the source has not what the replica asks for";
    return;
  }
  channel.io = ThreadState::kRunning;
  channel.received = channel.received.Union(source->state.executed);
  replica->state.semi_sync.replica_active = replica->state.semi_sync.replica_enabled;
  if (channel.sql != ThreadState::kRunning || channel.sql_errno != 0) return;
  replica->state.executed = replica->state.executed.Union(channel.received);
  replica->state.heartbeat = source->state.heartbeat;
  replica->state.guards = source->state.guards;
  replica->state.unread_guards = source->state.unread_guards;
  replica->state.provisioned = source->state.provisioned;
  channel.lag = Seconds(0);
}

void World::Follow(const std::string& name, const std::string& source) {
  Node& replica = nodes.at(name);
  ReplicationSeen channel;
  const DatabaseNodeSpec* declared = FindNode(spec, NodeName(source));
  channel.source = {declared == nullptr ? source : declared->address, spec.database.port};
  channel.sql = ThreadState::kRunning;
  channel.received = replica.state.executed;
  replica.state.replication = channel;
  if (declared == nullptr) {
    replica.state.replication->io = ThreadState::kRunning;
    return;
  }
  Connect(&replica, &nodes.at(source));
}

void World::Write(const std::string& name, const GtidSet& transactions) {
  Node& writer = nodes.at(name);
  writer.state.executed = writer.state.executed.Union(transactions);
  for (auto& [other, replica] : nodes) {
    if (!replica.state.replication || replica.state.replication->io != ThreadState::kRunning)
      continue;
    const std::string* source = NameAt(replica.state.replication->source.host);
    if (source != nullptr && *source == name) Connect(&replica, &writer);
  }
}

// As the statement asks it: open, and nothing later is there.
void World::WriteGuards(const std::string& name, const GuardsCopy& copy) {
  Node& node = nodes.at(name);
  const auto& there = node.state.guards;
  if (!node.runs() || !node.state.writable || (there && there->version >= copy.version)) return;
  node.state.guards = copy;
  node.state.unread_guards.reset();
  Write(name, GtidSet());
}

void World::WriteOwn(const std::string& name) {
  const DatabaseState& state = nodes.at(name).state;
  std::uint64_t last = 0;
  for (const auto& [source, ranges] : state.executed.sources()) {
    if (flavor_ == Flavor::kMySql && source != state.server_uuid) continue;
    last = std::max(last, ranges.back().last);
  }
  const std::string number = std::to_string(last + 1);
  const std::string text = flavor_ == Flavor::kMySql
                               ? state.server_uuid + ":" + number
                               : "0-" + std::to_string(state.server_id) + "-" + number;
  Write(name, *GtidSet::Parse(flavor_, text));
}

}  // namespace pandora_ha::scenarios
