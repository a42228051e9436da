// A small world as text, for telling whether it was here before. Whatever Decide or the servers
// read must stand here; what is left out is what only tells two runs of one history apart (numbers
// of looks, starts and arrivals stand as "as remembered" or "another").
#include <algorithm>
#include <utility>

#include "tests/simulation/small_world.h"

namespace pandora_ha::simulation {
namespace {

// Longer than every wait of SmallSpecOf, of world.h and of the brain, but for the back-off of
// starts, which lies ahead.
constexpr Duration kLongAgo = Seconds(12);

// Longer than a lease of SmallSpecOf and than a standstill that is noticed.
constexpr Duration kTermAgo = Seconds(5);

class Text {
 public:
  explicit Text(TimePoint now) : now_(now) {}

  Text& operator<<(const std::string& text) {
    out_ += text;
    out_ += ' ';
    return *this;
  }
  Text& operator<<(const char* text) { return *this << std::string(text); }
  template <class T>
    requires std::is_integral_v<T> || std::is_enum_v<T>
  Text& operator<<(T number) {
    return *this << std::to_string(static_cast<std::int64_t>(number));
  }
  Text& operator<<(TimePoint at) {
    return *this << std::max<std::int64_t>((at - now_).count(), -kLongAgo.count()) / 1000;
  }
  Text& operator<<(const NodeName& name) { return *this << name.text; }
  Text& operator<<(Epoch epoch) { return *this << epoch.number; }
  Text& operator<<(const GtidSet& set) { return *this << set.ToString(); }
  Text& operator<<(const GuardsCopy& copy) {
    return *this << copy.version.epoch << copy.version.change << copy.writer << copy.guards;
  }
  // Nobody pauses or fences here.
  Text& operator<<(const Guards& guards) {
    return *this << guards.failed_over_at << (guards.chosen ? guards.chosen->by : "-");
  }
  // The clocks of the managers agree with that of the world.
  Text& operator<<(WallTime at) { return *this << TimePoint(at.time_since_epoch()); }
  Text& operator<<(const Milestone& milestone) {
    return *this << milestone.executed << milestone.at;
  }
  Text& operator<<(const HeartbeatSeen& marker) { return *this << marker.epoch << marker.writer; }
  template <class T>
  Text& operator<<(const std::optional<T>& value) {
    return value ? *this << *value : *this << "-";
  }
  std::string Take() { return std::move(out_); }

