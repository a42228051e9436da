#include "tests/simulation/simulation.h"

#include <algorithm>

#include "reconciler/decide/decide.h"
#include "reconciler/decide/guards.h"
#include "reconciler/decide/invariants.h"
#include "reconciler/decide/remember.h"
#include "tests/simulation/manager.h"

namespace pandora_ha::simulation {
namespace {

constexpr Duration kLeaseTakeover = Seconds(3);
constexpr Duration kNoticedStandstill = Seconds(4);  // as the pulse of loop/
constexpr Duration kCalm = Seconds(20);
constexpr Duration kFaultsOver = Seconds(75);
constexpr Duration kLiveness = Seconds(150);
constexpr int kQuietTicks = 6;

std::string Seconds_(TimePoint at) {
  const auto ms = std::chrono::duration_cast<Milliseconds>(at - TimePoint(Seconds(1000))).count();
  const std::string millis = std::to_string(1000 + ms % 1000).substr(1);
  return std::to_string(ms / 1000) + "." + millis + " s";
}

bool Says(const Decision& decision, FindingCode code) {
  return std::any_of(decision.findings.begin(), decision.findings.end(),
                     [&](const Finding& f) { return f.code == code; });
}

class Simulation {
 public:
  Simulation(const Schedule& schedule, const KnownBad& bad, bool trace)
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

