#include "tests/simulation/simulation.h"

#include <algorithm>

#include "reconciler/decide/remember.h"
#include "tests/simulation/one_run.h"

namespace pandora_ha::simulation {
namespace {

constexpr Duration kLeaseTakeover = Seconds(3);
constexpr Duration kNoticedStandstill = Seconds(4);  // as the pulse of loop/
constexpr Duration kFaultsOver = Seconds(75);
constexpr Duration kLiveness = Seconds(150);

std::string Seconds_(TimePoint at) {
  const auto ms = std::chrono::duration_cast<Milliseconds>(at - TimePoint(Seconds(1000))).count();
  const std::string millis = std::to_string(1000 + ms % 1000).substr(1);
  return std::to_string(ms / 1000) + "." + millis + " s";
}

}  // namespace

bool Says(const Decision& decision, FindingCode code) {
  return std::any_of(decision.findings.begin(), decision.findings.end(),
                     [&](const Finding& f) { return f.code == code; });
}

Simulation::Simulation(const Schedule& schedule, const KnownBad& bad, bool trace)
    : schedule_(schedule),
      world_(schedule.kind, bad, schedule.seed ^ 0x5eedull),
      random_(schedule.seed ^ 0xfau),
      tracing_(trace) {
  for (const Fault& fault : schedule.faults) faults_.push_back({fault, Stage::kWaiting, {}, {}});
  managers_.resize(static_cast<std::size_t>(schedule.kind.managers));
  for (std::size_t i = 0; i < managers_.size(); ++i) {
    managers_[i].index = static_cast<int>(i);
    managers_[i].memory.manager = managers_[i].stored.manager = "manager" + std::to_string(i + 1);
    managers_[i].attempts.resize(static_cast<std::size_t>(schedule.kind.nodes));
    managers_[i].unanswered_since.resize(static_cast<std::size_t>(schedule.kind.nodes));
    managers_[i].next_tick = world_.now() + Milliseconds(10 * static_cast<int>(i));
  }
  world_.recorded = &managers_[0].stored;
}

Outcome Simulation::Run() {
  const TimePoint start = world_.now();
  while (!over() && world_.now() - start < kFaultsOver) TickNext(std::nullopt);
  HealEverything();
  const TimePoint healed = world_.now();
  while (!over() && quiet_ < kQuietTicks && world_.now() - healed < kLiveness)
    TickNext(std::nullopt);
  if (!over()) JudgeTheEnd();
  outcome_.statistics.schedules = 1;
  outcome_.statistics.acknowledged = world_.acknowledged;
  return std::move(outcome_);
}

void Simulation::Trace(const std::string& line) {
  if (tracing_) outcome_.trace.push_back(Seconds_(world_.now()) + "  " + line);
}

void Simulation::Break(int invariant, std::string says) {
  if (over()) return;
  Trace("BROKEN " + std::to_string(invariant) + ": " + says);
  outcome_.broken = Broken{invariant, std::move(says), Seconds_(world_.now())};
}

void Simulation::Pass(Duration duration) {
  while (duration > Duration::zero()) {
    const Duration step = std::min<Duration>(duration, Milliseconds(200));
    world_.Advance(step);
    duration -= step;
    RunFaults();
    CheckWriters();
    if (world_.TakeWake()) {
      for (Manager& m : managers_)
        m.next_tick = std::min(m.next_tick, world_.now() + Milliseconds(2));
    }
  }
}

void Simulation::TickNext(std::optional<TimePoint> until) {
  Manager* next = &managers_[0];
  for (Manager& m : managers_) {
    if (m.next_tick < next->next_tick) next = &m;
  }
  TimePoint at = std::max(next->next_tick, world_.now() + Milliseconds(1));
  if (until && at > *until) at = std::max(*until, world_.now() + Milliseconds(1));
  Pass(at - world_.now());
  for (Manager& m : managers_) {
    if (m.next_tick > world_.now() || over()) continue;
    m.next_tick = world_.now() + Seconds(1);
    Revive(m);
    if (m.alive && !m.frozen && HoldsLease(m)) Tick(m);
  }
}

void Simulation::Revive(Manager& m) {
  if (m.alive || world_.now() < m.returns_at) return;
  m.alive = true;
  m.acts = false;
  m.memory = m.stored;
  ForgetLooks(&m.memory);
  m.attempts.assign(m.attempts.size(), 0);
  m.unanswered_since.assign(m.unanswered_since.size(), std::nullopt);
  m.seen.reset();
  Trace("manager" + std::to_string(m.index + 1) + " is back with its durable memory");
}

bool Simulation::HoldsLease(const Manager& m) {
  if (world_.bad().no_lease) return true;
  Manager& holder = managers_[static_cast<std::size_t>(holder_)];
  if (holder.alive && !holder.frozen) holder_renewed_ = world_.now();
  if (holder_ != m.index && m.alive && !m.frozen &&
      world_.now() - holder_renewed_ > kLeaseTakeover) {
    holder.acts = false;
    holder_ = m.index;
    holder_renewed_ = world_.now();
    world_.recorded = &managers_[static_cast<std::size_t>(holder_)].stored;
    Trace("manager" + std::to_string(m.index + 1) + " holds the lease now");
  }
  return holder_ == m.index;
}

bool Simulation::Hook(Manager& m) {
  if (m.crash_in >= 0 && m.crash_in-- == 0) Crash(m);
  if (m.freeze_in >= 0 && m.freeze_in-- == 0 && !nested_) {
    m.frozen = true;
    Trace("manager" + std::to_string(m.index + 1) + " freezes");
    const TimePoint until = world_.now() + m.away;
    nested_ = true;
    while (!over() && world_.now() < until) TickNext(until);
    nested_ = false;
    m.frozen = false;
    if (m.away >= kNoticedStandstill) m.acts = false;
    Trace("manager" + std::to_string(m.index + 1) + " thaws");
  }
  return m.alive && !over();
}

void Simulation::Crash(Manager& m) {
  m.alive = false;
  m.crash_in = -1;
  m.returns_at = world_.now() + m.away;
  Trace("manager" + std::to_string(m.index + 1) + " crashes");
}

void Simulation::Tick(Manager& m) {
  AskForGuards(m);
  Observation seen = Look(
      world_, m, [this](Duration d) { Pass(d); },
      [this](int node) { return Active(FaultKind::kNoise, node) && random_.Chance(33); });
  if (!std::exchange(m.acts, true)) m.acts_since = seen.taken_at.mono;
  seen.acts_since = m.acts_since;
  if (over() || !m.alive || !HoldsLease(m)) return;
  ++outcome_.statistics.ticks;
  if (world_.bad().forget_received) {
    for (auto& [name, node] : m.memory.nodes) {
      node.received = {};
      node.run_id.clear();
    }
  }
  Decision decision = DecideChecked(m, seen);
  if (over()) return;
  if (world_.bad().keep_rights) KeepRights(m.memory, &decision.memory);
  RememberWaived(m.memory.promotion, decision.memory);
  m.memory = decision.memory;
  m.seen = seen;
  if (Says(decision, FindingCode::kLossPossible) && decision.memory.loss)
    loss_said_.insert(decision.memory.loss->epoch.number);
  CountHealth(decision);
  CountIntents(m, seen, decision);
  CheckSaid(seen, decision);
  TracePlan(m, decision);
  if (!Hook(m)) return;
  if (Active(FaultKind::kStoreFails)) {
    Trace("memory cannot be stored");
    return;
  }
  m.stored = m.memory;
  std::erase_if(m.inbox, [&](const Intent& asked) {
    return std::any_of(m.stored.intents.begin(), m.stored.intents.end(),
                       [&](const IntentRecord& r) { return r.intent.id == asked.id; });
  });
  if (!Hook(m)) return;
  if (decision.beat && !world_.calm && random_.Chance(50)) Beat(m);
  if (decision.share) Share(m, *decision.share);
  Confirm(m, seen, decision);
  Apply(m, decision);
  if (m.alive)
    m.next_tick = world_.now() + std::max<Duration>(decision.look_again_in, Milliseconds(1));
}

void Simulation::KeepRights(const Memory& before, Memory* after) {
  if (before.epoch != after->epoch) return;
  for (const auto& [name, node] : before.nodes) {
    if (node.lossless) MemoryOf(*after, name).lossless = true;
  }
  after->durability_in_force = before.durability_in_force;
}

void Simulation::TracePlan(const Manager& m, const Decision& decision) {
  if (!tracing_) return;
  std::string line = "manager" + std::to_string(m.index + 1) + " " +
                     std::string(ToString(decision.state)) + " epoch " +
                     std::to_string(decision.memory.epoch.number);
  for (const Finding& f : decision.findings) line += "\n      - " + f.says;
  for (const Blocked& b : decision.blocked)
    line += "\n      blocked " + std::string(ToString(b.reason)) + ": " + b.says;
  for (const auto& [name, node] : decision.memory.nodes) {
    if (node.lossless) line += "\n      lossless: " + name.text;
    if (node.deposed) line += "\n      deposed: " + name.text;
  }
  if (!decision.plan.empty()) line += "\n      plan: " + decision.plan.purpose;
  if (line != last_line_) Trace(line);
  last_line_ = line;
}

void Simulation::Beat(Manager& m) {
  if (!m.memory.primary) return;
  const int node = world_.IndexOf(*m.memory.primary);
  const Server& server = world_.servers()[static_cast<std::size_t>(node)];
  if (server.commits() && server.writable && server.committed == server.binlog.size() &&
      world_.Linked(m.place(), node))
    world_.WriteMarker(node, m.memory.epoch, server.name, false);
}

void Simulation::Share(const Manager& m, const GuardsCopy& copy) {
  const int node = world_.IndexOf(*m.memory.primary);
  const Server& server = world_.servers()[static_cast<std::size_t>(node)];
  if (world_.random().Chance(20) || !HoldsLease(m)) return;
  if (server.commits() && server.writable && server.committed == server.binlog.size() &&
      world_.Linked(m.place(), node)) {
    world_.WriteGuards(node, copy);
    Trace("guards are written on " + server.name.text + ", change " +
          std::to_string(copy.version.change));
  }
}

void Simulation::Apply(Manager& m, const Decision& decision) {
  std::vector<Step> steps = decision.plan.steps;
  if (world_.bad().publish_first) {
    std::stable_partition(steps.begin(), steps.end(), [](const Step& step) {
      return std::holds_alternative<Publish>(step.action);
    });
  }
  std::set<NodeName> held_back;
  for (const Step& step : steps) {
    const NodeName target = TargetOf(step.action);
    if (held_back.count(target) > 0) continue;
    if (!Hook(m)) return;
    if (!HoldsLease(m)) {
      Trace("a step is refused: the lease is lost");
      return;
    }
    const bool done = Try(m, step, decision);
    if (!Hook(m)) return;
    if (done) continue;
    if (decision.plan.ordered) return;
    held_back.insert(target);
  }
}

bool Simulation::Try(Manager& m, const Step& step, const Decision& decision) {
  CheckGuards(step);
  Pass(Milliseconds(random_.Between(1, 25)));
  if (Active(FaultKind::kStepFails) && random_.Chance(50)) {
    Trace("step fails: " + Describe(step.action));
    return false;
  }
  const bool late = Active(FaultKind::kStepLate) && random_.Chance(50);
  if (const auto* apply = std::get_if<ApplyReceived>(&step.action)) WaitApplied(m, *apply, step);
  if (late) Pass(Milliseconds(300));
  if (!HoldsLease(m) || over() || !m.alive) return false;
  const bool unasked = world_.bad().without_fence || world_.bad().publish_first;
  for (const Condition& condition : step.requires_) {
    if (!unasked && !Holds(world_, m, condition)) {
      Trace("not tried: " + Describe(step.action) + ", because not: " + Describe(condition));
      return false;
    }
  }
  const auto broken = [this](int invariant, const std::string& says) { Break(invariant, says); };
  const bool done = Perform(world_, m, step.action, broken);
  Trace((done ? "done: " : "failed: ") + Describe(step.action));
  if (done) {
    if (const auto* open = std::get_if<OpenWritable>(&step.action)) CheckOpened(m, *open);
  }
  (void)decision;
  CheckWriters();
  if (late) {
    Pass(step.deadline);
    return false;
  }
  return done && !(Active(FaultKind::kStepLies) && random_.Chance(50));
}

void Simulation::WaitApplied(const Manager& m, const ApplyReceived& apply, const Step& step) {
  const int node = world_.IndexOf(apply.node);
  const TimePoint until = world_.now() + step.deadline;
  Server& server = world_.servers()[static_cast<std::size_t>(node)];
  // The step starts an applier that somebody stopped.
  if (server.channel && server.answers() && world_.Linked(m.place(), node))
    server.channel->sql = ThreadState::kRunning;
  while (!over() && world_.now() < until && server.answers() && !server.relay.empty() &&
         world_.Linked(m.place(), node) && !world_.bad().skip_apply)
    Pass(Milliseconds(100));
}

void Statistics::Add(const Statistics& other) {
  schedules += other.schedules;
  ticks += other.ticks;
  decisions += other.decisions;
  promotions += other.promotions;
  acknowledged += other.acknowledged;
  for (const auto& [kind, count] : other.faults) faults[kind] += count;
  for (const auto& [what, count] : other.intents) intents[what] += count;
  for (const auto& [state, count] : other.ends) ends[state] += count;
  pairs.insert(other.pairs.begin(), other.pairs.end());
}

Outcome Run(const Schedule& schedule, const KnownBad& bad, bool trace) {
  return Simulation(schedule, bad, trace).Run();
}

Schedule Shrink(Schedule schedule, const KnownBad& bad) {
  const auto first = Run(schedule, bad, false).broken;
  if (!first) return schedule;
  for (std::size_t i = 0; i < schedule.faults.size();) {
    Schedule smaller = schedule;
    smaller.faults.erase(smaller.faults.begin() + static_cast<long>(i));
    const auto broken = Run(smaller, bad, false).broken;
    if (broken && broken->invariant == first->invariant) {
      schedule = smaller;
    } else {
      ++i;
    }
  }
  return schedule;
}

std::string Report(const Schedule& schedule, const KnownBad& bad, const std::string& options) {
  const Schedule minimal = Shrink(schedule, bad);
  const Outcome outcome = Run(minimal, bad, true);
  std::string out =
      "seed " + std::to_string(schedule.seed) + ", world " + Describe(schedule.kind) + "\n";
  if (outcome.broken) {
    out += "broken: invariant " + std::to_string(outcome.broken->invariant) + " at " +
           outcome.broken->when + ": " + outcome.broken->says + "\n";
  }
  out += "again: simulate --schedules 1 --seed " + std::to_string(schedule.seed) + options + "\n";
  out += "smallest schedule (" + std::to_string(minimal.faults.size()) + " of " +
         std::to_string(schedule.faults.size()) + " faults):\n";
  for (const Fault& fault : minimal.faults) out += "  " + Describe(fault) + "\n";
  const std::size_t most = 80;
  const std::size_t from = outcome.trace.size() > most ? outcome.trace.size() - most : 0;
  for (std::size_t i = from; i < outcome.trace.size(); ++i) out += "  " + outcome.trace[i] + "\n";
  return out;
}

}  // namespace pandora_ha::simulation
