// The points of a failover and of a switchover at which a manager is struck: before, in the middle
// of, and after each action that a run without a blow performs. The manager runs in a process of
// its own, on real servers under a writer. Afterwards, with the manager that has taken over, the
// cluster is Healthy, no acknowledged row is missing, and never did two servers accept writes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/crash/crash_hook.h"
#include "tests/integration/on_servers.h"
#include "tests/support/two_writers.h"

namespace pandora_ha {

enum class Change { kFailover, kSwitchover };

struct Point {
  int number = -1;  // of the action, from 0; -1: no blow, the run that tells the points
  crash::Where where = crash::Where::kBefore;
  std::string what;       // is done there
  int kind = 0;           // the action's place in the variant Action
  std::int64_t took = 0;  // microseconds, in the run without a blow
};

bool Diverged(const Snapshot& s);

class StruckManager : public OnServers {
 protected:
  void SetUp() override;
  void TearDown() override;

  // What the trial's clusters declare beyond a small detection budget.
  virtual void Declare(ClusterSpec&) {}
  virtual crash::Blow blow() const { return crash::Blow::kKill; }
  // Where the struck manager keeps its memory, and who is there for a whole cluster at first.
  virtual std::string State() const { return "/state"; }
  // The manager that is struck, in a process of its own and with a whole cluster.
  virtual bool StartStruckOne(Change change, const NodeName& to);
  // From now on it changes the primary, from `from` to another node.
  virtual void BeginChange(Change change, const NodeName& from, const NodeName& to);
  // Whether it was struck there.
  virtual bool AwaitBlow(const Point& point);
  // What a run without a blow did.
  virtual std::vector<Point> Performed() const;
  // Who is to take over stands ready beside the manager's process.
  virtual bool MakeReady() { return true; }
  // The manager's process has been struck: a manager of this process is to act. `point.number` < 0:
  // it has not been struck and must be ended.
  virtual void TakeOver(const Point& point) = 0;
  // The cluster is whole again.
  virtual void JudgeStruckOne(const Point&) {}

  // Strikes at `points`, in their order (PANDORA_HA_POINTS=3-5 in the environment: at these of
  // them); prints each and fails when one was not reached.
  void Strike(Change change, const std::vector<Point>& points);
  // The points of two runs without a blow, as far as both did the same.
  std::vector<Point> PointsOf(Change change);

  crash::Control* control_ = nullptr;
  std::unique_ptr<TestCluster> cluster_;

 private:
  bool MakeWhole();
  void Manage(Change change, const NodeName& to);
  // Whether the point was reached. Fails the test when something is wrong afterwards.
  bool RunOne(Change change, const Point& point);
  static int Failures();  // of this test until now
  static std::vector<Point> Chosen(const std::vector<Point>& points);
  void LetItEnd(const NodeName& to);
  void Judge(const Point& point, ClientWriter& writer, TwoWritersWatch& watch);
  void PrintSum(const std::vector<Point>& points, std::size_t run) const;

  std::vector<Point> performed_;
  int rebuilt_ = -1, aimed_too_late_ = 0;
  Duration slowest_{};
};

}  // namespace pandora_ha
