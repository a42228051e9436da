#include "tests/simulation/exhaustive.h"

#include <deque>
#include <unordered_set>

namespace pandora_ha::simulation {
namespace {

constexpr int kFirstLooks = 40;  // until a new cluster is healthy, and one more of who acts
constexpr int kMostRecoveryLooks = 90;
constexpr int kRestLooks = 3;  // of a manager that acts, in a row

// Two independent halves: at a few million states a collision is out of the question.
struct Key {
  std::uint64_t a = 0, b = 0;
  bool operator==(const Key&) const = default;
};
struct KeyHash {
  std::size_t operator()(const Key& key) const { return static_cast<std::size_t>(key.a); }
};

Key KeyOf(const std::string& text) {
  Key key{0xcbf29ce484222325ull, 0x9e3779b97f4a7c15ull};
  for (const char c : text) {
    key.a = (key.a ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
    key.b = (key.b + static_cast<unsigned char>(c)) * 0xff51afd7ed558ccdull;
    key.b ^= key.b >> 29;
  }
  return key;
}

class Search {
 public:
  Search(const WorldKind& kind, const KnownBad& bad, const Bounds& bounds,
         const std::function<bool()>& over)
      : spec_(SmallSpecOf(kind)), kind_(kind), bad_(bad), bounds_(bounds), over_(over) {}

  Exploration Run() {
    SmallWorld first(spec_, kind_, bad_);
    for (int i = 0; (i < kFirstLooks || (i == kFirstLooks && !first.acted())) && !first.broken();
         ++i)
      first.Do(Turn(i), &out_.trace);
    if (first.broken() || !first.acted() || !first.rests()) {
      Fail(first.broken().value_or(Broken{0, "the cluster does not become healthy", ""}), -1, {});
      return std::move(out_);
    }
    start_ = first;
    out_.trace.clear();
    Meet(first, -1, {});
    while (!frontier_.empty() && !out_.broken) {
      if (bounds_.depth > 0 && out_.depth >= bounds_.depth) return std::move(out_);
      std::deque<Found> layer;
      layer.swap(frontier_);
      for (Found& found : layer) {
        Expand(found);
        found.world.reset();
        if (out_.broken || over_() || out_.states >= bounds_.most_states) return std::move(out_);
      }
      ++out_.depth;
    }
    out_.closed = !out_.broken;
    return std::move(out_);
  }

 private:
  struct Found {
    std::optional<SmallWorld> world;
    std::int64_t way = -1;
  };
  // How a state was come to: the state before, and the event.
  struct Way {
    std::int64_t before;
    SmallEvent event;
  };

  static SmallEvent Turn(int i) {
    return {EventKind::kLook, static_cast<std::int8_t>(i % kSmall), 0};
  }

  void Expand(const Found& from) {
    const bool may_break = from.world->faults() < bounds_.faults;
    for (const SmallEvent& event : from.world->Next()) {
      if (IsFault(event.kind) && !may_break) continue;
      const int steps = Try(from, event);
      if (out_.broken) return;
      if (event.kind != EventKind::kLook || !may_break) continue;
      for (const EventKind how : {EventKind::kLookStop, EventKind::kLookCrash, EventKind::kLookFail,
                                  EventKind::kLookLie}) {
        for (std::int8_t at = 0; at < steps; ++at) {
          Try(from, {how, event.a, at});
          if (out_.broken) return;
        }
      }
    }
  }

  // The steps of the plan, when the event was a look.
  int Try(const Found& from, const SmallEvent& event) {
    SmallWorld next = *from.world;
    next.Do(event, nullptr);
    ++out_.transitions;
    const int steps = next.steps();
    Meet(next, from.way, event);
    return steps;
  }

  void Meet(const SmallWorld& world, std::int64_t before, SmallEvent event) {
    if (world.broken()) return Fail(*world.broken(), before, event);
    if (!met_.insert(KeyOf(world.Canonical(true))).second) return;
    ++out_.states;
    ++out_.by_faults[world.faults()];
    ways_.push_back({before, event});
    const auto way = static_cast<std::int64_t>(ways_.size()) - 1;
    CheckRest(world, way);
    frontier_.push_back({world, way});
  }

  // Every fault is over and both managers look in turn. What comes to rest, or was on the way there
  // before, is fine.
  void CheckRest(const SmallWorld& world, std::int64_t way) {
    SmallWorld next = world;
    std::vector<Key> walked;
    std::vector<SmallEvent> events = next.Recoveries();
    for (const SmallEvent& event : events) next.Do(event, nullptr);
    int quiet = 0;
    for (int i = 0; i < kMostRecoveryLooks && quiet < kRestLooks && !next.broken(); ++i) {
      // A plan that was gone on with may have left something to do: the key tells whose turn it is.
      const Key key = KeyOf(next.Canonical(false) + (i % kSmall == 0 ? "a" : "b"));
      if (restful_.contains(key)) {
        restful_.insert(walked.begin(), walked.end());
        return;
      }
      if (quiet == 0) walked.push_back(key);
      events.push_back(Turn(i));
      next.Do(events.back(), nullptr);
      if (next.acted()) quiet = next.rests() ? quiet + 1 : 0;
    }
    if (next.broken()) return Fail(*next.broken(), way, {}, events);
    if (quiet < kRestLooks)
      return Fail(Broken{0, "no rest after the faults: " + next.state(), ""}, way, {}, events);
    ++out_.rests[next.state()];
    restful_.insert(walked.begin(), walked.end());
  }

  void Fail(const Broken& broken, std::int64_t before, std::optional<SmallEvent> event,
            const std::vector<SmallEvent>& after = {}) {
    out_.broken = broken;
    if (!start_) return;
    std::vector<SmallEvent> events(after.rbegin(), after.rend());
    if (after.empty() && event) events.push_back(*event);
    for (std::int64_t at = before; at > 0; at = ways_[static_cast<std::size_t>(at)].before)
      events.push_back(ways_[static_cast<std::size_t>(at)].event);
    SmallWorld again = *start_;
    for (auto next = events.rbegin(); next != events.rend(); ++next) again.Do(*next, &out_.trace);
  }

  const ClusterSpec spec_;
  const WorldKind kind_;
  const KnownBad bad_;
  const Bounds bounds_;
  const std::function<bool()>& over_;
  std::optional<SmallWorld> start_;
  std::unordered_set<Key, KeyHash> met_, restful_;
  std::vector<Way> ways_;
  std::deque<Found> frontier_;
  Exploration out_;
};

}  // namespace

Exploration Explore(const WorldKind& kind, const KnownBad& bad, const Bounds& bounds,
                    const std::function<bool()>& over) {
  return Search(kind, bad, bounds, over).Run();
}

}  // namespace pandora_ha::simulation