  Outcome Run() {
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

 private:
  enum class Stage { kWaiting, kActive, kOver };
  struct Running {
    Fault fault;
    Stage stage;
    TimePoint ends;
    TimePoint healthy_at;
  };

  bool over() const { return outcome_.broken.has_value(); }

  void Trace(const std::string& line) {
    if (tracing_) outcome_.trace.push_back(Seconds_(world_.now()) + "  " + line);
  }

  void Break(int invariant, std::string says) {
    if (over()) return;
    Trace("BROKEN " + std::to_string(invariant) + ": " + says);
    outcome_.broken = Broken{invariant, std::move(says), Seconds_(world_.now())};
  }

  // ---- Time ----

  void Pass(Duration duration) {
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

  void TickNext(std::optional<TimePoint> until) {
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

  // ---- Managers and their lease ----

  void Revive(Manager& m) {
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

  // At most one holds it; it changes hands when the holder has been away for a while.
  bool HoldsLease(const Manager& m) {
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

  // A place where a manager may stop. False: it crashed.
  bool Hook(Manager& m) {
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

  void Crash(Manager& m) {
    m.alive = false;
    m.crash_in = -1;
    m.returns_at = world_.now() + m.away;
    Trace("manager" + std::to_string(m.index + 1) + " crashes");
  }

  // ---- One tick ----

  void Tick(Manager& m) {
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

  static void KeepRights(const Memory& before, Memory* after) {
    if (before.epoch != after->epoch) return;
    for (const auto& [name, node] : before.nodes) {
      if (node.lossless) MemoryOf(*after, name).lossless = true;
    }
    after->durability_in_force = before.durability_in_force;
  }

  Decision DecideChecked(const Manager& m, const Observation& seen) {
    const ClusterSpec& spec = world_.spec();
    Decision decision = Decide(spec, seen, m.memory);
    ++outcome_.statistics.decisions;
    if (outcome_.statistics.ticks % 4 == 0) {
      ++outcome_.statistics.decisions;
      if (!(Decide(spec, seen, m.memory) == decision)) Break(-1, "equal inputs, two decisions");
      CheckWallClock(m, seen, decision);
    }
    for (const Violation& violation : CheckInvariants(spec, seen, m.memory, decision))
      Break(violation.invariant, "CheckInvariants: " + violation.says);
    // What only the durable memory would have said must be as clean.
    if (!(m.stored == m.memory)) {
      ++outcome_.statistics.decisions;
      const Decision restarted = Decide(spec, seen, m.stored);
      for (const Violation& violation : CheckInvariants(spec, seen, m.stored, restarted))
        Break(violation.invariant, "CheckInvariants, restarted: " + violation.says);
    }
    const int first =
        decision.plan.empty() ? -1 : static_cast<int>(decision.plan.steps[0].action.index());
    outcome_.statistics.pairs.insert({static_cast<int>(decision.state), first});
    return decision;
  }

  // Only a person's date, the end of a pause, is counted by the wall clock. Without one, the same
  // is decided a year later.
  void CheckWallClock(const Manager& m, const Observation& seen, const Decision& decision) {
    const auto dated = [](const auto& node) { return node.second.until.has_value(); };
    const auto any = [&](const Guards& guards) {
      return (guards.paused && guards.paused->until) ||
             std::any_of(guards.paused_nodes.begin(), guards.paused_nodes.end(), dated);
    };
    const bool to_take_up =
        std::any_of(seen.databases.begin(), seen.databases.end(), [&](const DatabaseSeen& node) {
          return node.state.known() && node.state->guards &&
                 node.state->guards->version > m.memory.guards_seen;
        });
    if (any(m.memory.guards) || to_take_up || !seen.intents.empty()) return;
    Observation later = seen;
    later.taken_at.wall += std::chrono::hours(365 * 24);
    const Decision same = Decide(world_.spec(), later, m.memory);
    if (!(same.plan == decision.plan && same.blocked == decision.blocked &&
          same.state == decision.state && same.look_again_in == decision.look_again_in))
      Break(-1, "the wall clock decided something");
  }

  void CountIntents(Manager& m, const Observation& seen, const Decision& decision) {
    for (const IntentRecord& record : decision.memory.intents) {
      const bool by_itself = record.intent.id.rfind("failback-", 0) == 0;
      if (by_itself && m.failbacks.insert(record.intent.id).second && m.failbacks.size() > 1)
        Break(13, "a second failback in ten minutes");
      if (record.state == IntentState::kUnderWay || record.at != seen.taken_at.wall) continue;
      const std::string kind(by_itself ? "failback" : KindOf(record.intent.wish));
      ++outcome_.statistics.intents[kind + "-" + std::string(ToString(record.state))];
    }
  }

  void CountHealth(const Decision& decision) {
    const bool active = std::any_of(faults_.begin(), faults_.end(),
                                    [](const Running& r) { return r.stage == Stage::kActive; });
    if (decision.state == ClusterState::kHealthy && decision.plan.empty() && !active) {
      ++healthy_;
      faults_since_healthy_ = 0;
    } else {
      healthy_ = 0;
    }
    last_state_ = decision.state;
    last_codes_ = std::string(ToString(decision.state));
    for (const Finding& f : decision.findings) {
      const std::string code(ToString(f.code));
      if (f.severity != Severity::kInfo && last_codes_.find(code) == std::string::npos)
        last_codes_ += "+" + code;
    }
    for (const Blocked& b : decision.blocked) last_codes_ += "!" + std::string(ToString(b.reason));
    // Trying to take writes away from a server that only a person can end is rest, too: it is said.
    const bool at_rest = decision.plan.empty() ||
                         (!decision.blocked.empty() && decision.plan.steps.size() == 1 &&
                          std::holds_alternative<SetReadOnly>(decision.plan.steps[0].action));
    const bool final_state =
        at_rest && (decision.state == ClusterState::kHealthy || WaitsForPeople(decision));
    quiet_ = final_state ? quiet_ + 1 : 0;
    if (!final_state) {
      unsettled_ = std::string(ToString(decision.state));
      for (const Finding& f : decision.findings) unsettled_ += "; " + f.says;
      for (const Blocked& b : decision.blocked) unsettled_ += "; blocked: " + b.says;
      for (const Step& s : decision.plan.steps) unsettled_ += "; step: " + Describe(s.action);
    }
  }

  // Ends that need a person or a re-clone, and are said.
  bool WaitsForPeople(const Decision& decision) const {
    if (!decision.plan.empty()) return true;
    if (Says(decision, FindingCode::kNodeDiverged) || Says(decision, FindingCode::kReplicaBroken))
      return true;
    return std::any_of(decision.blocked.begin(), decision.blocked.end(), [&](const Blocked& b) {
      // Managers that share nothing: the one that knows less stops, aloud.
      if (b.reason == BlockReason::kEpochAhead) return world_.kind().managers == 2;
      // A second fault during a promotion may leave no node that provably holds everything. After a
      // single fault this is no excuse.
      if (b.reason == BlockReason::kNoCandidate || b.reason == BlockReason::kMayLoseRows)
        return faults_since_healthy_ >= 2;
      return b.reason == BlockReason::kSplitBrain || b.reason == BlockReason::kAmbiguousCandidates;
    });
  }

  // A person or a plan is told of this node.
  static bool Names(const Decision& decision, const NodeName& node) {
    const auto& promotion = decision.memory.promotion;
    if (promotion && (promotion->from == node || promotion->to == node)) return true;
    const auto told = [&](const auto& all, const auto& holds) {
      return std::any_of(all.begin(), all.end(), holds);
    };
    return told(decision.plan.steps, [&](const Step& s) { return TargetOf(s.action) == node; }) ||
           told(decision.blocked,
                [&](const Blocked& b) { return b.says.find(node.text) != std::string::npos; });
  }

  // Two writers that both answer are a finding in the same look, or the second one is named.
  void CheckSaid(const Observation& seen, const Decision& decision) {
    std::vector<NodeName> writable;
    for (const DatabaseSeen& node : seen.databases) {
      if (node.state.known() && node.state->writable) writable.push_back(node.name);
    }
    if (writable.size() < 2 || Says(decision, FindingCode::kTwoWritable) ||
        Says(decision, FindingCode::kWritableReplica))
      return;
    for (const NodeName& node : writable) {
      if (node != decision.memory.primary && !Names(decision, node))
        Break(12, node.text + " answers that it is writable, too, and nothing is said");
    }
  }

  void TracePlan(const Manager& m, const Decision& decision) {
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

  void Beat(Manager& m) {
    if (!m.memory.primary) return;
    const int node = world_.IndexOf(*m.memory.primary);
    const Server& server = world_.servers()[static_cast<std::size_t>(node)];
    if (server.commits() && server.writable && server.committed == server.binlog.size() &&
        world_.Linked(m.place(), node))
      world_.WriteMarker(node, m.memory.epoch, server.name, false);
  }

  // The beater, which works beside the loop and may be slow or fail.
  void Share(const Manager& m, const GuardsCopy& copy) {
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

  // ---- What was promised to who asked for a guard ----

  // A guard that was said to be done, and that the nodes `held_by` showed.
  struct Confirmed {
    Wish wish;
    std::vector<int> held_by;
    int manager = 0;
  };

  // It was told itself, or one of the nodes that had the guard answers it.
  static bool CouldKnow(const Manager& m, const Observation& seen, const Confirmed& guard) {
    return m.index == guard.manager ||
           std::any_of(guard.held_by.begin(), guard.held_by.end(), [&](int node) {
             return seen.databases[static_cast<std::size_t>(node)].state.known();
           });
  }

  static bool TakesAway(const Wish& later, const Wish& guard) {
    if (const auto* pause = std::get_if<Pause>(&guard)) {
      const auto* resume = std::get_if<Resume>(&later);
      const auto* dated = std::get_if<Pause>(&later);
      return (resume != nullptr && resume->node == pause->node) ||
             (dated != nullptr && dated->lasts && dated->node == pause->node);
    }
    const auto* fence = std::get_if<Fence>(&guard);
    const auto* unfence = std::get_if<Unfence>(&later);
    return fence != nullptr && unfence != nullptr && fence->node == unfence->node;
  }

  // A guard that nobody has taken away and that has no date of its own, which a clock may bring on.
  static bool Lasts(const Manager& m, const IntentRecord& record) {
    const Wish& wish = record.intent.wish;
    const auto* pause = std::get_if<Pause>(&wish);
    if (pause != nullptr ? pause->lasts.has_value() : !std::holds_alternative<Fence>(wish))
      return false;
    return std::none_of(
        &record, m.stored.intents.data() + m.stored.intents.size(), [&](const IntentRecord& later) {
          return later.state != IntentState::kRefused && TakesAway(later.intent.wish, wish);
        });
  }

  // One that a later wish takes away is in force no more as soon as anybody has taken that up.
  void Confirm(const Manager& m, const Observation& seen, const Decision& decision) {
    std::erase_if(confirmed_, [&](const auto& entry) {
      if (CouldKnow(m, seen, entry.second)) return false;
      ++outcome_.statistics.intents["unknowable-" + std::string(KindOf(entry.second.wish))];
      return true;
    });
    for (const IntentRecord& record : m.stored.intents) {
      const Wish& wish = record.intent.wish;
      if (record.state != IntentState::kRefused) Lift(record);
      const bool done = record.state == IntentState::kDone && record.at == seen.taken_at.wall;
      if (!done || !Lasts(m, record)) continue;
      if (!AreShared(world_.spec(), seen, decision.memory)) continue;
      Confirmed confirmed{wish, {}, m.index};
      for (const DatabaseSeen& node : seen.databases) {
        if (node.state.known() && node.state->guards &&
            node.state->guards->version >= decision.memory.guards_seen)
          confirmed.held_by.push_back(world_.IndexOf(node.name));
      }
      confirmed_[record.intent.id] = confirmed;
      ++outcome_.statistics.intents["confirmed-" + std::string(KindOf(wish))];
    }
  }

  void Lift(const IntentRecord& by) {
    if (!lifted_.insert(by.intent.id).second) return;
    std::erase_if(confirmed_,
                  [&](const auto& entry) { return TakesAway(by.intent.wish, entry.second.wish); });
  }

  // Invariant 9: no manager does what a confirmed guard forbids.
  void CheckGuards(const Step& step) {
    for (const auto& [id, guard] : confirmed_) {
      const NodeName target = TargetOf(step.action);
      if (const auto* pause = std::get_if<Pause>(&guard.wish)) {
        if (!pause->node || pause->node == target)
          Break(9,
                "\"" + Describe(step.action) + "\" while " + Describe(guard.wish) + " is in force");
      } else if (const auto* fence = std::get_if<Fence>(&guard.wish)) {
        const bool starts = std::holds_alternative<StartServer>(step.action) ||
                            std::holds_alternative<OpenWritable>(step.action);
        if (starts && fence->node == target)
          Break(9, "\"" + Describe(step.action) + "\" although it is fenced");
      }
    }
  }

  // ---- The executor ----

  void Apply(Manager& m, const Decision& decision) {
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

  bool Try(Manager& m, const Step& step, const Decision& decision) {
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

  void WaitApplied(const Manager& m, const ApplyReceived& apply, const Step& step) {
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

  // ---- What must never happen, asked of the world ----

  // Recorded as primary while it is out of sight, the target is opened later, on the same grounds.
  void RememberWaived(const std::optional<Promotion>& promotion, const Memory& decided) {
    if (promotion && promotion->fence_waived && !decided.promotion &&
        decided.primary == promotion->to)
      world_.servers()[static_cast<std::size_t>(world_.IndexOf(*promotion->from))].waived = true;
  }

  // Invariants 2, 4, 9 at the moment a node is opened.
  void CheckOpened(const Manager& m, const OpenWritable& open) {
    const int node = world_.IndexOf(open.node);
    const Server& server = world_.servers()[static_cast<std::size_t>(node)];
    const auto [entry, fresh] = opened_.insert({open.epoch.number, node});
    if (!fresh && entry->second != node)
      Break(9, "two nodes were opened in epoch " + std::to_string(open.epoch.number));
    if (fresh && opened_.rbegin()->first != open.epoch.number)
      Break(9, "an older epoch was opened after a newer one");
    if (fresh) ++outcome_.statistics.promotions;
    const auto& promotion = m.memory.promotion;
    if (promotion && promotion->fence_waived)  // CheckInvariants knows who may
      world_.servers()[static_cast<std::size_t>(world_.IndexOf(*promotion->from))].waived = true;
    const bool planned = promotion && promotion->planned;
    if (!server.relay.empty()) Break(4, open.node.text + " is opened with unapplied transactions");
    std::size_t lost = 0, promised = 0;
    for (std::size_t id = 0; id < world_.transactions.size(); ++id) {
      Transaction& t = world_.transactions[id];
      if (!t.acknowledged || server.has[id]) continue;
      // What a superseded primary still acknowledged is counted when it is back, as its divergence.
      lost += t.superseded ? 0 : 1;
      promised += t.promised ? 1 : 0;
      t.acknowledged = t.promised = false;  // counted once
    }
    if (lost + promised == 0) return;
    Trace(std::to_string(lost) + " acknowledged transactions are missing (" +
          std::to_string(promised) + " promised), faults since healthy " +
          std::to_string(faults_since_healthy_));
    if (planned) Break(2, "a switchover lost acknowledged transactions");
    if (promotion && promotion->loss_allowed) return;
    if (promised > 0 && faults_since_healthy_ <= 1)
      Break(2, std::to_string(promised) + " transactions acknowledged under semiSync are lost");
    if (lost > 0 && loss_said_.count(open.epoch.number) == 0)
      Break(2, std::to_string(lost) + " acknowledged transactions are missing on " +
                   open.node.text + ", in silence");
  }

  // Invariants 1 and 3: two nodes that were opened and still accept writes.
  void CheckWriters() {
    int writers = 0;
    for (const Server& server : world_.servers())
      writers += server.running() && server.writable && !server.human_opened && !server.waived;
    if (writers > 1) Break(1, "two nodes accept writes");
  }

  // ---- Faults ----

  bool Active(FaultKind kind, int node = -1) const {
    return std::any_of(faults_.begin(), faults_.end(), [&](const Running& r) {
      return r.stage == Stage::kActive && r.fault.kind == kind &&
             (node < 0 || r.fault.node == node);
    });
  }

  void RunFaults() {
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

  bool Due(Running& r, bool earlier_open) {
    if (healed_) return false;
    const TimePoint start(Seconds(1000));
    if (!r.fault.when_healthy) return world_.now() >= start + r.fault.at;
    if (earlier_open || healthy_ < 2) return false;
    if (r.healthy_at == TimePoint{}) r.healthy_at = world_.now();
    return world_.now() >= r.healthy_at + r.fault.at;
  }

  void CutBoth(int a, int b, int by) {
    world_.Cut(a, b, by);
    world_.Cut(b, a, by);
  }

  void Inject(const Fault& f, int by) {
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

  // Nothing that was promised may be lost by it.
  static bool IsHarmless(FaultKind kind) {
    return kind == FaultKind::kAskSwitchover || kind == FaultKind::kAskFailover ||
           kind == FaultKind::kAskPause || kind == FaultKind::kAskPauseFor ||
           kind == FaultKind::kClockJumps;
  }

  void Ask(const Fault& f, bool begins) {
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

  void Ask(const Wish& wish) {
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

  // Whoever acts is asked, again and again, until it says what became of it.
  void AskForGuards(Manager& m) {
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

  void StopManager(const Fault& f, bool begins) {
    Manager& m = managers_[static_cast<std::size_t>(f.node)];
    m.away = f.lasts;
    int& hooks = f.kind == FaultKind::kManagerCrash ? m.crash_in : m.freeze_in;
    hooks = begins ? f.other : -1;
  }

  void HealEverything() {
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

  void JudgeTheEnd() {
    if (quiet_ < kQuietTicks) {
      Break(0, "no rest after the faults: " + unsettled_);
      return;
    }
    ++outcome_.statistics.ends[last_codes_];
    if (last_state_ != ClusterState::kHealthy) return;
    world_.calm = true;
    // A failback may begin meanwhile.
    TimePoint healthy_since = world_.now();
    for (int i = 0; world_.now() - healthy_since < kCalm && i < 2000 && !over(); ++i) {
      TickNext(std::nullopt);
      if (last_state_ != ClusterState::kHealthy) healthy_since = world_.now();
    }
    const auto& servers = world_.servers();
    for (const Server& server : servers) {
      if (!over() && !(server.done == servers[0].done))
        Break(0, "Healthy is said, and " + server.name.text + " does not hold the same as " +
                     servers[0].name.text);
    }
  }

  Schedule schedule_;
  World world_;
  Random random_;
  bool tracing_;
  std::vector<Running> faults_;
  std::vector<Manager> managers_;
  int holder_ = 0;
  int asked_ = 0;
  std::vector<Intent> guards_asked_;
  std::map<std::string, Confirmed> confirmed_;  // by the id of the wish
  std::set<std::string> lifted_;
  TimePoint holder_renewed_ = TimePoint(Seconds(1000));
  bool nested_ = false, healed_ = false;
  int healthy_ = 0, quiet_ = 0, faults_since_healthy_ = 0;
  ClusterState last_state_ = ClusterState::kUnknown;
  std::string unsettled_, last_line_, last_codes_;
  std::map<std::uint64_t, int> opened_;
  std::set<std::uint64_t> loss_said_;  // epochs whose promotion said that rows may be lost
  Outcome outcome_;
};

}  // namespace

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
