// A small made-up world for tests of what is told: nodes in chosen conditions, decided upon by the
// real Decide.
#pragma once

#include <string>

#include "reconciler/decide/decide.h"
#include "reconciler/decide/status_of.h"
#include "reconciler/model/status.h"

namespace pandora_ha {

struct World {
  ClusterSpec spec;
  Observation seen;
  Memory memory;
  Report report;

  // `nodes` MariaDB servers node1…; node1 is the primary of epoch 3 and the others follow it with
  // semi-sync in force.
  explicit World(int nodes = 2) {
    spec.name = "pandora";
    spec.generation = 7;
    spec.substrate = SubstrateKind::kLocal;
    spec.database.replication.durability = DurabilityMode::kSemiSync;
    seen.id = 42;
    seen.taken_at = {TimePoint(Seconds(1000)), WallTime(Seconds(1795366981))};
    memory.cluster = spec.name;
    memory.epoch = Epoch(3);
    memory.primary = NodeName("node1");
    memory.durability_in_force = DurabilityMode::kSemiSync;
    memory.primary_waited = true;
    memory.primary_executed = *GtidSet::Parse(Flavor::kMariaDb, "0-1-100");
    const char* sites[] = {"madrid", "paris", "lyon"};
    for (int i = 1; i <= nodes; ++i) {
      const NodeName name("node" + std::to_string(i));
      DatabaseNodeSpec node;
      node.name = name;
      node.address = "127.0.7." + std::to_string(i);
      node.server_id = static_cast<ServerId>(i);
      node.site = sites[(i - 1) % 3];
      spec.database.nodes.push_back(node);
      DatabaseSeen database;
      database.name = name;
      database.contact = Contact::kAnswered;
      database.attempts = 10;
      database.can_fence = true;
      ProcessState process;
      process.phase = ProcessState::Phase::kRunning;
      process.pid = 4000 + i;
      process.initialised = true;
      database.process = Seen<ProcessState>::Known(process, seen.taken_at.mono);
      database.state = Seen<DatabaseState>::Known(Server(i), seen.taken_at.mono);
      seen.databases.push_back(database);
      NodeMemory& remembered = memory.nodes[name];
      remembered.attempts_counted = 9;
      if (i > 1) {
        remembered.history = History::kContained;
        remembered.lossless = true;
        remembered.arrival_token = "a";
        remembered.arrival_changed = seen.taken_at.mono;
      }
    }
    seen.publication = {NodeName("node1"), Epoch(3), ""};
  }

  DatabaseSeen& node(int i) { return seen.databases[static_cast<std::size_t>(i - 1)]; }
  DatabaseState& state(int i) { return *node(i).state.mutable_value(); }
  NodeMemory& remembered(int i) { return memory.nodes[node(i).name]; }

  void Kill(int i, const std::string& how = "killed by signal 9") {
    ProcessState process;
    process.phase = ProcessState::Phase::kEnded;
    process.how_ended = how;
    process.ended_at = seen.taken_at.mono - Milliseconds(20);
    process.restart_inhibited = true;
    process.initialised = true;
    node(i).process = Seen<ProcessState>::Known(process, seen.taken_at.mono);
    Silence(i, Contact::kHungUp, "Lost connection to server during query");
  }
  // No answer, and whether the process lives is not known; every declared look has failed.
  void Silence(int i, Contact contact = Contact::kSilent,
               const std::string& error = "no answer within 1 s", int looks = 3) {
    node(i).contact = contact;
    node(i).contact_error = error;
    node(i).state = Seen<DatabaseState>::Unknown(error, seen.taken_at.mono);
    node(i).unanswered_since = seen.taken_at.mono - Seconds(20);
    remembered(i).failed_looks = looks - 1;
    remembered(i).unanswered_since = node(i).unanswered_since;
  }
  // Its owner cannot be asked: a fence cannot be proven.
  void OutOfReach(int i) {
    node(i).can_fence = false;
    node(i).process =
        Seen<ProcessState>::Unknown("no supervisor or agent is reached", seen.taken_at.mono);
  }
  // The replica's channel has been silent for long.
  void Deaf(int i) { remembered(i).arrival_changed = seen.taken_at.mono - Seconds(30); }

  Snapshot Pin() const {
    Snapshot snapshot;
    snapshot.spec = spec;
    snapshot.seen = seen;
    snapshot.decision = Decide(spec, seen, memory);
    snapshot.report = report;
    snapshot.status = StatusOf(spec, seen, snapshot.decision, report);
    snapshot.tick_took = Milliseconds(2);
    return snapshot;
  }

 private:
  DatabaseState Server(int i) const {
    DatabaseState state;
    state.version = {Flavor::kMariaDb, 10, 11, 19, "10.11.19-MariaDB"};
    state.server_id = static_cast<ServerId>(i);
    state.run_id = "run";
    state.log_bin = state.gtid_on = state.log_replica_updates = true;
    state.durable = state.provisioned = true;
    state.executed = *GtidSet::Parse(Flavor::kMariaDb, "0-1-100");
    state.heartbeat = HeartbeatSeen{Epoch(3), NodeName("node1"), seen.taken_at.wall};
    state.writable = i == 1;
    if (i == 1) {
      state.semi_sync.source_enabled = state.semi_sync.source_waiting = true;
      state.semi_sync.acknowledgers = 1;
      return state;
    }
    ReplicationSeen channel;
    channel.source = {"127.0.7.1", 3306};
    channel.io = channel.sql = ThreadState::kRunning;
    channel.received = state.executed;
    channel.applied_all = true;
    channel.lag = Seconds(0);
    channel.arrival_token = "a";
    state.replication = channel;
    state.semi_sync.replica_enabled = state.semi_sync.replica_active = true;
    return state;
  }
};

}  // namespace pandora_ha
