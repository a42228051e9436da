// Two servers, two managers and a handful of faults as one value: copied, compared, and changed by
// one event at a time, so that every order of events can be tried (exhaustive.h).
//
// The servers are those of world.h without chance: links carry at once, appliers keep up, a restart
// always drops what was not applied. Time goes on by a second with each look of a manager and at no
// other place; a manager that is not scheduled is a slow or frozen one. Who acts is settled by the
// real Lead from the locks of the servers, and the other manager stands by.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "reconciler/decide/decide.h"
#include "reconciler/decide/leadership.h"
#include "tests/simulation/manager.h"
#include "tests/simulation/simulation.h"

namespace pandora_ha::simulation {

inline constexpr int kSmall = 2;  // servers, and managers

enum class EventKind {
  kLook,    // a manager looks, decides, and carries out its plan
  kGoOn,    // a stopped one carries out the rest of its plan
  kKill,    // a server's process
  kFreeze,  // … and kThaw
  kThaw,
  kCut,  // manager `a` ↔ server `b`, and kHeal
  kHeal,
  kCutNodes,  // server ↔ server, and kHealNodes
  kHealNodes,
  kCrash,  // of a manager; it starts again with what it stored
  kAsk,    // a person asks for a switchover to server `a`
  // As kLook, and at step `b` of the plan:
  kLookStop,   // the manager is frozen before it
  kLookCrash,  // the manager crashes before it
  kLookFail,   // the step fails
  kLookLie,    // the step is done and reported failed
};

struct SmallEvent {
  EventKind kind = EventKind::kLook;
  std::int8_t a = 0, b = 0;
};
std::string ManagerName(int manager);
std::string Describe(const SmallEvent& event);
bool IsFault(EventKind kind);

// The document of the world `kind`, with waits short enough that a few seconds pass them all.
ClusterSpec SmallSpecOf(const WorldKind& kind);

class SmallWorld {
 public:
  SmallWorld(const ClusterSpec& spec, const WorldKind& kind, const KnownBad& bad);

  // Does one event. `trace` gets what happened, when it is not null.
  void Do(const SmallEvent& event, std::vector<std::string>* trace);
  // What may happen next, faults included.
  std::vector<SmallEvent> Next() const;
  // What brings the world back to order, in order; empty: nothing is broken.
  std::vector<SmallEvent> Recoveries() const;

  const std::optional<Broken>& broken() const { return broken_; }
  int faults() const { return faults_; }
  // Of the last kLook: how many steps its plan had, and whether it found nothing to do or to wait
  // for but a person.
  int steps() const { return steps_; }
  bool rests() const { return rests_; }
  // The manager of the last kLook acted, and did not only stand by.
  bool acted() const { return acted_; }
  const std::string& state() const { return state_; }
  // Equal texts: nothing that can follow tells the two apart. Times count from now, and beyond a
  // dozen seconds they are alike.
  std::string Canonical(bool with_faults) const;

 private:
  struct Mind {
    Manager self;
    FreeSince free_since;
    bool acts = false;
    TimePoint acts_since{}, looked_at{};
    std::string holder;
    Plan rest;  // of a plan in which it was stopped
    std::set<NodeName> held_back;
  };
  enum class How { kWhole, kStop, kCrash, kFail, kLie };

  Mind& mind(int manager) { return minds_[static_cast<std::size_t>(manager)]; }
  Server& server(int node) { return world_.servers()[static_cast<std::size_t>(node)]; }
  void Break(int invariant, std::string says);
  void Say(const std::string& line);
  void LetTimePass();
  Observation LookOnce(int manager);
  void Abandon(int node, int as);
  bool Take(int manager, const Leadership& wanted);
  void FollowPublication(const Observation& seen);
  void Look(int manager, How how, int at);
  void Apply(int manager, Plan plan, How how, int at);
  bool Try(int manager, const Step& step);
  bool MayOrder(int manager, const Action& action) const;
  void Crash(int manager);
  void CheckOpened(int manager, const OpenWritable& open);
  void CheckWriters();
  void Share(int manager, const GuardsCopy& copy);
  void JudgeRest(const Decision& decision);
  bool Reaches(int manager, int node) const;

  const ClusterSpec* spec_;
  World world_;
  std::array<Mind, kSmall> minds_;
  // Who has the lock of a server: a manager, kLost + a manager that has lost the session, or
  // nobody.
  static constexpr int kNobody = -1, kLost = 10, kGhost = 20;
  std::array<int, kSmall> lock_{kNobody, kNobody};
  std::array<int, kSmall> lock_run_{};               // Server::starts when it was taken
  std::array<TimePoint, kSmall> lock_idle_since_{};  // of a lost one
  std::array<int, kSmall> claim_{kNobody, kNobody};
  bool cut_[kSmall][kSmall] = {};
  bool nodes_cut_ = false;
  int faults_ = 0, writes_ = 0, last_actor_ = 0, asked_ = 0;
  std::map<std::uint64_t, int> opened_;  // epoch → server
  std::set<std::uint64_t> loss_said_;
  std::optional<Broken> broken_;
  int steps_ = 0;
  bool rests_ = false, acted_ = false;
  std::string state_;
  std::vector<std::string>* trace_ = nullptr;
};

}  // namespace pandora_ha::simulation
