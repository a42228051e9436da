// What is counted, and what must never happen: of each decision, and of the world.
#include <algorithm>

#include "reconciler/decide/decide.h"
#include "reconciler/decide/invariants.h"
#include "tests/simulation/one_run.h"

namespace pandora_ha::simulation {
namespace {

constexpr Duration kCalm = Seconds(20);

}  // namespace

Decision Simulation::DecideChecked(const Manager& m, const Observation& seen) {
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

void Simulation::CheckWallClock(const Manager& m, const Observation& seen,
                                const Decision& decision) {
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

void Simulation::CountIntents(Manager& m, const Observation& seen, const Decision& decision) {
  for (const IntentRecord& record : decision.memory.intents) {
    const bool by_itself = record.intent.id.rfind("failback-", 0) == 0;
    if (by_itself && m.failbacks.insert(record.intent.id).second && m.failbacks.size() > 1)
      Break(13, "a second failback in ten minutes");
    if (record.state == IntentState::kUnderWay || record.at != seen.taken_at.wall) continue;
    const std::string kind(by_itself ? "failback" : KindOf(record.intent.wish));
    ++outcome_.statistics.intents[kind + "-" + std::string(ToString(record.state))];
  }
}

void Simulation::CountHealth(const Decision& decision) {
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
  const bool at_rest =
      decision.plan.empty() || (!decision.blocked.empty() && decision.plan.steps.size() == 1 &&
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

bool Simulation::WaitsForPeople(const Decision& decision) const {
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

bool Simulation::Names(const Decision& decision, const NodeName& node) {
  const auto& promotion = decision.memory.promotion;
  if (promotion && (promotion->from == node || promotion->to == node)) return true;
  const auto told = [&](const auto& all, const auto& holds) {
    return std::any_of(all.begin(), all.end(), holds);
  };
  return told(decision.plan.steps, [&](const Step& s) { return TargetOf(s.action) == node; }) ||
         told(decision.blocked,
              [&](const Blocked& b) { return b.says.find(node.text) != std::string::npos; });
}

void Simulation::CheckSaid(const Observation& seen, const Decision& decision) {
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

void Simulation::RememberWaived(const std::optional<Promotion>& promotion, const Memory& decided) {
  if (promotion && promotion->fence_waived && !decided.promotion &&
      decided.primary == promotion->to)
    world_.servers()[static_cast<std::size_t>(world_.IndexOf(*promotion->from))].waived = true;
}

void Simulation::CheckOpened(const Manager& m, const OpenWritable& open) {
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
    Break(2, std::to_string(lost) + " acknowledged transactions are missing on " + open.node.text +
                 ", in silence");
}

void Simulation::CheckWriters() {
  int writers = 0;
  for (const Server& server : world_.servers())
    writers += server.running() && server.writable && !server.human_opened && !server.waived;
  if (writers > 1) Break(1, "two nodes accept writes");
}

void Simulation::JudgeTheEnd() {
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

}  // namespace pandora_ha::simulation
