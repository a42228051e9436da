// What a scenario says of one node: "node2: silent; sends nothing".
#include "tests/scenarios/script.h"
#include "tests/scenarios/words.h"

namespace pandora_ha::scenarios {

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
  } else if (Starts(phrase, {"copying"})) {  // copying 100 of 400: MiB
    node.process.copy->bytes = std::stoll(phrase.at(1)) << 20;
    node.process.copy->expected = std::stoll(phrase.at(3)) << 20;
  } else if (Starts(phrase, {"copy", "failed"})) {
    node.process.starting = false;
    node.process.restart_inhibited = true;
    node.process.copy->phase = CopySeen::Phase::kFailed;
    node.process.copy->why = node.process.how_ended = phrase.at(2);
  } else if (Starts(phrase, {"copied", "from"})) {
    world_.FinishCopy(name, phrase.at(2));
  } else if (Starts(phrase, {"archive", "failed"})) {
    node.process.archive->phase = ArchiveSeen::Phase::kFailed;
    node.process.archive->why = phrase.at(2);
  } else if (Starts(phrase, {"archived", "for", "another", "manager"})) {
    node.process.archive->id = "of-another-manager";
  } else if (Starts(phrase, {"archived"})) {  // archived 3 events in 2 transactions and 1 marks
    ArchiveSeen& archive = *node.process.archive;
    archive.phase = ArchiveSeen::Phase::kDone;
    archive.place = "/srv/" + name + "/archive/1";
    archive.divergence.marks = std::stoull(phrase.at(7));
    archive.divergence.transactions = std::stoull(phrase.at(4)) + archive.divergence.marks;
    if (const std::uint64_t events = std::stoull(phrase.at(1)); events > 0)
      archive.divergence.tables["pandora.tevento"].inserted = events;
  } else if (Starts(phrase, {"rewinding"})) {  // rewinding 3 of 12
    node.process.rewind->done = std::stoll(phrase.at(1));
    node.process.rewind->all = std::stoll(phrase.at(3));
  } else if (Starts(phrase, {"rewind", "failed"}) || Starts(phrase, {"rewind", "refused"})) {
    node.process.rewind->phase = JobSeen::Phase::kFailed;
    node.process.rewind->never = phrase.at(1) == "refused";
    node.process.rewind->why = phrase.at(2);
  } else if (Starts(phrase, {"rewound"})) {
    node.process.rewind->phase = JobSeen::Phase::kDone;
  } else if (Starts(phrase, {"comparing"})) {  // comparing 3 of 12
    node.process.verification->done = std::stoll(phrase.at(1));
    node.process.verification->all = std::stoll(phrase.at(3));
  } else if (Starts(phrase, {"comparison", "failed"})) {
    node.process.verification->phase = JobSeen::Phase::kFailed;
    node.process.verification->why = phrase.at(2);
  } else if (Starts(phrase, {"compared"})) {  // compared; compared "tevento: 1 row only on node1"
    node.process.verification->phase = JobSeen::Phase::kDone;
    if (phrase.size() > 1) node.process.verification->differs = phrase.at(1);
  } else if (Starts(phrase, {"merging"})) {  // merging 3 of 12
    node.process.merge->done = std::stoll(phrase.at(1));
    node.process.merge->all = std::stoll(phrase.at(3));
  } else if (Starts(phrase, {"merge", "failed"}) || Starts(phrase, {"merge", "waits"})) {
    node.process.merge->phase = MergeSeen::Phase::kFailed;
    node.process.merge->not_now = phrase.at(1) == "waits";
    node.process.merge->why = phrase.at(2);
  } else if (Starts(phrase, {"merged"})) {  // merged 3 rows and left 2
    MergeSeen& merge = *node.process.merge;
    merge.phase = MergeSeen::Phase::kDone;
    merge.rows.merged = std::stoull(phrase.at(1));
    merge.rows.rejected = std::stoull(phrase.at(5));
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
  if (Starts(phrase, {"its", "writes", "stand", "for"})) {
    node->writes_stand = Time(phrase.at(4));
    return true;
  }
  if (Is(phrase, {"its", "writes", "go", "on"})) {
    node->writes_stand.reset();
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
  } else if (Starts(phrase, {"busy"})) {
    At(name).busy = phrase.at(1);
  } else if (Is(phrase, {"calm"})) {
    At(name).busy.clear();
  } else if (Is(phrase, {"no", "marker"})) {
    state.heartbeat.reset();
  } else if (phrase.size() == 4 && phrase[0] == "marker" && phrase[2] == "by") {
    state.heartbeat =
        HeartbeatSeen{Epoch(std::stoull(KeyValue(phrase[1]).second)), NodeName(phrase[3]), {}};
  } else if (phrase.size() == 4 && phrase[0] == "guards" && phrase[1] == "unread") {
    state.guards.reset();
    state.unread_guards = UnreadGuards{
        {Epoch(std::stoull(KeyValue(phrase[2]).second)), std::stoull(KeyValue(phrase[3]).second)},
        "the document has format 2"};
  } else if (phrase.size() == 6 && phrase[0] == "guards" && phrase[1] == "paused") {
    GuardsCopy copy{
        {Epoch(std::stoull(KeyValue(phrase[4]).second)), std::stoull(KeyValue(phrase[5]).second)},
        "another",
        {}};
    copy.guards.paused = Guard{phrase[3], "", world_.wall(), std::nullopt};
    state.guards = copy;
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
  } else if (key == "lock") {
    using Holder = ManagerLockSeen::Holder;
    const bool other = value != "ours" && value != "nobody" && value != "lost";
    state.manager_lock.who = other ? value : "";
    state.manager_lock.holder = other               ? Holder::kOther
                                : value == "ours"   ? Holder::kOurs
                                : value == "nobody" ? Holder::kNobody
                                                    : Holder::kOursBefore;
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

}  // namespace pandora_ha::scenarios
