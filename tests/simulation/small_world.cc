#include "tests/simulation/small_world.h"

#include <algorithm>
#include <utility>

#include "reconciler/decide/invariants.h"

namespace pandora_ha::simulation {
namespace {

using Holder = ManagerLockSeen::Holder;

constexpr int kMostRounds = 3;  // as loop/leader.cc
constexpr Duration kTick = Seconds(1);
constexpr Duration kSessionTimeout = Seconds(3);
constexpr Duration kNoticedStandstill = Seconds(4);

bool Says(const Decision& decision, FindingCode code) {
  return std::any_of(decision.findings.begin(), decision.findings.end(),
                     [&](const Finding& f) { return f.code == code; });
}

// Of the machine's owner, not of the database: ordered through the supervisor.
bool IsOfProcess(const Action& action) {
  return std::holds_alternative<StartServer>(action) ||
         std::holds_alternative<FenceServer>(action) ||
         std::holds_alternative<RebuildServer>(action) ||
         std::holds_alternative<DiscardOldCopy>(action) ||
         std::holds_alternative<ArchiveOwnRows>(action) ||
         std::holds_alternative<MergeOwnRows>(action) ||
         std::holds_alternative<StopMerge>(action) ||
         std::holds_alternative<RewindServer>(action) ||
         std::holds_alternative<VerifyServer>(action);
}

}  // namespace

ClusterSpec SmallSpecOf(const WorldKind& kind) {
  ClusterSpec spec = SpecOf(kind);
  spec.failover_cool_down = Seconds(4);
  spec.lease.duration = Seconds(3);
  spec.database.detection.connect_retries = 1;
  return spec;
}

SmallWorld::SmallWorld(const ClusterSpec& spec, const WorldKind& kind, const KnownBad& bad)
    : spec_(&spec), world_(kind, bad, 0) {
  world_.random() = Random::Certain();
  world_.calm = true;  // clients write in LetTimePass only
  for (int i = 0; i < kSmall; ++i) {
    Manager& self = mind(i).self;
    self.index = i;
    self.memory.manager = self.stored.manager = ManagerName(i);
    self.attempts.resize(kSmall);
    self.unanswered_since.resize(kSmall);
  }
}

void SmallWorld::Break(int invariant, std::string says) {
  if (broken_) return;
  Say("BROKEN " + std::to_string(invariant) + ": " + says);
  broken_ = Broken{invariant, std::move(says), ""};
}

void SmallWorld::Say(const std::string& line) {
  if (trace_ != nullptr) trace_->push_back("      " + line);
}

// ---- Events -------------------------------------------------------------------------------------

void SmallWorld::Do(const SmallEvent& event, std::vector<std::string>* trace) {
  trace_ = trace;
  if (trace != nullptr) trace->push_back(Describe(event));
  if (IsFault(event.kind)) ++faults_;
  world_.recorded = &mind(last_actor_).self.stored;
  rests_ = false;
  const int manager_place = kFirstManager + event.a;
  const auto cut = [&](int a, int b, int by) {
    world_.Cut(a, b, by);
    world_.Cut(b, a, by);
  };
  switch (event.kind) {
    case EventKind::kLook:
      Look(event.a, How::kWhole, 0);
      break;
    case EventKind::kLookStop:
      Look(event.a, How::kStop, event.b);
      break;
    case EventKind::kLookCrash:
      Look(event.a, How::kCrash, event.b);
      break;
    case EventKind::kLookFail:
      Look(event.a, How::kFail, event.b);
      break;
    case EventKind::kLookLie:
      Look(event.a, How::kLie, event.b);
      break;
    case EventKind::kGoOn:
      Apply(event.a, std::exchange(mind(event.a).rest, {}), How::kWhole, 0);
      break;
    case EventKind::kKill:
      world_.Kill(event.a, world_.kind().substrate == SubstrateKind::kHosts
                               ? std::optional<Duration>(Seconds(2))
                               : std::nullopt);
      break;
    case EventKind::kFreeze:
    case EventKind::kThaw:
      server(event.a).frozen = event.kind == EventKind::kFreeze;
      break;
    case EventKind::kCut:
    case EventKind::kHeal:
      cut_[event.a][event.b] = event.kind == EventKind::kCut;
      cut(manager_place, event.b, event.kind == EventKind::kCut ? 1 : -1);
      break;
    case EventKind::kCutNodes:
    case EventKind::kHealNodes:
      nodes_cut_ = event.kind == EventKind::kCutNodes;
      cut(0, 1, nodes_cut_ ? 1 : -1);
      break;
    case EventKind::kCrash:
      Crash(event.a);
      break;
    case EventKind::kAsk: {
      Intent intent;
      intent.id = "asked-" + std::to_string(++asked_);
      intent.wish = Switchover{server(event.a).name, false};
      intent.within = Seconds(5);
      for (Mind& m : minds_) m.self.inbox.push_back(intent);
      break;
    }
  }
  CheckWriters();
  world_.recorded = nullptr;
  trace_ = nullptr;
}

std::vector<SmallEvent> SmallWorld::Recoveries() const {
  std::vector<SmallEvent> out;
  const auto& servers = const_cast<World&>(world_).servers();  // reads only
  for (std::int8_t i = 0; i < kSmall; ++i) {
    if (servers[static_cast<std::size_t>(i)].frozen) out.push_back({EventKind::kThaw, i, 0});
    for (std::int8_t node = 0; node < kSmall; ++node)
      if (cut_[i][node]) out.push_back({EventKind::kHeal, i, node});
  }
  if (nodes_cut_) out.push_back({EventKind::kHealNodes, 0, 0});
  for (std::int8_t i = 0; i < kSmall; ++i)
    if (!minds_[static_cast<std::size_t>(i)].rest.empty()) out.push_back({EventKind::kGoOn, i, 0});
  return out;
}

// The variants of a look are for whoever knows how many steps its plan has.
std::vector<SmallEvent> SmallWorld::Next() const {
  std::vector<SmallEvent> out;
  const auto& servers = const_cast<World&>(world_).servers();  // reads only
  for (std::int8_t i = 0; i < kSmall; ++i)
    if (minds_[static_cast<std::size_t>(i)].rest.empty()) out.push_back({EventKind::kLook, i, 0});
  for (const SmallEvent& event : Recoveries()) out.push_back(event);
  for (std::int8_t i = 0; i < kSmall; ++i) {
    const Server& server = servers[static_cast<std::size_t>(i)];
    if (server.running()) out.push_back({EventKind::kKill, i, 0});
    if (server.running() && !server.frozen) out.push_back({EventKind::kFreeze, i, 0});
    for (std::int8_t node = 0; node < kSmall; ++node)
      if (!cut_[i][node]) out.push_back({EventKind::kCut, i, node});
    out.push_back({EventKind::kCrash, i, 0});
    if (asked_ == 0 && world_.publication.primary && world_.publication.primary != server.name)
      out.push_back({EventKind::kAsk, i, 0});
  }
  if (!nodes_cut_) out.push_back({EventKind::kCutNodes, 0, 0});
  return out;
}

// ---- A manager ----------------------------------------------------------------------------------

void SmallWorld::LetTimePass() {
  world_.Advance(kTick);
  for (int node = 0; node < kSmall; ++node) {
    auto& lock = lock_[static_cast<std::size_t>(node)];
    if (lock != kNobody && (!server(node).running() ||
                            server(node).starts != lock_run_[static_cast<std::size_t>(node)]))
      lock = kNobody;
    // A server ends a session that has been idle for its wait_timeout.
    const bool idle = lock >= kLost && !server(node).frozen;
    if (idle && world_.now() - lock_idle_since_[static_cast<std::size_t>(node)] >= kSessionTimeout)
      lock = kNobody;
  }
  CheckWriters();
  // One row of a client at first, and one after each fault, so that there is always one at risk.
  if (writes_ > faults_ || !world_.publication.primary) return;
  const int primary = world_.IndexOf(*world_.publication.primary);
  if (world_.Linked(kClients, primary) && world_.WriteAsSomebody(primary) >= 0) ++writes_;
}

bool SmallWorld::Reaches(int manager, int node) const {
  const Server& s = const_cast<World&>(world_).servers()[static_cast<std::size_t>(node)];
  return world_.Linked(kFirstManager + manager, node) && s.answers();
}

Observation SmallWorld::LookOnce(int manager) {
  Observation seen = simulation::Look(
      world_, mind(manager).self, [](Duration) {}, [](int) { return false; });
  for (int node = 0; node < kSmall; ++node) {
    DatabaseSeen& database = seen.databases[static_cast<std::size_t>(node)];
    int& lock = lock_[static_cast<std::size_t>(node)];
    // An unanswered question ends our session; the server may keep it.
    if (!database.state.known()) {
      if (lock == manager) Abandon(node, kLost + manager);
      continue;
    }
    ManagerLockSeen& told = database.state.mutable_value()->manager_lock;
    told.holder = lock == kNobody           ? Holder::kNobody
                  : lock == manager         ? Holder::kOurs
                  : lock == kLost + manager ? Holder::kOursBefore
                                            : Holder::kOther;
    if (told.holder != Holder::kOurs && told.holder != Holder::kNobody) told.connection = 1;
  }
  return seen;
}

// Nobody will use the session any more, and the server does not know.
void SmallWorld::Abandon(int node, int as) {
  lock_[static_cast<std::size_t>(node)] = as;
  lock_idle_since_[static_cast<std::size_t>(node)] = world_.now();
}

bool SmallWorld::Take(int manager, const Leadership& wanted) {
  for (const NodeName& name : wanted.evict) {
    const int node = world_.IndexOf(name);
    if (Reaches(manager, node)) lock_[static_cast<std::size_t>(node)] = kNobody;
  }
  for (const NodeName& name : wanted.take) {
    const int node = world_.IndexOf(name);
    int& lock = lock_[static_cast<std::size_t>(node)];
    if (!Reaches(manager, node) || lock != kNobody) continue;
    lock = manager;
    lock_run_[static_cast<std::size_t>(node)] = server(node).starts;
  }
  bool claimed = false;
  if (wanted.acts && world_.kind().substrate == SubstrateKind::kLocal) {
    for (int& claim : claim_) {
      claimed = claimed || claim != manager;
      claim = manager;
    }
  }
  return claimed || !wanted.evict.empty() || !wanted.take.empty();
}

// As ClusterLoop::FollowPublication.
void SmallWorld::FollowPublication(const Observation& seen) {
  const DatabaseSeen* primary = OnlyMarkedWriter(seen);
  if (primary == nullptr) return;
  const Epoch epoch = primary->state->heartbeat->epoch;
  if (epoch < world_.publication.epoch) return;
  if (epoch == world_.publication.epoch && world_.publication.primary &&
      world_.publication.primary != primary->name)
    return;
  world_.publication.primary = primary->name;
  world_.publication.epoch = epoch;
}

// As ClusterLoop::Tick.
void SmallWorld::Look(int manager, How how, int at) {
  LetTimePass();
  Mind& m = mind(manager);
  Observation seen = LookOnce(manager);
  Leadership now = Lead(*spec_, seen, &m.free_since);
  for (int round = 0; round < kMostRounds && Take(manager, now); ++round) {
    seen = LookOnce(manager);
    now = Lead(*spec_, seen, &m.free_since);
  }
  // A pause in which it may have been replaced ends its term, as in loop/leader.cc.
  if (now.acts && (!m.acts || seen.taken_at.mono - m.looked_at >= kNoticedStandstill))
    m.acts_since = seen.taken_at.mono;
  m.looked_at = seen.taken_at.mono;
  seen.acts_since = m.acts_since;
  m.acts = acted_ = now.acts;
  m.holder = now.holder;
  if (!m.acts) {
    m.self.inbox.clear();
    m.self.memory = StandBy(*spec_, seen, m.self.memory, m.holder).memory;
    FollowPublication(seen);
    steps_ = 0;
    Say("stands by" + (m.holder.empty() ? "" : ": " + m.holder));
    return;
  }
  last_actor_ = manager;
  const Decision decision = Decide(*spec_, seen, m.self.memory);
  for (const Violation& violation : CheckInvariants(*spec_, seen, m.self.memory, decision))
    Break(violation.invariant, "CheckInvariants: " + violation.says);
  if (decision.memory.epoch < m.self.memory.epoch) Break(9, "the epoch went back");
  m.self.memory = m.self.stored = decision.memory;
  world_.recorded = &m.self.stored;
  m.self.inbox.clear();
  if (Says(decision, FindingCode::kLossPossible) && decision.memory.loss)
    loss_said_.insert(decision.memory.loss->epoch.number);
  state_ = std::string(ToString(decision.state));
  for (const Blocked& b : decision.blocked) {
    state_ += "!" + std::string(ToString(b.reason));
    Say("blocked " + std::string(ToString(b.reason)) + ": " + b.says);
  }
  Say(state_ + ", epoch " + std::to_string(decision.memory.epoch.number) +
      (decision.plan.empty() ? "" : ": " + decision.plan.purpose));
  JudgeRest(decision);
  if (decision.share) Share(manager, *decision.share);
  steps_ = static_cast<int>(decision.plan.steps.size());
  m.held_back.clear();
  Apply(manager, decision.plan, how, at);
}

// As Beater.
void SmallWorld::Share(int manager, const GuardsCopy& copy) {
  const int node = world_.IndexOf(*mind(manager).self.memory.primary);
  const Server& s = server(node);
  if (Reaches(manager, node) && lock_[static_cast<std::size_t>(node)] == manager && s.writable &&
      s.committed == s.binlog.size())
    world_.WriteGuards(node, copy);
}

// At rest are: a healthy cluster, and one that waits for a person and says so.
void SmallWorld::JudgeRest(const Decision& decision) {
  const bool waits =
      Says(decision, FindingCode::kNodeDiverged) || Says(decision, FindingCode::kReplicaBroken) ||
      std::any_of(decision.blocked.begin(), decision.blocked.end(), [](const Blocked& b) {
        return b.reason == BlockReason::kNoCandidate || b.reason == BlockReason::kMayLoseRows ||
               b.reason == BlockReason::kSplitBrain || b.reason == BlockReason::kEpochAhead ||
               b.reason == BlockReason::kAmbiguousCandidates;
      });
  rests_ = decision.plan.empty() && (decision.state == ClusterState::kHealthy || waits);
  for (const Finding& f : decision.findings) {
    if (f.severity != Severity::kInfo && state_.find(ToString(f.code)) == std::string::npos)
      state_ += "+" + std::string(ToString(f.code));
  }
}

// As act/executor.cc.
void SmallWorld::Apply(int manager, Plan plan, How how, int at) {
  Mind& m = mind(manager);
  for (std::size_t i = 0; i < plan.steps.size() && !broken_; ++i) {
    const Step& step = plan.steps[i];
    const NodeName target = TargetOf(step.action);
    const bool here = static_cast<int>(i) == at;
    if (here && how == How::kCrash) return Crash(manager);
    if (here && how == How::kStop) {
      plan.steps.erase(plan.steps.begin(), plan.steps.begin() + static_cast<long>(i));
      m.rest = std::move(plan);
      return;
    }
    if (m.held_back.contains(target)) continue;
    const bool done = !(here && how == How::kFail) && Try(manager, step);
    if (broken_ || (done && !(here && how == How::kLie)) || step.may_fail) continue;
    if (plan.ordered) return;
    m.held_back.insert(target);
  }
}

// Servers refuse every statement but on the session that has the lock; owners obey who claimed
// them.
bool SmallWorld::MayOrder(int manager, const Action& action) const {
  const NodeName target = TargetOf(action);
  if (target.text.empty() || std::holds_alternative<Publish>(action)) return true;
  const auto node = static_cast<std::size_t>(world_.IndexOf(target));
  if (IsOfProcess(action)) return claim_[node] == manager;
  return lock_[node] == manager || world_.bad().no_lease;
}

bool SmallWorld::Try(int manager, const Step& step) {
  Mind& m = mind(manager);
  for (const Condition& condition : step.requires_) {
    if (world_.bad().without_fence || Holds(world_, m.self, condition)) continue;
    Say("not tried: " + Describe(step.action) + ", because not: " + Describe(condition));
    return false;
  }
  if (!MayOrder(manager, step.action)) {
    Say("refused to " + ManagerName(manager) + ": " + Describe(step.action));
    return false;
  }
  if (const auto* apply = std::get_if<ApplyReceived>(&step.action)) {
    Server& s = server(world_.IndexOf(apply->node));
    if (s.channel && s.answers()) s.channel->sql = ThreadState::kRunning;
    world_.Advance(Milliseconds(400));
  }
  const bool done =
      Perform(world_, m.self, step.action,
              [this](int invariant, const std::string& says) { Break(invariant, says); });
  Say((done ? "done: " : "failed: ") + Describe(step.action));
  if (const auto* open = std::get_if<OpenWritable>(&step.action); open != nullptr && done)
    CheckOpened(manager, *open);
  CheckWriters();
  return done;
}

void SmallWorld::Crash(int manager) {
  Mind& m = mind(manager);
  m.self.memory = m.self.stored;
  m.self.attempts.assign(kSmall, 0);
  m.self.unanswered_since.assign(kSmall, std::nullopt);
  m.self.inbox.clear();
  m.free_since.clear();
  m.acts = false;
  m.rest = {};
  for (int node = 0; node < kSmall; ++node) {
    int& lock = lock_[static_cast<std::size_t>(node)];
    if (lock == kLost + manager) lock = kGhost;
    if (lock != manager) continue;
    lock = kNobody;
    if (!Reaches(manager, node)) Abandon(node, kGhost);
  }
}

// ---- What must never happen ---------------------------------------------------------------------

void SmallWorld::CheckWriters() {
  int writers = 0;
  for (const Server& s : world_.servers()) writers += s.running() && s.writable && !s.waived;
  if (writers > 1) Break(1, "two nodes accept writes");
}

// As Simulation::CheckOpened.
void SmallWorld::CheckOpened(int manager, const OpenWritable& open) {
  const int node = world_.IndexOf(open.node);
  const Memory& memory = mind(manager).self.memory;
  const auto [entry, fresh] = opened_.insert({open.epoch.number, node});
  if (!fresh && entry->second != node)
    Break(9, "two nodes were opened in epoch " + std::to_string(open.epoch.number));
  if (fresh && opened_.rbegin()->first != open.epoch.number)
    Break(9, "an older epoch was opened after a newer one");
  if (memory.promotion && memory.promotion->fence_waived)
    server(world_.IndexOf(*memory.promotion->from)).waived = true;
  if (!server(node).relay.empty()) Break(4, open.node.text + " is opened with unapplied rows");
  std::size_t lost = 0, promised = 0;
  for (std::size_t id = 0; id < world_.transactions.size(); ++id) {
    Transaction& t = world_.transactions[id];
    if (!t.acknowledged || server(node).has[id]) continue;
    lost += t.superseded ? 0 : 1;
    promised += t.promised ? 1 : 0;
    t.acknowledged = t.promised = false;  // counted once
  }
  if (memory.promotion && memory.promotion->planned && lost > 0)
    Break(2, "a switchover lost acknowledged rows");
  if (promised > 0 && faults_ <= 1)
    Break(2, std::to_string(promised) + " rows acknowledged under semiSync are lost");
  if (lost > 0 && loss_said_.count(open.epoch.number) == 0)
    Break(2, std::to_string(lost) + " acknowledged rows are missing on " + open.node.text +
                 ", in silence");
}

}  // namespace pandora_ha::simulation
