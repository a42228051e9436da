#include "reconciler/loop/cluster_loop.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include "reconciler/base/log.h"
#include "reconciler/base/random.h"
#include "reconciler/decide/decide.h"
#include "reconciler/decide/diagnose.h"
#include "reconciler/decide/guards.h"
#include "reconciler/decide/invariants.h"
#include "reconciler/decide/remember.h"
#include "reconciler/decide/status_of.h"
#include "reconciler/observe/in_the_way.h"

namespace pandora_ha {
namespace {

// Positions and counters are worth keeping, not worth an fsync a second.
constexpr Duration kStoreQuietChangesEvery = Seconds(5);
// Of a rebuild that the machine's end interrupted.
constexpr Seconds kRebuildSeenWithin{60};
constexpr Seconds kRebuildPatience{600};
constexpr Duration kAfterFailedPlan = Milliseconds(200);
constexpr std::size_t kTimingsKept = 64;
static_assert(kIntentsKept > kMostPendingIntents, "see kIntentsKept");

LogLevel LevelOf(Severity severity) {
  switch (severity) {
    case Severity::kInfo:
      return LogLevel::kInfo;
    case Severity::kWarning:
      return LogLevel::kWarning;
    case Severity::kCritical:
      return LogLevel::kError;
  }
  return LogLevel::kInfo;
}

// While a step is waited for, nobody prolongs the publication: no step of a plan that leaves the
// primary where it is may take so long that clients are held for it. What ran out of time is looked
// at, and done again.
void BoundSteps(const ClusterSpec& spec, Plan* plan) {
  if (plan->ordered || spec.failover_policy == FailoverPolicy::kAvailability) return;
  for (Step& step : plan->steps)
    step.deadline = std::min<Duration>(step.deadline, Duration(spec.lease.duration) / 2);
}

std::string OfAnother(const std::string& holder) {
  return "Another manager acts on this cluster" + (holder.empty() ? "" : " (" + holder + ")") +
         "; ask that one. Nothing was taken up here.";
}

bool WaitsToSwitch(const Memory& memory) {
  return std::any_of(memory.intents.begin(), memory.intents.end(), [](const IntentRecord& r) {
    return r.state == IntentState::kUnderWay && std::holds_alternative<Switchover>(r.intent.wish);
  });
}

std::string FirstFailure(const Report& report) {
  const auto failed = std::find_if(report.steps.begin(), report.steps.end(),
                                   [](const StepReport& step) { return !step.error.empty(); });
  return failed == report.steps.end() ? "" : failed->error;
}

}  // namespace

ClusterLoop::ClusterLoop(const LoopParts& parts) : parts_(parts), clock_(parts.hands.clock) {}

Status ClusterLoop::Start() {
  PHA_ASSIGN_OR_RETURN(auto stored, parts_.store.ReadMemory());
  const std::string& cluster = parts_.hands.spec.name;
  if (stored) {
    if (stored->cluster != cluster) {
      return Error{ErrorCode::kConflict, "The stored memory belongs to the cluster \"" +
                                             stored->cluster + "\" and not to \"" + cluster +
                                             "\"; give each cluster a state directory of its own."};
    }
    memory_ = *std::move(stored);
  }
  memory_.cluster = cluster;
  if (memory_.manager.empty()) memory_.manager = RandomPassword();
  if (memory_.boot_id != clock_.BootId()) ForgetMonotonicDates();
  ForgetLooks(&memory_);
  return Ok();
}

// The machine was restarted: monotonic dates of before mean nothing now.
void ClusterLoop::ForgetMonotonicDates() {
  const TimePoint now = clock_.Now().mono;
  memory_.boot_id = clock_.BootId();
  if (memory_.promotion) memory_.promotion->began = now;
  memory_.failback_at.reset();
  memory_.failback_not_before = {};
  memory_.acts_since = {};
  memory_.decided_at.reset();
  // Without a date, the cool-down begins anew; a person still has to look.
  if (memory_.failed_over_at) {
    memory_.failed_over_at =
        OwnDate(parts_.hands.spec, clock_.Now(), memory_.guards.failed_over_at).value_or(now);
  }
  for (IntentRecord& record : memory_.intents) {
    record.give_up_at = now + record.intent.within;
    record.not_before = {};
  }
  for (auto& [name, node] : memory_.nodes) {
    node.arrival_changed = {};
    node.executed = {};
    node.not_acknowledging_since.reset();
    node.start_not_before.reset();
    node.receive_not_before.reset();
    if (node.archive) node.archive->not_before = {};
    if (node.merge) node.merge->not_before = {};
    // Its order is gone with the machine's run; what it did until then is seen by then.
    if (node.rebuild) {
      node.rebuild->not_before = now + kRebuildSeenWithin;
      node.rebuild->give_up_at = now + kRebuildPatience;
    }
  }
}

void ClusterLoop::Wake() {
  woken_ = true;
  if (parts_.call) parts_.call();
}

Status ClusterLoop::Ask(Intent intent) {
  PHA_TRY(inbox_.Add(std::move(intent)));
  Wake();
  return Ok();
}

void ClusterLoop::Changed(std::vector<std::string> words, const std::vector<NodeName>& replaced) {
  std::move(words.begin(), words.end(), std::back_inserter(document_changes_));
  for (const NodeName& node : replaced) MemoryOf(memory_, node).attempts_counted = 0;
}

Duration ClusterLoop::Turn() {
  if (!looking_) {
    const Duration early = next_tick_ - clock_.Now().mono;
    if (!woken_ && early > Duration::zero()) return early;
    Begin(parts_.call);
  }
  while (true) {
    if (const Duration left = parts_.observer.Left(); left > Duration::zero()) return left;
    if (const auto wait = Finish(parts_.call)) {
      next_tick_ = clock_.Now().mono + *wait;
      return woken_ ? Duration::zero() : *wait;
    }
  }
}

Duration ClusterLoop::Tick() {
  Begin({});
  while (true) {
    parts_.observer.Wait();
    if (const auto wait = Finish({})) return *wait;
  }
}

// False when what was decided could not be made durable.
bool ClusterLoop::Remember(const Memory& decided) {
  const TimePoint now = clock_.Now().mono;
  const bool intent = unstored_ || !SameIntent(memory_, decided);
  if (intent || (now - stored_at_ >= kStoreQuietChangesEvery && memory_ != decided)) {
    const Status stored = parts_.store.WriteMemory(decided);
    KeepStoreProblem(stored.ok() ? "" : stored.error().message);
    if (stored.ok()) {
      stored_at_ = now;
      unstored_ = false;
    } else if (intent) {
      return false;
    }
  }
  memory_ = decided;
  return true;
}

void ClusterLoop::KeepStoreProblem(std::string problem) {
  if (problem == store_problem_) return;
  store_problem_ = std::move(problem);
  if (store_problem_.empty()) return;
  Log(LogLevel::kError, "The memory could not be stored.",
      {{"cluster", parts_.hands.spec.name}, {"error", store_problem_}});
}

// Publications are believed for a lease only (policies consistency and witness), so that clients
// are not sent on by a manager that hangs. The one that holds the cluster answers for what is
// published until it decides otherwise: also while a step or a silent server makes the tick slow,
// hence after every step; not once a lease has run out: then the primary is published anew, after
// it was asked.
void ClusterLoop::KeepPublicationBelieved(const Observation& seen, const Decision& decision) {
  const Memory& memory = decision.memory;
  const PublicationSeen& published = seen.publication;
  if (!memory.primary || memory.promotion || decision.plan.ordered ||
      published.primary != memory.primary || published.epoch != memory.epoch) {
    return;
  }
  const TimePoint known_at = clock_.Now().mono;
  if (!parts_.hands.lease.Held()) return;
  const Status renewed = parts_.hands.publisher.Renew(memory.epoch, known_at);
  const std::string problem = renewed.ok() ? "" : renewed.error().message;
  if (problem == renew_problem_) return;
  renew_problem_ = problem;
  if (!problem.empty()) {
    Log(LogLevel::kError,
        "The publication could not be prolonged; clients are held when its lease runs out.",
        {{"cluster", parts_.hands.spec.name}, {"error", problem}});
  }
}

void ClusterLoop::Refuse(Decision* decision, const std::string& why) {
  Log(LogLevel::kError, why, {{"cluster", parts_.hands.spec.name}});
  decision->findings.insert(decision->findings.begin(),
                            MakeFinding(FindingCode::kStepFailed, std::nullopt, why));
  decision->plan = {};
  decision->beat = false;
  decision->share.reset();
  decision->look_again_in = parts_.hands.spec.database.detection.interval;
}

void ClusterLoop::Begin(const std::function<void()>& over) {
  woken_ = false;
  times_ = {};
  times_.began = clock_.Now().mono;
  ++counters_.looks;
  looking_ = true;
  Look(over);
}

void ClusterLoop::Look(const std::function<void()>& over) {
  asked_at_ = clock_.Now().mono;
  parts_.observer.Begin(over);
}

std::optional<Duration> ClusterLoop::Finish(const std::function<void()>& over) {
  Observation seen = parts_.observer.Take();
  if (parts_.leader != nullptr && !parts_.leader->Settle(seen, asked_at_, parts_.hands)) {
    Look(over);
    return std::nullopt;
  }
  looking_ = false;
  times_.looked = clock_.Now().mono;
  if (parts_.leader != nullptr) seen.acts_since = parts_.leader->acts_since();
  seen.document_problem = document_problem_;
  seen.document_changes = std::exchange(document_changes_, {});
  return parts_.hands.lease.Held() ? Act(std::move(seen)) : StandBySince(std::move(seen));
}

Duration ClusterLoop::Act(Observation seen) {
  const ClusterSpec& spec = parts_.hands.spec;
  inbox_.Close("");
  seen.intents = inbox_.All();
  seen.last_failure = last_failure_;
  for (DatabaseSeen& node : seen.databases) node.stalled_write = parts_.beater.Stalled(node.name);
  if (memory_.primary && !memory_.promotion && WaitsToSwitch(memory_)) {
    const auto primary = parts_.hands.nodes.find(*memory_.primary);
    if (primary != parts_.hands.nodes.end())
      seen.in_the_way =
          AskWhatIsInTheWay(*primary->second, clock_, spec.database.detection.timeout);
  }
  Decision decision = Decide(spec, seen, memory_);
  for (const Violation& violation : CheckInvariants(spec, seen, memory_, decision)) {
    Refuse(&decision, "Refused a plan that breaks invariant " +
                          std::to_string(violation.invariant) + ": " + violation.says +
                          ". This is a bug; please report it with `pandora-ha explain`.");
    decision.memory = memory_;
    // It may be what was asked for that leads there; the cluster must not be left alone for it.
    for (const Intent& intent : seen.intents) inbox_.Drop(intent.id);
    break;
  }
  times_.decided = clock_.Now().mono;
  if (!Remember(decision.memory)) {
    Refuse(&decision,
           "The memory could not be stored, so nothing is done; look at the disk of the "
           "state directory (" +
               store_problem_ + ").");
  } else if (!store_problem_.empty()) {
    // Before a failover needs it.
    decision.findings.push_back(
        MakeFinding(FindingCode::kStepFailed, std::nullopt,
                    "The memory could not be stored, so that a failover would not be made; look at "
                    "the disk of the state directory (" +
                        store_problem_ + ")."));
  }
  BoundSteps(spec, &decision.plan);
  times_.remembered = clock_.Now().mono;
  const auto renew = [&] { KeepPublicationBelieved(seen, decision); };
  renew();
  const Report report = Apply(decision.plan, parts_.hands, renew);
  times_.acted = clock_.Now().mono;
  // Asked anew: a manager that was frozen in a step may have been replaced meanwhile.
  if (parts_.hands.lease.Held()) Beat(seen, decision);
  failing_ = !report.complete;
  last_failure_ = FirstFailure(report);
  CountFailover(seen, decision, report);
  const Duration wait = failing_ ? std::max<Duration>(decision.look_again_in, kAfterFailedPlan)
                                 : decision.look_again_in;
  Tell(std::move(seen), std::move(decision), report);
  // Only now: who asks in the meantime finds it here or on the noticeboard.
  for (const IntentRecord& record : memory_.intents) inbox_.Drop(record.intent.id);
  return wait;
}

void ClusterLoop::Beat(const Observation& seen, const Decision& decision) {
  if (!decision.beat && !decision.share) return;
  const DatabaseSeen* primary = FindSeen(seen, *memory_.primary);
  const std::uint64_t holder =
      primary != nullptr && primary->state.known() ? primary->state->manager_lock.connection : 0;
  parts_.beater.Beat({*memory_.primary, memory_.epoch, decision.beat, decision.share, holder});
}

// The endpoint beside a manager that observes serves clients, too: they are sent to the one primary
// that is seen to be open, under the epoch of its own marker. Nothing is withdrawn here: the hosts
// file may be shared with the manager that acts.
void ClusterLoop::FollowPublication(const Observation& seen) {
  const DatabaseSeen* primary = OnlyMarkedWriter(seen);
  if (primary == nullptr) return;
  const Epoch epoch = primary->state->heartbeat->epoch;
  const PublicationSeen& published = seen.publication;
  const DatabaseNodeSpec* declared = FindNode(parts_.hands.spec, primary->name);
  Publisher& publisher = parts_.hands.publisher;
  const Status told =
      published.primary == primary->name && published.epoch == epoch
          ? publisher.Renew(epoch, primary->state.at())
          : publisher.Publish(
                {primary->name, {declared->address, parts_.hands.spec.database.port}, epoch});
  if (!told.ok()) {
    Log(LogLevel::kWarning, "Clients could not be told which primary another manager opened.",
        {{"cluster", parts_.hands.spec.name}, {"error", told.error().message}});
  }
}

Duration ClusterLoop::StandBySince(Observation seen) {
  const std::string holder = parts_.hands.lease.Holder();
  inbox_.Close(OfAnother(holder));
  Decision decision = StandBy(parts_.hands.spec, seen, memory_, holder);
  times_.decided = times_.remembered = clock_.Now().mono;
  unstored_ = unstored_ || !SameIntent(memory_, decision.memory);
  const bool asked = memory_.guards != decision.memory.guards;
  memory_ = decision.memory;
  // Should no server answer after a restart, this is where a fence or a pause is known from.
  if (asked) {
    const Status stored = parts_.store.WriteMemory(memory_);
    KeepStoreProblem(stored.ok() ? "" : stored.error().message);
    if (stored.ok()) unstored_ = false;
  }
  FollowPublication(seen);
  times_.acted = clock_.Now().mono;
  failing_ = false;
  last_failure_.clear();
  const Duration wait = decision.look_again_in;
  Tell(std::move(seen), std::move(decision), {});
  return wait;
}

void ClusterLoop::CountFailover(const Observation& seen, const Decision& decision,
                                const Report& report) {
  for (const StepReport& step : report.steps) {
    if (step.outcome == StepOutcome::kDone) ++counters_.steps_done;
    if (step.outcome == StepOutcome::kFailed || step.outcome == StepOutcome::kUnknown)
      ++counters_.steps_failed;
  }
  const auto& promotion = decision.memory.promotion;
  if (!promotion || !promotion->from || promotion->planned) return;
  if (promotion->began == seen.taken_at.mono) {
    const auto& since = MemoryOf(decision.memory, *promotion->from).unanswered_since;
    timing_ = {};
    timing_.detect = seen.taken_at.mono - since.value_or(seen.taken_at.mono);
  }
  for (std::size_t i = 0; i < report.steps.size(); ++i) {
    const Action& action = decision.plan.steps[i].action;
    const Duration took = report.steps[i].took;
    const bool fence = std::holds_alternative<FenceServer>(action) ||
                       std::holds_alternative<WithdrawPublication>(action);
    const bool publish = std::holds_alternative<Publish>(action);
    (fence ? timing_.fence : publish ? timing_.publish : timing_.promote) += took;
    if (!publish) continue;
    if (report.steps[i].outcome != StepOutcome::kDone) {
      ++counters_.failovers_failed;
      continue;
    }
    ++counters_.failovers_done;
    timing_.total = timing_.detect + (clock_.Now().mono - promotion->began);
    auto& kept = counters_.failover_timings;
    if (kept.size() == kTimingsKept) kept.erase(kept.begin());
    kept.push_back(timing_);
  }
}

void ClusterLoop::Tell(Observation seen, Decision decision, Report report) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->spec = parts_.hands.spec;
  snapshot->status = StatusOf(snapshot->spec, seen, decision, report);
  for (const Event& event : EventsOf(last_status_, snapshot->status, decision, report)) {
    Log(LevelOf(event.severity), event.message,
        {{"cluster", snapshot->spec.name},
         {"reason", event.reason},
         {"epoch", std::to_string(event.epoch.number)}});
    const Status kept = parts_.store.AppendEvent(event);
    if (!kept.ok())
      Log(LogLevel::kError, "An event could not be kept.", {{"error", kept.error().message}});
  }
  for (const Finding& finding : snapshot->status.findings) {
    const bool already = std::any_of(
        last_status_.findings.begin(), last_status_.findings.end(),
        [&](const Finding& f) { return f.code == finding.code && f.about == finding.about; });
    if (!already) ++counters_.findings_raised[std::string(ToString(finding.code))];
  }
  last_status_ = snapshot->status;
  snapshot->seen = std::move(seen);
  snapshot->decision = std::move(decision);
  snapshot->report = std::move(report);
  snapshot->counters = counters_;
  snapshot->times = times_;
  snapshot->tick_took = clock_.Now().mono - times_.began;
  parts_.noticeboard.Pin(std::move(snapshot));
}

}  // namespace pandora_ha
