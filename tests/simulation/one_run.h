// One run of a schedule: managers, their world, and what must never happen. Of this folder.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/simulation/manager.h"
#include "tests/simulation/simulation.h"

namespace pandora_ha::simulation {

bool Says(const Decision& decision, FindingCode code);

// simulation.cc: time, managers, ticks and steps; the sections below have files of their own where
// these say so.
class Simulation {
 public:
  static constexpr int kQuietTicks = 6;  // so many without a change are rest

  Simulation(const Schedule& schedule, const KnownBad& bad, bool trace);
  Outcome Run();

 private:
  enum class Stage { kWaiting, kActive, kOver };
  struct Running {
    Fault fault;
    Stage stage;
    TimePoint ends;
    TimePoint healthy_at;
  };

  bool over() const { return outcome_.broken.has_value(); }

  void Trace(const std::string& line);
  void Break(int invariant, std::string says);

  // ---- Time ----
  void Pass(Duration duration);
  void TickNext(std::optional<TimePoint> until);

  // ---- Managers and their lease ----
  void Revive(Manager& m);
  // At most one holds it; it changes hands when the holder has been away for a while.
  bool HoldsLease(const Manager& m);
  // A place where a manager may stop. False: it crashed.
  bool Hook(Manager& m);
  void Crash(Manager& m);

  // ---- One tick ----
  void Tick(Manager& m);
  static void KeepRights(const Memory& before, Memory* after);
  Decision DecideChecked(const Manager& m, const Observation& seen);
  // Only a person's date, the end of a pause, is counted by the wall clock. Without one, the same
  // is decided a year later.
  void CheckWallClock(const Manager& m, const Observation& seen, const Decision& decision);
  void CountIntents(Manager& m, const Observation& seen, const Decision& decision);
  void CountHealth(const Decision& decision);
  // Ends that need a person or a re-clone, and are said.
  bool WaitsForPeople(const Decision& decision) const;
  // A person or a plan is told of this node.
  static bool Names(const Decision& decision, const NodeName& node);
  // Two writers that both answer are a finding in the same look, or the second one is named.
  void CheckSaid(const Observation& seen, const Decision& decision);
  void TracePlan(const Manager& m, const Decision& decision);
  void Beat(Manager& m);
  // The beater, which works beside the loop and may be slow or fail.
  void Share(const Manager& m, const GuardsCopy& copy);

  // ---- What was promised to who asked for a guard (simulation_guards.cc) ----
  // A guard that was said to be done, and that the nodes `held_by` showed.
  struct Confirmed {
    Wish wish;
    std::vector<int> held_by;
    int manager = 0;
  };

  // It was told itself, or one of the nodes that had the guard answers it.
  static bool CouldKnow(const Manager& m, const Observation& seen, const Confirmed& guard);
  static bool TakesAway(const Wish& later, const Wish& guard);
  // A guard that nobody has taken away and that has no date of its own, which a clock may bring on.
  static bool Lasts(const Manager& m, const IntentRecord& record);
  // One that a later wish takes away is in force no more as soon as anybody has taken that up.
  void Confirm(const Manager& m, const Observation& seen, const Decision& decision);
  void Lift(const IntentRecord& by);
  // Invariant 9: no manager does what a confirmed guard forbids.
  void CheckGuards(const Step& step);

  // ---- The executor ----
  void Apply(Manager& m, const Decision& decision);
  bool Try(Manager& m, const Step& step, const Decision& decision);
  void WaitApplied(const Manager& m, const ApplyReceived& apply, const Step& step);

  // ---- What must never happen, asked of the world (simulation_checks.cc) ----
  // Recorded as primary while it is out of sight, the target is opened later, on the same grounds.
  void RememberWaived(const std::optional<Promotion>& promotion, const Memory& decided);
  // Invariants 2, 4, 9 at the moment a node is opened.
  void CheckOpened(const Manager& m, const OpenWritable& open);
  // Invariants 1 and 3: two nodes that were opened and still accept writes.
  void CheckWriters();

  // ---- Faults (simulation_faults.cc) ----
  bool Active(FaultKind kind, int node = -1) const;
  void RunFaults();
  bool Due(Running& r, bool earlier_open);
  void CutBoth(int a, int b, int by);
  void Inject(const Fault& f, int by);
  // Nothing that was promised may be lost by it.
  static bool IsHarmless(FaultKind kind);
  void Ask(const Fault& f, bool begins);
  void Ask(const Wish& wish);
  // Whoever acts is asked, again and again, until it says what became of it.
  void AskForGuards(Manager& m);
  void StopManager(const Fault& f, bool begins);
  void HealEverything();
  void JudgeTheEnd();

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

}  // namespace pandora_ha::simulation