 private:
  TimePoint now_;
  std::string out_;
};

void AddServer(const Server& s, Text* out) {
  *out << s.phase << s.frozen << s.inhibited << s.fenced << s.owner_lies << s.ended_at
       << s.restarts_at << std::min(s.starts, 1) << s.told_at << s.witnessed_at << s.writable
       << s.waived << s.opened_in << s.committed << s.acked << s.source_enabled << s.waits
       << s.replica_enabled << s.replica_active << s.heartbeat << s.guards << s.provisioned
       << s.denied;
  *out << "log";
  for (const int id : s.binlog) *out << id;
  *out << "relay";
  for (const int id : s.relay) *out << id;
  if (!s.channel) return;
  *out << "channel" << s.channel->source << s.channel->io << s.channel->sql << s.channel->io_errno
       << s.channel->cursor << s.channel->last_arrival;
}

void AddPromotion(const Promotion& p, Text* out) {
  *out << "promotion" << p.epoch << p.from << p.to << p.began << p.lossless << p.fence_waived
       << p.intent << p.wanted << p.planned << p.loss_allowed;
}

void AddNode(const NodeMemory& n, const Server& s, std::uint64_t attempts, int enough, Text* out) {
  const std::string token = s.channel ? std::to_string(s.channel->arrivals) : "";
  *out << std::min(n.failed_looks, enough) << (n.attempts_counted == attempts) << n.unanswered_since
       << n.unwitnessed_since << (n.arrival_token == token) << n.arrival_changed << n.received
       << (n.run_id.empty()                       ? 0
           : n.run_id == std::to_string(s.starts) ? 1
                                                  : 2)
       << n.lossless << n.not_acknowledging_since << n.history << n.executed << n.executed_at
       << n.errant << n.deposed << n.discard << std::min(n.starts, 6) << n.start_not_before
       << n.receive_not_before << n.may_acknowledge;
  if (n.archive) {
    *out << "archive" << n.archive->own << n.archive->done << n.archive->not_before
         << n.archive->divergence.OnlyMarks() << (s.archive && s.archive->id == n.archive->id);
  }
  if (n.rewind) {
    *out << "rewind" << n.rewind->failures << n.rewind->refused << n.rewind->not_before
         << (s.rewind && s.rewind->id == n.rewind->id ? static_cast<int>(s.rewind->phase) : -1);
  }
}

void AddMemory(TimePoint now, const Memory& m, const std::vector<Server>& servers,
               const Manager& self, int enough, Text* out) {
  *out << m.epoch << m.primary << m.durability_in_force << m.primary_executed << m.primary_lost
       << m.primary_waited << m.failed_over_at << m.clients_cut_from << m.guards
       << m.guards_seen.epoch << m.guards_seen.change << m.guards_unwritten
       << (m.decided_at ? std::max(*m.decided_at, now - kTermAgo) : now - kTermAgo);
  if (m.promotion) AddPromotion(*m.promotion, out);
  if (m.loss)
    *out << "loss" << m.loss->from << m.loss->epoch << m.loss->count << m.loss->exact
         << m.loss->holder;
  for (const IntentRecord& r : m.intents)
    *out << "intent" << r.intent.id << r.state << r.give_up_at << r.not_before << r.attempts
         << r.milestone;
  for (std::size_t i = 0; i < servers.size(); ++i)
    AddNode(MemoryOf(m, servers[i].name), servers[i], self.attempts[i], enough, out);
}

}  // namespace

std::string SmallWorld::Canonical(bool with_faults) const {
  World& world = const_cast<World&>(world_);  // reads only
  const std::vector<Server>& servers = world.servers();
  const int enough = spec_->database.detection.connect_retries + 1;
  const TimePoint now = world_.now();
  Text out(now);
  if (with_faults) out << faults_;
  for (const Server& s : servers) AddServer(s, &out);
  for (const Transaction& t : world_.transactions)
    out << t.gtid << t.marker << t.guards << t.provisions << t.by_client << t.acknowledged
        << t.superseded << t.promised;
  out << "publication" << world_.publication.primary << world_.publication.epoch << world_.newest
      << nodes_cut_ << last_actor_ << asked_ << faults_ - writes_;
  for (std::size_t i = 0; i < kSmall; ++i) {
    out << "node" << lock_[i]
        << (lock_[i] < kLost ? std::nullopt : std::optional(lock_idle_since_[i])) << claim_[i]
        << cut_[0][i] << cut_[1][i];
    const Mind& m = minds_[i];
    out << "mind" << m.acts << std::max(m.acts_since, now - kTermAgo)
        << std::max(m.looked_at, now - kTermAgo) << (m.acts_since == m.self.memory.acts_since)
        << (m.acts_since == m.self.stored.acts_since) << m.self.inbox.size();
    for (const auto& since : m.self.unanswered_since) out << since;
    for (const auto& [name, since] : m.free_since) out << name << since;
    AddMemory(now, m.self.memory, servers, m.self, enough, &out);
    out << "stored";
    if (m.self.stored == m.self.memory) {
      out << "same";
    } else {
      AddMemory(now, m.self.stored, servers, m.self, enough, &out);
    }
    out << "rest" << m.rest.ordered;
    for (const Step& step : m.rest.steps) {
      out << pandora_ha::Describe(step.action);
      for (const Condition& c : step.requires_) out << pandora_ha::Describe(c);
    }
    for (const NodeName& name : m.held_back) out << name;
  }
  for (const auto& [epoch, node] : opened_) out << epoch << node;
  for (const std::uint64_t epoch : loss_said_) out << epoch;
  return out.Take();
}

}  // namespace pandora_ha::simulation
