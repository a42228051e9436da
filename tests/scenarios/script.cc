#include "tests/scenarios/script.h"

#include <algorithm>
#include <sstream>
#include <stdexcept>

#include "reconciler/decide/decide.h"
#include "reconciler/decide/invariants.h"
#include "tests/scenarios/print.h"

namespace pandora_ha::scenarios {
namespace {

using Words = std::vector<std::string>;

[[noreturn]] void Complain(const std::string& what) {
  throw std::runtime_error(what);
}

// Splits at blanks; "quoted words" stay together.
Words Split(const std::string& text) {
  Words words;
  std::string word;
  bool quoted = false;
  bool any = false;
  for (const char c : text) {
    if (c == '"') {
      quoted = !quoted;
      any = true;
    } else if (c == ' ' && !quoted) {
      if (any) words.push_back(word);
      word.clear();
      any = false;
    } else {
      word += c;
      any = true;
    }
  }
  if (quoted) Complain("a quotation mark is missing");
  if (any) words.push_back(word);
  return words;
}

std::vector<std::string> SplitAt(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::string part;
  bool quoted = false;
  for (const char c : text) {
    if (c == '"') quoted = !quoted;
    if (c == separator && !quoted) {
      parts.push_back(part);
      part.clear();
    } else {
      part += c;
    }
  }
  parts.push_back(part);
  return parts;
}

bool Starts(const Words& words, std::initializer_list<const char*> with) {
  return words.size() >= with.size() && std::equal(with.begin(), with.end(), words.begin());
}

bool Is(const Words& words, std::initializer_list<const char*> with) {
  return words.size() == with.size() && Starts(words, with);
}

bool YesNo(const std::string& value) {
  if (value == "yes") return true;
  if (value == "no") return false;
  Complain("\"" + value + "\" is neither yes nor no");
}

Duration Time(const std::string& text) {
  std::size_t end = 0;
  const auto number = std::stoll(text, &end);
  const std::string unit = text.substr(end);
  if (unit == "ms") return Milliseconds(number);
  if (unit == "s") return Seconds(number);
  Complain("\"" + text + "\" is no time; say 200ms or 3s");
}

std::chrono::seconds WholeSeconds(const std::string& text) {
  return std::chrono::duration_cast<Seconds>(Time(text));
}

std::pair<std::string, std::string> KeyValue(const std::string& word) {
  const auto at = word.find('=');
  if (at == std::string::npos) return {"", ""};
  return {word.substr(0, at), word.substr(at + 1)};
}

ThreadState Thread(const std::string& value) {
  if (value == "running") return ThreadState::kRunning;
  if (value == "connecting") return ThreadState::kConnecting;
  if (value == "stopped") return ThreadState::kStopped;
  Complain("a thread is running, connecting or stopped, not \"" + value + "\"");
}

template <class E>
E OneOf(const std::string& value, std::initializer_list<E> all) {
  for (const E one : all) {
    if (ToString(one) == value) return one;
  }
  Complain("\"" + value + "\" is not one of the allowed words");
}

std::vector<NodeName> Names(const std::string& value) {
  std::vector<NodeName> names;
  for (const std::string& part : SplitAt(value, ',')) names.emplace_back(part);
  return names;
}

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
  } else if (key == "virtualIP") {
    database.virtual_ip = VirtualIpSpec{value, "eth0"};
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

bool Script::SayOfProcess(const std::string& name, const Phrase& phrase) {
  Node& node = At(name);
  if (Starts(phrase, {"dead"})) {
    world_.EndProcess(name, phrase.size() > 1 ? phrase[1] : "killed by signal 9");
  } else if (Is(phrase, {"never", "started"})) {
    world_.EndProcess(name, "");
    node.process = ProcessState{};
    node.process.restart_inhibited = true;
  } else if (Is(phrase, {"started"})) {
    world_.StartProcess(name);
  } else if (Starts(phrase, {"nobody", "owns", "its", "process"})) {
    node.process_unknown = "nobody owns the process for us";
    node.can_fence = false;
  } else if (Starts(phrase, {"its", "owner", "is", "silent"})) {
    node.process_unknown = "its supervisor does not answer";
    node.can_fence = false;
  } else if (Is(phrase, {"its", "owner", "speaks"})) {
    node.process_unknown.clear();
    node.can_fence = true;
  } else if (Is(phrase, {"may", "be", "restarted"})) {
    node.process.restart_inhibited = false;
  } else if (Is(phrase, {"restart", "inhibited"})) {
    node.process.restart_inhibited = true;
  } else {
    return false;
  }
  return true;
}

bool Script::SayOfContact(Node* node, const Phrase& phrase) {
  const auto ends = [&](Contact contact, std::size_t words) {
    node->contact = contact;
    node->contact_error = phrase.size() > words ? phrase[words] : "";
    if (!node->runs()) node->insists = contact;
    return true;
  };
  if (Starts(phrase, {"answers"})) return ends(Contact::kAnswered, 1) && (node->sends = true);
  if (Starts(phrase, {"silent"})) return ends(Contact::kSilent, 1);
  if (Starts(phrase, {"hung", "up"})) return ends(Contact::kHungUp, 2);
  if (Starts(phrase, {"no", "route"})) return ends(Contact::kUnroutable, 2);
  if (Starts(phrase, {"refuses", "the", "port"})) return ends(Contact::kRefusedPort, 3);
  if (Starts(phrase, {"denies", "us"})) return ends(Contact::kDenied, 2);
  if (Starts(phrase, {"fails", "TLS"})) return ends(Contact::kTlsRefused, 2);
  if (Starts(phrase, {"too", "many", "connections"})) {
    node->contact_error = "Too many connections";
    node->contact = Contact::kBusy;
    return true;
  }
  if (Is(phrase, {"sends", "nothing"})) {
    node->sends = false;
    return true;
  }
  if (Is(phrase, {"not", "asked", "again"})) {
    node->asked = false;
    return true;
  }
  return false;
}

bool Script::SayOfChannel(const std::string& name, const Phrase& phrase) {
  if (Starts(phrase, {"replica", "of"}) && phrase.size() >= 3) {
    if (phrase.size() == 5 && phrase[3] == "at") At(name).state.executed = Set(phrase[4]);
    At(name).state.writable = false;
    world_.Follow(name, phrase[2]);
  } else if (Is(phrase, {"follows", "nobody"})) {
    At(name).state.replication.reset();
    At(name).state.semi_sync.replica_active = false;
  } else if (Starts(phrase, {"received"})) {
    Channel(name).received = Set(phrase.at(1));
  } else if (phrase.size() == 4 && phrase[1] == "error") {
    ReplicationSeen& channel = Channel(name);
    const bool sql = phrase[0] == "sql";
    (sql ? channel.sql_errno : channel.io_errno) = std::stoi(phrase[2]);
    (sql ? channel.sql_error : channel.io_error) = phrase[3];
    (sql ? channel.sql : channel.io) = ThreadState::kStopped;
    channel.lag.reset();
  } else {
    return false;
  }
  return true;
}

bool Script::SayOfState(const std::string& name, const Phrase& phrase) {
  DatabaseState& state = At(name).state;
  if (Starts(phrase, {"primary", "at"})) {
    state.writable = true;
    state.replication.reset();
    state.executed = Set(phrase.at(2));
  } else if (Starts(phrase, {"at"})) {
    state.executed = Set(phrase.at(1));
    if (state.replication) state.replication->received = state.executed;
  } else if (Is(phrase, {"writable"})) {
    state.writable = true;
  } else if (Is(phrase, {"read-only"})) {
    state.writable = false;
  } else if (Starts(phrase, {"writes"})) {
    world_.Write(name, Set(phrase.at(1)));
  } else if (Is(phrase, {"no", "marker"})) {
    state.heartbeat.reset();
  } else if (phrase.size() == 4 && phrase[0] == "marker" && phrase[2] == "by") {
    state.heartbeat =
        HeartbeatSeen{Epoch(std::stoull(KeyValue(phrase[1]).second)), NodeName(phrase[3]), {}};
  } else if (Is(phrase, {"acknowledges"})) {
    state.semi_sync.replica_enabled = state.semi_sync.replica_active = true;
  } else if (Is(phrase, {"does", "not", "acknowledge"})) {
    state.semi_sync.replica_active = false;
  } else if (Is(phrase, {"waits"})) {
    state.semi_sync.source_enabled = state.semi_sync.source_waiting = true;
  } else if (Is(phrase, {"does", "not", "wait"})) {
    state.semi_sync.source_waiting = false;
  } else {
    return false;
  }
  return true;
}

bool Script::SayOption(const std::string& name, const std::string& key, const std::string& value) {
  Node& node = At(name);
  DatabaseState& state = node.state;
  const std::map<std::string, bool*> flags = {
      {"log_bin", &state.log_bin},         {"gtid", &state.gtid_on},
      {"durable", &state.durable},         {"log_replica_updates", &state.log_replica_updates},
      {"provisioned", &state.provisioned}, {"can_fence", &node.can_fence},
      {"fenced", &node.process.fenced},    {"self_fencing", &node.self_fencing}};
  if (const auto flag = flags.find(key); flag != flags.end()) {
    *flag->second = YesNo(value);
  } else if (key == "io") {
    Channel(name).io = Thread(value);
    if (value != "running") Channel(name).lag.reset();
    if (value != "running") state.semi_sync.replica_active = false;
    if (value == "running") Channel(name).io_errno = 0;
  } else if (key == "sql") {
    Channel(name).sql = Thread(value);
    if (value != "running") Channel(name).lag.reset();
    if (value == "running") Channel(name).sql_errno = 0;
  } else if (key == "lag") {
    Channel(name).lag.reset();
    if (value != "unknown") Channel(name).lag = WholeSeconds(value);
  } else if (key == "id") {
    state.server_id = static_cast<ServerId>(std::stoul(value));
  } else if (key == "uuid") {
    state.server_uuid = value;
  } else if (key == "flavor") {
    state.version.flavor = OneOf(value, {Flavor::kMySql, Flavor::kMariaDb});
  } else if (key == "run") {
    state.run_id = value;
  } else if (key == "acknowledgers") {
    node.says_acknowledgers = std::stoi(value);
  } else {
    return false;
  }
  return true;
}

void Script::SayOf(const std::string& name, const Phrase& phrase) {
  if (phrase.empty()) Complain("nothing is said of " + name);
  if (SayOfProcess(name, phrase) || SayOfContact(&At(name), phrase) || SayOfChannel(name, phrase) ||
      SayOfState(name, phrase)) {
    return;
  }
  for (const std::string& word : phrase) {
    const auto [key, value] = KeyValue(word);
    if (key.empty() || !SayOption(name, key, value)) Complain("\"" + word + "\" of " + name + "?");
  }
}

// witness pandora3 sees=no independent=yes
void Script::Witness(const Phrase& words) {
  const NodeName name(words.at(0));
  auto& all = world_.witnesses;
  auto found = std::find_if(all.begin(), all.end(), [&](const auto& w) { return w.name == name; });
  if (found == all.end()) {
    all.push_back({name, {}, true});
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
  return seen;
}

// Tries the plan's steps in order. Prints what was not done.
std::string Script::Apply(std::size_t steps) {
  std::string out;
  std::vector<std::string> held_back;
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
  } else if (words[0] == "witness") {
    Witness(rest);
  } else if (words[0] == "published") {
    Published(rest);
  } else if (words[0] == "advance") {
    world_.now += Time(words.at(1));
  } else if (words[0] == "fail" || words[0] == "lie") {
    fails_ = line.substr(words[0].size() + 1);
    lies_ = words[0] == "lie";
  } else if (Is(words, {"decide"})) {
    const Observation seen = DecideOnce();
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
