#include "tests/simulation/schedule.h"

#include <sstream>

namespace pandora_ha::simulation {
namespace {

std::string Node(int index) {
  return "node" + std::to_string(index + 1);
}

std::string Millis(Duration duration) {
  return std::to_string(std::chrono::duration_cast<Milliseconds>(duration).count()) + " ms";
}

WorldKind RandomKind(Random& random) {
  WorldKind kind;
  kind.flavor = random.Chance(50) ? Flavor::kMariaDb : Flavor::kMySql;
  kind.nodes = random.Chance(60) ? 2 : 3;
  kind.policy = static_cast<FailoverPolicy>(random.Below(3));
  kind.substrate = random.Chance(50) ? SubstrateKind::kLocal : SubstrateKind::kHosts;
  kind.durability = random.Chance(60) ? DurabilityMode::kSemiSync : DurabilityMode::kAsync;
  kind.without_replica = random.Chance(50) ? WithoutReplica::kDegrade : WithoutReplica::kBlock;
  kind.restart_allow = Seconds(random.Chance(25) ? 4 : 0);
  kind.managers = random.Chance(30) ? 2 : 1;
  kind.stubborn = random.Chance(30);
  return kind;
}

Fault RandomFault(Random& random, const WorldKind& kind) {
  Fault fault;
  while (true) {
    fault.kind = static_cast<FaultKind>(random.Below(kFaultKinds));
    if (fault.kind == FaultKind::kCutWitness && kind.policy != FailoverPolicy::kWitness) continue;
    // What somebody breaks by hand diverges a node for good; often is too often.
    if (fault.kind == FaultKind::kSomebodyOpens && !random.Chance(25)) continue;
    break;
  }
  fault.node = random.Below(kind.nodes);
  fault.other = (fault.node + 1 + random.Below(kind.nodes - 1)) % kind.nodes;
  if (fault.kind == FaultKind::kManagerCrash || fault.kind == FaultKind::kManagerFreeze) {
    fault.node = random.Below(kind.managers);
    fault.other = random.Below(8);
  }
  if (fault.kind == FaultKind::kCutWitness) fault.other = random.Below(kind.nodes + 1);
  static constexpr int kLasts[] = {300, 1500, 4000, 9000, 25000};
  fault.lasts = Milliseconds(random.Between(50, kLasts[random.Below(5)]));
  return fault;
}

// Into a schedule that is drawn already: a seed's other faults stay what they were. All of a
// schedule's faults wait for a healthy cluster, or none does.
void AddApart(Random& random, Fault fault, Schedule* schedule) {
  auto& all = schedule->faults;
  fault.lasts = Milliseconds(random.Between(50, 20000));
  fault.when_healthy = all.front().when_healthy;
  fault.at = Milliseconds(fault.when_healthy ? random.Below(4000) : 8000 + random.Below(45000));
  all.insert(all.begin() + random.Below(static_cast<int>(all.size()) + 1), fault);
}

void AddAsks(std::uint64_t seed, Schedule* schedule) {
  Random random(seed ^ 0x5eed);
  if (!random.Chance(40)) return;
  const int count = random.Between(1, 3);
  for (int i = 0; i < count; ++i) {
    Fault ask;
    // A switchover is what is asked for most.
    const int kind = random.Chance(60) ? 0 : random.Below(kAskKinds);
    ask.kind = static_cast<FaultKind>(kFaultKinds + kind);
    ask.node = random.Below(schedule->kind.nodes);
    AddApart(random, ask, schedule);
  }
}

void AddClocks(std::uint64_t seed, Schedule* schedule) {
  Random random(seed ^ 0xc10c);
  if (!random.Chance(30)) return;
  for (int count = random.Between(1, 3); count > 0; --count) {
    Fault fault;
    fault.kind = random.Chance(70) ? FaultKind::kClockJumps : FaultKind::kAskPauseFor;
    fault.node = random.Below(schedule->kind.managers);
    fault.other = random.Below(8);
    AddApart(random, fault, schedule);
  }
}

void AddStalls(std::uint64_t seed, Schedule* schedule) {
  Random random(seed ^ 0xd15c);
  if (!random.Chance(25)) return;
  for (int count = random.Between(1, 2); count > 0; --count) {
    Fault fault;
    fault.kind = FaultKind::kDiskStalls;
    fault.node = random.Below(schedule->kind.nodes);
    AddApart(random, fault, schedule);
  }
}

}  // namespace

bool KindNamed(const std::string& text, WorldKind* kind, std::string* unknown) {
  std::istringstream words(text);
  std::string word;
  while (std::getline(words, word, ',')) {
    if (word == "availability")
      kind->policy = FailoverPolicy::kAvailability;
    else if (word == "consistency")
      kind->policy = FailoverPolicy::kConsistency;
    else if (word == "witness")
      kind->policy = FailoverPolicy::kWitness;
    else if (word == "async")
      kind->durability = DurabilityMode::kAsync;
    else if (word == "semisync")
      kind->durability = DurabilityMode::kSemiSync;
    else if (word == "block")
      kind->without_replica = WithoutReplica::kBlock;
    else if (word == "degrade")
      kind->without_replica = WithoutReplica::kDegrade;
    else if (word == "local")
      kind->substrate = SubstrateKind::kLocal;
    else if (word == "hosts")
      kind->substrate = SubstrateKind::kHosts;
    else if (word == "mysql")
      kind->flavor = Flavor::kMySql;
    else if (word == "mariadb")
      kind->flavor = Flavor::kMariaDb;
    else if (word == "two")
      kind->nodes = 2;
    else if (word == "three")
      kind->nodes = 3;
    else if (word == "managers")
      kind->managers = 2;
    else if (word == "failback")
      kind->failback = true;
    else if (word == "quiet")
      kind->quiet = true;
    else if (word == "inhibit")
      kind->restart_allow = Seconds(0);
    else {
      *unknown = word;
      return false;
    }
  }
  return true;
}

Schedule MakeSchedule(std::uint64_t seed, const std::string& world) {
  Random random(seed);
  Schedule schedule;
  schedule.seed = seed;
  schedule.kind = RandomKind(random);
  // Drawn apart, so that a seed stays what it was.
  schedule.kind.failback = Random(seed ^ 0xba11ba11).Chance(20);
  std::string unknown;
  KindNamed(world, &schedule.kind, &unknown);
  // An agent that fences itself stands on machines of its own.
  if (schedule.kind.policy == FailoverPolicy::kWitness)
    schedule.kind.substrate = SubstrateKind::kHosts;
  // Half of the schedules give one fault at a time, the other half let them overlap.
  const bool one_at_a_time = random.Chance(50);
  const int count = random.Between(1, 7);
  for (int i = 0; i < count; ++i) {
    Fault fault = RandomFault(random, schedule.kind);
    fault.when_healthy = one_at_a_time;
    fault.at = Milliseconds(one_at_a_time ? random.Below(4000) : 8000 + random.Below(45000));
    schedule.faults.push_back(fault);
  }
  AddAsks(seed, &schedule);
  AddClocks(seed, &schedule);
  AddStalls(seed, &schedule);
  return schedule;
}

Duration JumpOf(const Fault& fault) {
  static constexpr Seconds kJumps[] = {Seconds(60), Seconds(3600), Seconds(24 * 3600),
                                       Seconds(365 * 24 * 3600)};
  const Duration jump = kJumps[fault.other / 2 % 4];
  return fault.other % 2 == 0 ? jump : -jump;
}

std::string_view ToString(FaultKind kind) {
  static constexpr std::string_view kNames[kFaultKinds + kAskKinds + kClockKinds + kDiskKinds] = {
      "kill",          "restart",        "kill-all",      "freeze",
      "cut-manager",   "cut-nodes",      "cut-one-way",   "isolate",
      "acks-lost",     "denied",         "noise",         "stop-io",
      "stop-sql",      "somebody-opens", "manager-crash", "manager-freeze",
      "store-fails",   "step-fails",     "step-lies",     "step-late",
      "cut-witness",   "ask-switchover", "ask-failover",  "ask-rash-failover",
      "ask-pause",     "ask-pause-node", "ask-fence",     "clock-jumps",
      "ask-pause-for", "disk-stalls"};
  return kNames[static_cast<int>(kind)];
}

std::string Describe(const Fault& fault) {
  const bool of_manager =
      fault.kind == FaultKind::kManagerCrash || fault.kind == FaultKind::kManagerFreeze;
  const bool of_clock = fault.kind == FaultKind::kClockJumps;
  std::string out = fault.when_healthy ? "once healthy + " : "at ";
  out += Millis(fault.at) + ": " + std::string(ToString(fault.kind)) + " ";
  if (of_clock)
    return out + "of manager" + std::to_string(fault.node + 1) + " by " + Millis(JumpOf(fault)) +
           " for " + Millis(fault.lasts);
  out += of_manager ? "manager" + std::to_string(fault.node + 1) + " at hook " +
                          std::to_string(fault.other)
                    : Node(fault.node) + " (other: " + Node(fault.other) + ")";
  return out + " for " + Millis(fault.lasts);
}

std::string Describe(const WorldKind& kind) {
  std::string out(pandora_ha::ToString(kind.policy));
  out += kind.durability == DurabilityMode::kAsync ? ",async" : ",semisync";
  if (kind.durability == DurabilityMode::kSemiSync)
    out += kind.without_replica == WithoutReplica::kBlock ? ",block" : ",degrade";
  out += kind.substrate == SubstrateKind::kLocal ? ",local" : ",hosts";
  out += kind.flavor == Flavor::kMySql ? ",mysql" : ",mariadb";
  out += kind.nodes == 2 ? ",two" : ",three";
  if (kind.managers == 2) out += ",managers";
  if (kind.failback) out += ",failback";
  if (kind.quiet) out += ",quiet";
  if (kind.stubborn) out += " (stubborn clients)";
  if (kind.restart_allow > Seconds(0)) out += " (restart in place allowed)";
  return out;
}

}  // namespace pandora_ha::simulation
