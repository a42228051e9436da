#include "tests/scenarios/script.h"

#include "reconciler/decide/decide.h"
#include "reconciler/decide/invariants.h"
#include "tests/scenarios/print.h"
#include "tests/scenarios/words.h"

namespace pandora_ha::scenarios {
namespace {

constexpr char kUuid[] = "uuid";

}  // namespace

GtidSet Script::Set(const std::string& text) const {
  std::string full = text;
  for (auto at = full.find(kUuid); at != std::string::npos; at = full.find(kUuid)) {
    const char digit = full.at(at + 4);
    full.replace(at, 5, std::string("0000000") + digit + "-0000-0000-0000-00000000000" + digit);
  }
  const auto set = GtidSet::Parse(world_.flavor(), full);
  if (!set.ok()) Complain("\"" + text + "\" is no GTID set of this family");
  return *set;
}

Node& Script::At(const std::string& name) {
  const auto found = world_.nodes.find(name);
  if (found == world_.nodes.end()) Complain("nobody is called " + name);
  return found->second;
}

ReplicationSeen& Script::Channel(const std::string& name) {
  auto& channel = At(name).state.replication;
  if (!channel) Complain(name + " follows nobody; say first whom");
  return *channel;
}

void Script::Option(const std::string& key, const std::string& value) {
  ClusterSpec& spec = world_.spec;
  DatabaseSpec& database = spec.database;
  if (key == "policy") {
    spec.failover_policy = OneOf(value, {FailoverPolicy::kAvailability,
                                         FailoverPolicy::kConsistency, FailoverPolicy::kWitness});
  } else if (key == "durability") {
    database.replication.durability =
        OneOf(value, {DurabilityMode::kAsync, DurabilityMode::kSemiSync});
  } else if (key == "withoutReplica") {
    database.replication.without_replica =
        OneOf(value, {WithoutReplica::kBlock, WithoutReplica::kDegrade});
  } else if (key == "substrate") {
    spec.substrate =
        OneOf(value, {SubstrateKind::kLocal, SubstrateKind::kHosts, SubstrateKind::kKubernetes});
  } else if (key == "flavor") {
    world_.set_flavor(OneOf(value, {Flavor::kMySql, Flavor::kMariaDb}));
  } else if (key == "restart") {
    database.restart.allow = WholeSeconds(value);
  } else if (key == "retries") {
    database.detection.connect_retries = std::stoi(value);
  } else if (key == "lease") {
    spec.lease.duration = WholeSeconds(value);
  } else if (key == "maxLag") {
    database.replication.max_lag = WholeSeconds(value);
  } else if (key == "prefer") {
    database.master_preference = Names(value);
  } else if (key == "suspend") {
    spec.suspend = YesNo(value);
  } else if (key == "failback") {
    spec.database.failback = YesNo(value) ? Failback::kWhenCaughtUp : Failback::kManual;
  } else if (key == "autofix") {
    spec.database.split_brain.autofix = YesNo(value);
  } else if (key == "rows") {
    spec.database.split_brain.rows = value == "archive" ? SplitBrainRows::kArchive
                                     : value == "ask"   ? SplitBrainRows::kAsk
                                                        : SplitBrainRows::kMerge;
  } else if (key == "rejoin") {
    spec.database.split_brain.rejoin = value == "wait"     ? SplitBrainRejoin::kWait
                                       : value == "rewind" ? SplitBrainRejoin::kRewind
                                                           : SplitBrainRejoin::kClone;
  } else if (key == "maxRetries") {
    spec.database.split_brain.max_retries = std::stoi(value);
  } else if (key == "coolDown") {
    spec.failover_cool_down = WholeSeconds(value);
  } else if (key == "virtualIP") {
    // As the reader says it of a part that this version does not act on.
    spec.not_reconciled.push_back({"spec.database.virtualIP", "the address is not moved yet."});
  } else {
    Complain("no option is called " + key);
  }
}

// given node1 node2 substrate=local policy=consistency …
void Script::Given(const Phrase& words) {
  world_.spec.name = "pandora";
  world_.spec.substrate = SubstrateKind::kLocal;
  for (const std::string& word : words) {
    if (const auto [key, value] = KeyValue(word); !key.empty()) Option(key, value);
  }
  for (const std::string& word : words) {
    if (word.find('=') == std::string::npos) world_.Declare(word);
  }
}

// settled PRIMARY epoch=N at SET: a cluster that has been well for a while.
void Script::Settled(const Phrase& words) {
  if (words.size() != 4 || words[2] != "at") Complain("say: settled node1 epoch=3 at 0-1-10");
  const NodeName primary(words[0]);
  const GtidSet position = Set(words[3]);
  memory_ = Memory{};
  memory_.cluster = world_.spec.name;
  memory_.manager = "manager1";
  memory_.epoch = Epoch(std::stoull(KeyValue(words[1]).second));
  memory_.primary = primary;
  memory_.primary_executed = position;
  const ReplicationSpec& replication = world_.spec.database.replication;
  const bool semi_sync = replication.durability == DurabilityMode::kSemiSync;
  memory_.durability_in_force = replication.durability;
  memory_.primary_waited = semi_sync;
  for (auto& [name, node] : world_.nodes) {
    node.state.executed = position;
    node.state.provisioned = true;
    node.state.heartbeat = HeartbeatSeen{memory_.epoch, primary, {}};
    NodeMemory& remembered = MemoryOf(memory_, NodeName(name));
    if (name == primary.text) {
      node.state.writable = true;
      node.state.semi_sync.source_enabled = node.state.semi_sync.source_waiting = semi_sync;
      continue;
    }
    node.state.semi_sync.replica_enabled = semi_sync;
    remembered.history = History::kContained;
    remembered.executed = position;
    remembered.executed_at = world_.now;
    remembered.received = position;
    remembered.arrival_changed = world_.now;
    remembered.lossless = semi_sync;
  }
  for (auto& [name, node] : world_.nodes) {
    if (name != primary.text) world_.Follow(name, primary.text);
  }
  world_.publication = PublicationSeen{primary, memory_.epoch, ""};
}

void Script::Remember(const Phrase& words) {
  for (const std::string& word : words) {
    const auto [key, value] = KeyValue(word);
    if (key == "primary") {
      memory_.primary = NodeName(value);
    } else if (key == "epoch") {
      memory_.epoch = Epoch(std::stoull(value));
    } else if (key == "inForce") {
      memory_.durability_in_force =
          OneOf(value, {DurabilityMode::kAsync, DurabilityMode::kSemiSync});
    } else if (key == "executed") {
      memory_.primary_executed = Set(value);
    } else if (key == "lossless") {
      for (auto& [name, node] : memory_.nodes) node.lossless = false;
      if (value == "nobody") continue;
      for (const NodeName& name : Names(value)) MemoryOf(memory_, name).lossless = true;
    } else if (key == "deposed") {
      for (const NodeName& name : Names(value)) MemoryOf(memory_, name).deposed = true;
    } else {
      Complain("nobody remembers a \"" + word + "\"");
    }
  }
}

// witness pandora3 sees=no independent=yes
void Script::Witness(const Phrase& words) {
  const NodeName name(words.at(0));
  auto& all = world_.witnesses;
  auto found = std::find_if(all.begin(), all.end(), [&](const auto& w) { return w.name == name; });
  if (found == all.end()) {
    all.push_back({name, {}, {}, true});
    world_.spec.lease.witnesses.push_back({name, "10.0.0.9", "third"});
    found = all.end() - 1;
  }
  for (const std::string& word : words) {
    const auto [key, value] = KeyValue(word);
    if (key == "independent") found->independent = YesNo(value);
    if (key != "sees") continue;
    found->sees_primary = value == "unknown" ? Seen<bool>::Unknown("no answer", world_.now)
                                             : Seen<bool>::Known(YesNo(value), world_.now);
  }
}

void Script::Published(const Phrase& words) {
  if (Is(words, {"nobody"})) {
    world_.publication.primary.reset();
  } else if (Starts(words, {"problem"})) {
    world_.publication.problem = words.size() > 1 ? words[1] : "";
  } else {
    world_.publication.primary = NodeName(words.at(0));
    world_.publication.epoch = Epoch(std::stoull(KeyValue(words.at(1)).second));
  }
}

Observation Script::DecideOnce() {
  world_.look_for_busy =
      !memory_.promotion &&
      std::any_of(memory_.intents.begin(), memory_.intents.end(), [](const IntentRecord& r) {
        return r.state == IntentState::kUnderWay &&
               std::holds_alternative<Switchover>(r.intent.wish);
      });
  const Observation seen = world_.Look();
  decision_ = Decide(world_.spec, seen, memory_);
  if (!(Decide(world_.spec, seen, memory_) == decision_))
    Complain("Decide gave two answers to one question");
  std::string once = remembered_, twice = remembered_;
  if (Print(seen, decision_, &once) != Print(seen, decision_, &twice))
    Complain("one decision prints in two ways");
  for (const Violation& violation : CheckInvariants(world_.spec, seen, memory_, decision_)) {
    Complain("invariant " + std::to_string(violation.invariant) + " is broken: " + violation.says);
  }
  for (const Finding& finding : decision_.findings) coverage_.findings.insert(finding.code);
  for (const Blocked& blocked : decision_.blocked) coverage_.reasons.insert(blocked.reason);
  memory_ = decision_.memory;
  world_.intents.clear();  // the memory names them now
  if (decision_.share && world_.guards_arrive)
    world_.WriteGuards(memory_.primary->text, *decision_.share);
  return seen;
}

// Tries the plan's steps in order. Prints what was not done.
std::string Script::Apply(std::size_t steps) {
  std::string out;
  std::vector<std::string> held_back;
  world_.last_failure.clear();
  for (std::size_t i = 0; i < decision_.plan.steps.size() && i < steps; ++i) {
    const Step& step = decision_.plan.steps[i];
    const std::string target = TargetOf(step.action).text;
    if (std::find(held_back.begin(), held_back.end(), target) != held_back.end()) continue;
    const std::string what = Describe(step.action);
    const bool told = !fails_.empty() && what.rfind(fails_, 0) == 0;
    std::string why = told && !lies_ ? std::string("it was told to fail") : world_.Perform(step);
    if (told) why = lies_ ? "done, but reported as failed" : "it was told to fail";
    if (told) fails_.clear();
    if (why.empty()) continue;
    if (world_.last_failure.empty()) world_.last_failure = why;
    out += "not done: " + what + " (" + why + ")\n";
    if (decision_.plan.ordered) break;
    held_back.push_back(target);
  }
  decision_.plan = {};
  if (!fails_.empty()) Complain("no step begins with \"" + fails_ + "\"");
  return out;
}

// Looks, decides and applies for so long; prints what was done and the last decision.
std::string Script::LetItRun(Duration time) {
  const TimePoint began = world_.now;
  const TimePoint until = world_.now + time;
  std::string out;
  for (int looks = 0; looks < 1000; ++looks) {
    const Observation seen = DecideOnce();
    const Duration pause = std::max<Duration>(decision_.look_again_in, Milliseconds(5));
    if (world_.now + pause > until) return out + Print(seen, decision_, &remembered_);
    if (!decision_.plan.empty()) {
      out += "after " + FormatDuration(world_.now - began) + ": " + decision_.plan.purpose + "\n";
      for (const Step& step : decision_.plan.steps) out += "  " + Describe(step.action) + "\n";
      out += Apply(decision_.plan.steps.size());
    }
    world_.now += pause;
  }
  Complain("a thousand looks were not enough");
}

std::string Script::Play(const std::string& line) {
  const auto colon = line.find(": ");
  const Words words = Split(line);
  if (words.empty()) return "";
  if (colon != std::string::npos && world_.nodes.count(line.substr(0, colon)) > 0) {
    for (const std::string& part : SplitAt(line.substr(colon + 2), ';'))
      SayOf(line.substr(0, colon), Split(part));
    return "";
  }
  const Phrase rest(words.begin() + 1, words.end());
  if (words[0] == "given") {
    Given(rest);
  } else if (words[0] == "declare") {
    for (const std::string& word : rest) Option(KeyValue(word).first, KeyValue(word).second);
  } else if (words[0] == "settled") {
    Settled(rest);
  } else if (words[0] == "remember") {
    Remember(rest);
  } else if (Is(words, {"forget", "everything"})) {
    memory_ = Memory{};
    memory_.manager = "manager" + std::to_string(++managers_);
  } else if (Is(words, {"guards", "arrive"}) || Is(words, {"guards", "are", "lost"})) {
    world_.guards_arrive = words[1] == "arrive";
  } else if (words[0] == "witness") {
    Witness(rest);
  } else if (words[0] == "document") {
    world_.document_problem = words.size() > 1 ? words[1] : "";
  } else if (words[0] == "published") {
    Published(rest);
  } else if (words[0] == "ask") {
    Ask(rest);
  } else if (Is(words, {"take", "over"})) {
    world_.acts_since = world_.now;
  } else if (words[0] == "advance") {
    world_.now += Time(words.at(1));
  } else if (words[0] == "fail" || words[0] == "lie") {
    fails_ = line.substr(words[0].size() + 1);
    lies_ = words[0] == "lie";
  } else if (Is(words, {"decide"})) {
    const Observation seen = DecideOnce();
    return Print(seen, decision_, &remembered_);
  } else if (Starts(words, {"stand", "by"})) {
    const Observation seen = world_.Look();
    decision_ = StandBy(world_.spec, seen, memory_, line.substr(9));
    for (const Finding& finding : decision_.findings) coverage_.findings.insert(finding.code);
    memory_ = decision_.memory;
    return Print(seen, decision_, &remembered_);
  } else if (words[0] == "apply") {
    return Apply(words.size() > 1 ? std::stoul(words[1]) : decision_.plan.steps.size());
  } else if (Starts(words, {"let", "it", "run"})) {
    return LetItRun(Time(words.at(3)));
  } else {
    Complain("nobody understands \"" + line + "\"");
  }
  return "";
}

}  // namespace pandora_ha::scenarios
