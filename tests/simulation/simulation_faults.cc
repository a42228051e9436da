// What goes wrong, and who asks for what.
#include <algorithm>

#include "tests/simulation/one_run.h"

namespace pandora_ha::simulation {

bool Simulation::Active(FaultKind kind, int node) const {
  return std::any_of(faults_.begin(), faults_.end(), [&](const Running& r) {
    return r.stage == Stage::kActive && r.fault.kind == kind && (node < 0 || r.fault.node == node);
  });
}

void Simulation::RunFaults() {
  bool earlier_open = false;
  for (Running& r : faults_) {
    if (r.stage == Stage::kWaiting && Due(r, earlier_open)) {
      r.stage = Stage::kActive;
      r.ends = world_.now() + r.fault.lasts;
      if (!IsHarmless(r.fault.kind)) ++faults_since_healthy_;
      healthy_ = 0;
      ++outcome_.statistics.faults[std::string(ToString(r.fault.kind))];
      Trace("FAULT " + Describe(r.fault));
      Inject(r.fault, +1);
    } else if (r.stage == Stage::kActive && world_.now() >= r.ends) {
      r.stage = Stage::kOver;
      Trace("over: " + Describe(r.fault));
      Inject(r.fault, -1);
    }
    earlier_open = earlier_open || r.stage != Stage::kOver;
  }
}

bool Simulation::Due(Running& r, bool earlier_open) {
  if (healed_) return false;
  const TimePoint start(Seconds(1000));
  if (!r.fault.when_healthy) return world_.now() >= start + r.fault.at;
  if (earlier_open || healthy_ < 2) return false;
  if (r.healthy_at == TimePoint{}) r.healthy_at = world_.now();
  return world_.now() >= r.healthy_at + r.fault.at;
}

void Simulation::CutBoth(int a, int b, int by) {
  world_.Cut(a, b, by);
  world_.Cut(b, a, by);
}

void Simulation::Inject(const Fault& f, int by) {
  Server& server =
      world_.servers()[static_cast<std::size_t>(std::min(f.node, world_.kind().nodes - 1))];
  const bool local = world_.kind().substrate == SubstrateKind::kLocal;
  const bool begins = by > 0;
  const auto restarts = [&]() -> std::optional<Duration> {
    if (!local) return f.lasts;
    if (world_.kind().restart_allow == Seconds(0)) return std::nullopt;
    return f.lasts;
  };
  switch (f.kind) {
    case FaultKind::kKill:
      if (begins) world_.Kill(f.node, restarts());
      break;
    case FaultKind::kRestart:
      if (begins)
        world_.Kill(f.node, local && world_.kind().restart_allow == Seconds(0)
                                ? std::nullopt
                                : std::optional<Duration>(Milliseconds(700)));
      break;
    case FaultKind::kKillAll:
      for (int node = 0; begins && node < world_.kind().nodes; ++node)
        world_.Kill(node, restarts());
      break;
    case FaultKind::kFreeze:
      server.frozen = begins && server.running();
      break;
    // Of a replica's disk nothing is known here.
    case FaultKind::kDiskStalls:
      server.stalled_since.reset();
      if (begins && server.answers() && server.writable) server.stalled_since = world_.now();
      break;
    case FaultKind::kCutManager:
      for (std::size_t i = 0; i < managers_.size(); ++i)
        CutBoth(kFirstManager + static_cast<int>(i), f.node, by);
      break;
    case FaultKind::kCutNodes:
      CutBoth(f.node, f.other, by);
      break;
    case FaultKind::kCutOneWay:
      for (int place = 0; place < kPlaces; ++place)
        if (place != f.node && place != kClients) world_.Cut(f.node, place, by);
      break;
    case FaultKind::kIsolate:
      for (int place = 0; place < kPlaces; ++place)
        if (place != f.node && place != kClients) CutBoth(f.node, place, by);
      break;
    case FaultKind::kAcksLost:
      world_.acks_lost += by;
      break;
    case FaultKind::kDenied:
      server.denied = begins;
      break;
    case FaultKind::kStopReceiving:
      if (begins && server.answers()) world_.StopReceiving(f.node);
      break;
    case FaultKind::kStopApplying:
      if (begins && server.channel) server.channel->sql = ThreadState::kStopped;
      break;
    case FaultKind::kSomebodyOpens:
      if (!begins || !server.answers() || server.writable) break;
      server.writable = server.human_opened = true;
      world_.WriteAsSomebody(f.node);
      break;
    case FaultKind::kManagerCrash:
    case FaultKind::kManagerFreeze:
      StopManager(f, begins);
      break;
    case FaultKind::kAskSwitchover:
    case FaultKind::kAskFailover:
    case FaultKind::kAskRashFailover:
    case FaultKind::kAskPause:
    case FaultKind::kAskPauseNode:
    case FaultKind::kAskFence:
    case FaultKind::kAskPauseFor:
      Ask(f, begins);
      break;
    case FaultKind::kClockJumps:
      world_.wall_ahead[f.node] += by * JumpOf(f);
      break;
    case FaultKind::kCutWitness:
      CutBoth(kWitness, f.other < world_.kind().nodes ? f.other : kFirstManager, by);
      break;
    case FaultKind::kNoise:
    case FaultKind::kStoreFails:
    case FaultKind::kStepFails:
    case FaultKind::kStepLies:
    case FaultKind::kStepLate:
      break;
  }
}

bool Simulation::IsHarmless(FaultKind kind) {
  return kind == FaultKind::kAskSwitchover || kind == FaultKind::kAskFailover ||
         kind == FaultKind::kAskPause || kind == FaultKind::kAskPauseFor ||
         kind == FaultKind::kClockJumps;
}

void Simulation::Ask(const Fault& f, bool begins) {
  const NodeName node = world_.servers()[static_cast<std::size_t>(f.node)].name;
  std::optional<Wish> wish;
  if (f.kind == FaultKind::kAskSwitchover && begins) wish = Switchover{node, false};
  if (f.kind == FaultKind::kAskFailover && begins) wish = ForcedFailover{node, false};
  if (f.kind == FaultKind::kAskRashFailover && begins) wish = ForcedFailover{node, true};
  if (f.kind == FaultKind::kAskPause) wish = begins ? Wish(Pause{}) : Wish(Resume{});
  if (f.kind == FaultKind::kAskPauseFor)
    wish = begins ? Wish(Pause{std::nullopt, Seconds(3)}) : Wish(Resume{});
  if (f.kind == FaultKind::kAskPauseNode)
    wish = begins ? Wish(Pause{node, {}}) : Wish(Resume{node});
  if (f.kind == FaultKind::kAskFence)
    wish = begins ? Wish(Fence{node, f.other == 1}) : Wish(Unfence{node});
  if (wish) Ask(*wish);
}

void Simulation::Ask(const Wish& wish) {
  Intent intent;
  intent.id = "asked-" + std::to_string(++asked_);
  intent.by = "ana";
  intent.wish = wish;
  intent.within = Seconds(20);
  if (ChangesPrimary(intent.wish)) {
    // A person asks everybody: the manager that acts and the one that may act next.
    for (Manager& m : managers_) m.inbox.push_back(intent);
  } else {
    guards_asked_.push_back(intent);
  }
}

void Simulation::AskForGuards(Manager& m) {
  std::erase_if(guards_asked_, [&](const Intent& asked) {
    return std::any_of(managers_.begin(), managers_.end(), [&](const Manager& any) {
      return std::any_of(any.stored.intents.begin(), any.stored.intents.end(),
                         [&](const IntentRecord& r) {
                           return r.intent.id == asked.id && r.state != IntentState::kUnderWay;
                         });
    });
  });
  for (const Intent& asked : guards_asked_) {
    const bool there = std::any_of(m.inbox.begin(), m.inbox.end(),
                                   [&](const Intent& one) { return one.id == asked.id; });
    if (!there) m.inbox.push_back(asked);
  }
}

void Simulation::StopManager(const Fault& f, bool begins) {
  Manager& m = managers_[static_cast<std::size_t>(f.node)];
  m.away = f.lasts;
  int& hooks = f.kind == FaultKind::kManagerCrash ? m.crash_in : m.freeze_in;
  hooks = begins ? f.other : -1;
}

void Simulation::HealEverything() {
  healed_ = true;
  for (Running& r : faults_) {
    if (r.stage == Stage::kActive) {
      Inject(r.fault, -1);
      r.stage = Stage::kOver;
    }
  }
  for (Server& server : world_.servers()) {
    const bool hosts = world_.kind().substrate == SubstrateKind::kHosts;
    if (hosts && !server.running() && !server.restarts_at)
      server.restarts_at = world_.now() + Seconds(2);
  }
  // What a manager could not write before it was replaced is asked again by who looks.
  const bool guards = std::any_of(faults_.begin(), faults_.end(), [](const Running& r) {
    return r.fault.kind == FaultKind::kAskPause || r.fault.kind == FaultKind::kAskPauseFor ||
           r.fault.kind == FaultKind::kAskPauseNode || r.fault.kind == FaultKind::kAskFence;
  });
  if (guards && managers_.size() > 1) {
    Ask(Wish(Resume{}));
    for (const Server& server : world_.servers()) {
      Ask(Wish(Resume{server.name}));
      Ask(Wish(Unfence{server.name}));
    }
  }
  quiet_ = 0;
  Trace("every fault is over");
}

}  // namespace pandora_ha::simulation
