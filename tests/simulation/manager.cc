#include "tests/simulation/manager.h"

#include <algorithm>

#include "reconciler/base/overloaded.h"

namespace pandora_ha::simulation {
namespace {

DatabaseSeen LookAt(World& world, Manager& manager, int node, bool lost) {
  const auto i = static_cast<std::size_t>(node);
  Server& server = world.servers()[i];
  DatabaseSeen seen;
  seen.name = server.name;
  ++manager.attempts[i];
  const bool linked = world.Linked(manager.place(), node);
  if (lost || !linked || (server.running() && server.frozen)) {
    seen.contact = Contact::kSilent;
  } else if (!server.running()) {
    seen.contact = world.random().Chance(50) ? Contact::kRefusedPort : Contact::kHungUp;
  } else if (server.denied) {
    seen.contact = Contact::kDenied;
  } else {
    seen.contact = Contact::kAnswered;
    DatabaseState state = world.StateOf(node);
    if (world.bad().forget_guards && state.guards && state.guards->writer != manager.memory.manager)
      state.guards.reset();
    seen.state = Seen<DatabaseState>::Known(std::move(state), world.now());
    server.told_at = world.now();
  }
  if (seen.contact == Contact::kAnswered) {
    manager.unanswered_since[i].reset();
  } else {
    seen.contact_error = std::string(ToString(seen.contact));
    seen.state = Seen<DatabaseState>::Unknown(seen.contact_error, world.now());
    if (!manager.unanswered_since[i]) manager.unanswered_since[i] = world.now();
  }
  if (linked && server.answers() && server.writable && server.stalled_since)
    seen.stalled_write = StalledWrite{*server.stalled_since, world.now(), "Commit"};
  seen.attempts = manager.attempts[i];
  seen.unanswered_since = manager.unanswered_since[i];
  return seen;
}

}  // namespace

Observation Look(World& world, Manager& manager, const Pass& pass,
                 const std::function<bool(int)>& noise) {
  Observation seen;
  const int nodes = world.kind().nodes;
  seen.databases.resize(static_cast<std::size_t>(nodes));
  const int first = world.random().Below(nodes);
  bool silent = false;
  for (int k = 0; k < nodes; ++k) {
    const int node = (first + k) % nodes;
    if (world.random().Chance(30)) pass(Milliseconds(world.random().Between(1, 40)));
    DatabaseSeen& database = seen.databases[static_cast<std::size_t>(node)];
    database = LookAt(world, manager, node, noise(node));
    silent = silent || database.contact == Contact::kSilent;
  }
  if (silent) pass(world.spec().database.detection.timeout);
  pass(Milliseconds(1));
  seen.id = ++manager.looks;
  seen.taken_at = {world.now(),
                   WallTime(std::chrono::duration_cast<Milliseconds>(
                       world.now().time_since_epoch() + world.wall_ahead[manager.index]))};
  for (int node = 0; node < nodes; ++node) {
    DatabaseSeen& database = seen.databases[static_cast<std::size_t>(node)];
    if (world.kind().substrate == SubstrateKind::kLocal) {
      database.process = Seen<ProcessState>::Known(world.ProcessOf(node), world.now());
      database.can_fence = true;
    } else {
      database.process = Seen<ProcessState>::Unknown("no owner is known", world.now());
      database.self_fencing = world.kind().policy == FailoverPolicy::kWitness;
    }
  }
  seen.publication = world.publication;
  seen.intents = manager.inbox;
  seen.in_the_way = Seen<std::vector<std::string>>::Known({}, world.now());
  for (const WitnessSpec& witness : world.spec().lease.witnesses) {
    WitnessSeen said;
    said.name = witness.name;
    said.independent = true;
    const int primary = manager.memory.primary ? world.IndexOf(*manager.memory.primary) : -1;
    said.sees_primary = primary >= 0 && world.Linked(manager.place(), kWitness)
                            ? Seen<bool>::Known(world.WitnessReaches(primary), world.now())
                            : Seen<bool>::Unknown("the witness does not answer", world.now());
    if (said.sees_primary.known())
      said.reached_at = world.servers()[static_cast<std::size_t>(primary)].witnessed_at;
    seen.witnesses.push_back(said);
  }
  return seen;
}

bool Holds(const World& world, const Manager& manager, const Condition& condition) {
  World& w = const_cast<World&>(world);  // reads only
  const auto server = [&](const NodeName& name) -> Server* {
    const int node = w.IndexOf(name);
    Server& s = w.servers()[static_cast<std::size_t>(node)];
    return world.Linked(manager.place(), node) && s.answers() && !s.denied ? &s : nullptr;
  };
  return std::visit(Overloaded{
                        [&](const ProcessEnded& c) {
                          if (world.kind().substrate != SubstrateKind::kLocal) return false;
                          const ProcessState process = world.ProcessOf(world.IndexOf(c.node));
                          return process.phase != ProcessState::Phase::kRunning &&
                                 process.restart_inhibited;
                        },
                        [&](const IsReadOnly& c) {
                          const Server* s = server(c.node);
                          return s != nullptr && !s->writable;
                        },
                        [&](const IsWritable& c) {
                          const Server* s = server(c.node);
                          return s != nullptr && s->writable;
                        },
                    },
                    condition);
}

bool Perform(World& world, const Manager& manager, const Action& action,
             const std::function<void(int, std::string)>& broken) {
  const NodeName target = TargetOf(action);
  const int node = target.text.empty() ? 0 : world.IndexOf(target);
  Server& server = world.servers()[static_cast<std::size_t>(node)];
  const bool owned = world.kind().substrate == SubstrateKind::kLocal;
  const bool reached = world.Linked(manager.place(), node) && server.answers() && !server.denied;
  const auto idle = [&] {
    return !server.stalled_since && server.committed == server.binlog.size();
  };
  return std::visit(
      Overloaded{
          [&](const StartServer& a) {
            if (!owned) return false;
            world.Start(node, a.discard_unacknowledged);
            return true;
          },
          // Nobody asks for one in these worlds.
          [&](const RebuildServer&) { return false; },
          [&](const DiscardOldCopy&) { return false; },
          [&](const ArchiveOwnRows& a) {
            if (!owned) return false;
            server.archive = ArchiveSeen{};
            server.archive->id = a.id;
            server.archive->phase = ArchiveSeen::Phase::kDone;
            server.archive->divergence = world.Account(node, a.own);
            server.archived = a.own;
            return true;
          },
          [&](const InjectEmpty& a) {
            if (!reached || !server.writable || !idle()) return false;
            if (!world.Account(world.IndexOf(a.of), a.transactions).OnlyMarks())
              broken(8, "rows of " + a.of.text + " are entered as empty transactions");
            world.InjectEmpty(node, a.transactions);
            return idle();
          },
          [&](const MergeOwnRows&) { return false; },
          [&](const StopMerge&) { return false; },
          [&](const RewindServer& a) {
            if (!owned) return false;
            server.rewind = JobSeen{};
            server.rewind->id = a.id;
            server.rewind->phase = JobSeen::Phase::kFailed;
            server.rewind->why = "the server does not answer";
            if (!server.commits() || server.writable) return true;
            if (!world.Account(node, server.archived).OnlyMarks())
              broken(8, "rows of " + server.name.text + " are taken back, and nobody asked for it");
            world.Rewind(node);
            server.rewind->phase = JobSeen::Phase::kDone;
            return true;
          },
          [&](const VerifyServer&) { return false; },
          [&](const FenceServer&) {
            if (!owned) return false;
            if (world.bad().without_fence) {
              server.owner_lies = true;
              return true;
            }
            world.Kill(node, std::nullopt);
            server.restarts_at.reset();
            server.inhibited = server.fenced = true;
            return true;
          },
          [&](const SetReadOnly&) {
            // A commit that waits for an acknowledgement holds it up.
            if (!reached || !idle()) return false;
            server.writable = server.human_opened = server.waived = false;
            return true;
          },
          [&](const EndTransactions&) { return reached; },
          [&](const DrainClients&) { return true; },
          [&](const WithdrawPublication&) {
            world.publication.primary.reset();
            return true;
          },
          [&](const StopReceiving&) {
            if (!reached) return false;
            world.StopReceiving(node);
            return true;
          },
          [&](const ApplyReceived&) {
            if (world.bad().skip_apply) return true;
            if (!reached) return false;
            return server.relay.empty();
          },
          [&](const LeaveReplication&) {
            if (!reached) return false;
            if (!server.relay.empty())
              broken(4, target.text + " leaves replication before it applied what it received");
            world.LeaveReplication(node);
            return true;
          },
          [&](const SetSemiSync& a) {
            if (!reached) return false;
            world.SetSemiSync(node, a.role);
            return true;
          },
          [&](const Provision&) {
            if (!reached || !idle()) return false;
            world.WriteMarker(node, Epoch(), target, true);
            return idle();
          },
          [&](const OpenWritable& a) {
            if (!reached) return false;
            world.OpenWritable(node, a.epoch);
            return true;
          },
          [&](const WriteMarker& a) {
            if (!reached || !server.writable || !idle()) return false;
            world.WriteMarker(node, a.epoch, a.node, false);
            return idle();
          },
          [&](const Publish& a) {
            if (a.epoch < world.publication.epoch) return false;
            // One that nobody could ask may get back the clients that were cut from it.
            const bool given_back = manager.memory.clients_cut_from == a.node;
            if (!server.writable && !given_back)
              broken(7, target.text + " is published and is not writable");
            world.publication.primary = a.node;
            world.publication.epoch = a.epoch;
            return true;
          },
          [&](const ReplicateFrom& a) {
            if (!reached) return false;
            if (server.writable) broken(6, target.text + " is made a replica while writable");
            world.ReplicateFrom(node, world.IndexOf(a.source));
            return true;
          },
      },
      action);
}

}  // namespace pandora_ha::simulation
