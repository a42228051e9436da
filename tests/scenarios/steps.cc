// What a step of a plan does to the world, and what the conditions before it say.
#include <type_traits>
#include <variant>

#include "tests/scenarios/world.h"

namespace pandora_ha::scenarios {
namespace {

bool Answers(const Node& node) {
  return node.runs() && node.contact == Contact::kAnswered;
}

struct Asker {
  const World& world;

  std::string operator()(const ProcessEnded& c) const {
    const Node& node = world.nodes.at(c.node.text);
    if (node.process_unknown.empty() && !node.runs() && node.process.restart_inhibited) return "";
    return c.node.text + "'s server is not known to have ended for good";
  }
  std::string operator()(const IsReadOnly& c) const { return Writes(c.node.text, false); }
  std::string operator()(const IsWritable& c) const { return Writes(c.node.text, true); }

  std::string Writes(const std::string& name, bool wanted) const {
    const Node& node = world.nodes.at(name);
    if (!Answers(node)) return name + " does not answer";
    if (node.state.writable == wanted) return "";
    return name + (wanted ? " is read-only" : " is writable");
  }
};

// Each gives the reason why it failed, or nothing.
struct Performer {
  World& world;
  std::string name;

  DatabaseState& state() const { return world.nodes.at(name).state; }

  std::string operator()(const StartServer&) const {
    world.StartProcess(name);
    return "";
  }
  std::string operator()(const RebuildServer& a) const {
    world.EndProcess(name, "killed by signal 9");
    ProcessState& process = world.nodes.at(name).process;
    process.starting = true;
    process.restart_inhibited = false;
    process.copy = CopySeen{a.id, CopySeen::Phase::kCopying, 0, 0, world.now, "", ""};
    return "";
  }
  std::string operator()(const ArchiveOwnRows& a) const {
    world.nodes.at(name).process.archive = ArchiveSeen{};
    world.nodes.at(name).process.archive->id = a.id;
    return "";
  }
  std::string operator()(const MergeOwnRows& a) const {
    world.nodes.at(name).process.merge = MergeSeen{};
    world.nodes.at(name).process.merge->id = a.id;
    return "";
  }
  std::string operator()(const StopMerge&) const {
    MergeSeen& merge = *world.nodes.at(name).process.merge;
    merge.phase = MergeSeen::Phase::kFailed;
    merge.not_now = true;
    merge.why = "a manager ended it";
    return "";
  }
  std::string operator()(const RewindServer& a) const {
    world.nodes.at(name).process.rewind = JobSeen{};
    world.nodes.at(name).process.rewind->id = a.id;
    return "";
  }
  std::string operator()(const VerifyServer& a) const {
    world.nodes.at(name).process.verification = VerificationSeen{};
    world.nodes.at(name).process.verification->id = a.id;
    return "";
  }
  std::string operator()(const InjectEmpty& a) const {
    state().executed = state().executed.Union(a.transactions);
    return "";
  }
  std::string operator()(const DiscardOldCopy&) const {
    world.nodes.at(name).process.old_copy = false;
    return "";
  }
  std::string operator()(const FenceServer&) const {
    if (!world.nodes.at(name).can_fence) return "nobody can end the server of " + name;
    world.EndProcess(name, "killed by signal 9");
    ProcessState& process = world.nodes.at(name).process;
    process.fenced = process.restart_inhibited = true;
    return "";
  }
  std::string operator()(const SetReadOnly&) const {
    const SemiSyncSeen& semi_sync = state().semi_sync;
    if (state().writable && semi_sync.source_waiting && world.Acknowledgers(name) == 0)
      return "a commit that waits for an acknowledgement holds it up";
    if (state().writable && !world.nodes.at(name).busy.empty()) return world.nodes.at(name).busy;
    state().writable = false;
    return "";
  }
  std::string operator()(const EndTransactions&) const {
    world.nodes.at(name).busy.clear();
    return "";
  }
  std::string operator()(const DrainClients&) const { return ""; }
  std::string operator()(const WithdrawPublication&) const {
    world.publication.primary.reset();
    return "";
  }
  std::string operator()(const StopReceiving&) const {
    if (!state().replication) return name + " follows nobody";
    state().replication->io = ThreadState::kStopped;
    state().semi_sync.replica_active = false;
    return "";
  }
  std::string operator()(const ApplyReceived&) const {
    if (!state().replication) return "";
    if (state().replication->sql_errno != 0) return "the applier of " + name + " has failed";
    state().executed = state().executed.Union(state().replication->received);
    return "";
  }
  std::string operator()(const LeaveReplication&) const {
    state().replication.reset();
    state().semi_sync.replica_active = false;
    return "";
  }
  std::string operator()(const SetSemiSync& a) const {
    SemiSyncSeen& semi_sync = state().semi_sync;
    const auto& channel = state().replication;
    const bool source = a.role == SemiSyncRole::kSource;
    semi_sync.source_enabled = source;
    semi_sync.source_waiting = semi_sync.waits_without_replica = source;
    semi_sync.replica_enabled = a.role == SemiSyncRole::kReplica;
    semi_sync.replica_active =
        semi_sync.replica_enabled && channel && channel->io == ThreadState::kRunning;
    return "";
  }
  std::string operator()(const Provision&) const {
    if (state().semi_sync.source_waiting && world.Acknowledgers(name) == 0)
      return "creating them waits for an acknowledgement that nobody gives";
    state().provisioned = true;
    world.WriteOwn(name);
    return "";
  }
  std::string operator()(const OpenWritable&) const {
    if (state().replication) return name + " is still a replica";
    state().writable = true;
    return "";
  }
  std::string operator()(const WriteMarker& a) const {
    if (!state().writable) return name + " is read-only";
    if (state().semi_sync.source_waiting && world.Acknowledgers(name) == 0)
      return "the commit waits for an acknowledgement that nobody gives";
    state().heartbeat = HeartbeatSeen{a.epoch, a.node, {}};
    world.WriteOwn(name);
    return "";
  }
  std::string operator()(const Publish& a) const {
    if (!world.publication.problem.empty()) return world.publication.problem;
    world.publication.primary = a.node;
    world.publication.epoch = a.epoch;
    return "";
  }
  std::string operator()(const ReplicateFrom& a) const {
    world.Follow(name, a.source.text);
    return "";
  }
};

// Asked of the server itself, which has to answer.
bool AsksTheServer(const Action& action) {
  return std::visit(
      [](const auto& a) {
        using A = std::decay_t<decltype(a)>;
        return !std::is_same_v<A, StartServer> && !std::is_same_v<A, FenceServer> &&
               !std::is_same_v<A, Publish> && !std::is_same_v<A, WithdrawPublication> &&
               !std::is_same_v<A, DrainClients>;
      },
      action);
}

}  // namespace

std::string World::Perform(const Step& step) {
  for (const Condition& condition : step.requires_) {
    if (std::string why = std::visit(Asker{*this}, condition); !why.empty()) return why;
  }
  const std::string name = TargetOf(step.action).text;
  if (AsksTheServer(step.action) && !Answers(nodes.at(name))) return name + " does not answer";
  return std::visit(Performer{*this, name}, step.action);
}

}  // namespace pandora_ha::scenarios
