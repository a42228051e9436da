// The manager's process is killed before, in the middle of and after each action of a failover and
// of a switchover, on real servers under a writer, and started again: the cluster becomes Healthy,
// no acknowledged row is missing, and never do two servers accept writes.
//
// The points are those that a run without a crash performs; a crash point that was not reached
// fails the test.
#include <sys/mman.h>

#include <algorithm>
#include <set>

#include "tests/crash/crash_hook.h"
#include "tests/integration/on_servers.h"
#include "tests/support/two_writers.h"

namespace pandora_ha {
namespace {

using crash::Control;
using crash::Where;

// The names of the alternatives of Action, in their order.
template <std::size_t... I>
std::vector<std::string> NamesOf(std::index_sequence<I...>) {
  std::vector<std::string> names = {Describe(Action(std::variant_alternative_t<I, Action>{}))...};
  for (std::string& name : names) {
    for (auto gap = name.find("  "); gap != std::string::npos; gap = name.find("  "))
      name.erase(gap, 1);
    while (!name.empty() && name.back() == ' ') name.pop_back();
  }
  return names;
}
std::vector<std::string> ActionNames() {
  return NamesOf(std::make_index_sequence<std::variant_size_v<Action>>());
}

const char* NameOf(Where where) {
  switch (where) {
    case Where::kBefore:
      return "before";
    case Where::kInside:
      return "inside";
    case Where::kAfter:
      return "after";
  }
  return "";
}

enum class Change { kFailover, kSwitchover };

struct Point {
  int number = -1;  // of the action; -1: no crash, the run that tells the points
  Where where = Where::kBefore;
  int kind = 0;
  std::int64_t took = 0;  // microseconds, in the run without a crash
};

bool Diverged(const Snapshot& s) {
  return HasFinding(s, FindingCode::kNodeDiverged, kNode1) ||
         HasFinding(s, FindingCode::kNodeDiverged, kNode2);
}

bool IsWhole(const Snapshot& s) {
  return s.status.state == ClusterState::kHealthy &&
         s.status.durability_in_force == DurabilityMode::kSemiSync &&
         std::all_of(s.status.nodes.begin(), s.status.nodes.end(), [&](const NodeStatus& node) {
           return node.name == s.status.primary || node.lossless;
         });
}

class CrashPoints : public OnServers {
 protected:
  void SetUp() override {
    OnServers::SetUp();
    void* memory =
        mmap(nullptr, sizeof(Control), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    crash::control = control_ = new (memory) Control;
  }
  void TearDown() override {
    crash::control = nullptr;
    if (control_ != nullptr) munmap(control_, sizeof(Control));
  }

  void RunAll(Change change);

 private:
  std::vector<Point> Points();
  bool MakeWhole();
  void Manage(Change change, const NodeName& to);
  // True when the manager died at the point. Fails the test when something is wrong afterwards.
  bool RunOne(Change change, const Point& point);
  void Judge(ClientWriter& writer, TwoWritersWatch& watch);

  Control* control_ = nullptr;
  std::unique_ptr<TestCluster> cluster_;
  int rebuilt_ = -1;
  Duration slowest_{};
};
ON_SERVERS(CrashPoints, "MariaDB", "MySQL");

// With a manager in this process; it is stopped again, so that there is one thread.
bool CrashPoints::MakeWhole() {
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (!cluster_) {
      ++rebuilt_;
      cluster_ = std::make_unique<TestCluster>(*flavor_, 2, [](ClusterSpec& spec) {
        spec.database.detection.timeout = Milliseconds(400);
        spec.database.detection.connect_retries = 1;
      });
    }
    cluster_->StartManager();
    const bool settled = cluster_->WaitFor(
        "whole or diverged", [](const Snapshot& s) { return IsWhole(s) || Diverged(s); },
        Seconds(60));
    const bool whole = settled && IsWhole(*cluster_->Last());
    cluster_->StopManager();
    if (whole) return true;
    cluster_.reset();
  }
  return false;
}

// In the manager's process.
void CrashPoints::Manage(Change change, const NodeName& to) {
  const auto whole = [&] {
    const auto last = cluster_->Last();
    return last && IsWhole(*last);
  };
  while (!whole()) usleep(1000);
  control_->ready = 1;
  while (control_->go == 0) usleep(200);
  if (change == Change::kSwitchover) cluster_->HandIn(Switchover{to});
  while (true) pause();
}

void CrashPoints::Judge(ClientWriter& writer, TwoWritersWatch& watch) {
  control_->armed = 0;  // the manager of this process must not meet the point
  const TimePoint restarted = SystemClock().Now().mono;
  cluster_->StartManager();
  if (!cluster_->WaitFor(
          "Healthy, or the old primary waits for a person with its own rows",
          [&](const Snapshot& s) {
            return s.times.began > restarted && (IsWhole(s) || Diverged(s));
          },
          Seconds(60))) {
    FAIL() << "the cluster stays as it is";
  }
  slowest_ = std::max<Duration>(slowest_, SystemClock().Now().mono - restarted);
  const std::uint64_t rows = writer.Count().acknowledged;
  WaitUntil("rows after the crash", [&] { return writer.Count().acknowledged > rows + 10; });
  watch.Stop();
  EXPECT_EQ(watch.seen(), 0u) << "two servers accepted writes";
  const auto lost = cluster_->CountLost(writer);
  ASSERT_TRUE(lost.ok()) << lost.error().message;
  EXPECT_EQ(*lost, 0u) << "of " << writer.ids().size();
  const bool diverged = Diverged(*cluster_->Last());
  // Else the next failover, which has no proof of a death, would be too soon.
  cluster_->WaitForEnd(cluster_->HandIn(Acknowledge{}));
  cluster_->StopManager();
  if (diverged) cluster_.reset();
}

bool CrashPoints::RunOne(Change change, const Point& point) {
  if (!cluster_ && !MakeWhole()) return false;
  new (control_) Control;
  control_->crash_at = point.number;
  control_->where = point.where;
  control_->inside_after = point.took / 2;
  const NodeName from = cluster_->Primary();
  const NodeName to = from == kNode1 ? kNode2 : kNode1;
  cluster_->StartManagerProcess([&] { Manage(change, to); });
  if (!WaitUntil(
          "a whole cluster in the manager's process", [&] { return control_->ready == 1; },
          Seconds(60))) {
    return false;
  }
  const auto writer = cluster_->NewClient(true, Milliseconds(3));
  TwoWritersWatch watch(*cluster_);
  if (!WaitUntil("rows", [&] { return writer->Count().acknowledged > 20; })) return false;
  control_->armed = 1;
  if (change == Change::kFailover) cluster_->Signal(from, SIGSTOP);
  control_->go = 1;
  bool reached = false;
  if (point.number < 0) {
    // Long enough for the old primary to follow and to acknowledge again.
    WaitUntil("another writer",
              [&] { return cluster_->Value(to, "SELECT @@global.read_only") == "0"; });
    usleep(6'000'000);
    cluster_->KillManagerProcess();
    reached = true;
  } else {
    reached = cluster_->WaitForManagerProcessEnd(Seconds(20));
    cluster_->KillManagerProcess();
    reached = reached && (point.where != Where::kInside || control_->ended == point.number);
  }
  Judge(*writer, watch);
  return reached;
}

std::vector<Point> CrashPoints::Points() {
  std::vector<Point> points;
  const int performed = std::min<int>(control_->ended, crash::kMostActions);
  for (int number = 0; number < performed; ++number) {
    const auto slot = static_cast<std::size_t>(number);
    for (const Where where : {Where::kBefore, Where::kInside, Where::kAfter})
      points.push_back({number, where, control_->kind[slot], control_->took[slot]});
  }
  return points;
}

void CrashPoints::RunAll(Change change) {
  const std::vector<std::string> names = ActionNames();
  ASSERT_TRUE(MakeWhole());
  ASSERT_TRUE(RunOne(change, {}));
  std::vector<Point> points = Points();
  ASSERT_TRUE(RunOne(change, {}));
  // Upkeep afterwards may take another step or none: what both runs did is what every run does.
  const std::vector<Point> second = Points();
  const auto same = [](const Point& a, const Point& b) { return a.kind == b.kind; };
  points.erase(
      std::mismatch(points.begin(), points.end(), second.begin(), second.end(), same).first,
      points.end());
  std::set<int> kinds;
  for (const Point& point : points) kinds.insert(point.kind);
  std::size_t run = 0;
  int missed_inside = 0;
  for (Point point : points) {
    const std::string what = std::string(NameOf(point.where)) + " action " +
                             std::to_string(point.number) + ", " +
                             names[static_cast<std::size_t>(point.kind)];
    SCOPED_TRACE(what);
    bool reached = RunOne(change, point);
    // The action was over sooner than before.
    for (int again = 0; again < 3 && !reached && !HasFailure(); ++again) {
      ++missed_inside;
      point.took /= 4;
      reached = RunOne(change, point);
    }
    if (reached) ++run;
    std::printf("  %s %s%s\n", reached ? "ok" : "NOT REACHED", what.c_str(),
                HasFailure() ? " FAILED" : "");
    std::fflush(stdout);
    if (HasFatalFailure()) return;
  }
  std::string untouched;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!kinds.contains(static_cast<int>(i)))
      untouched += (untouched.empty() ? "" : "; ") + names[i];
  }
  std::printf(
      "%s: %zu points, %zu run; %zu of %zu kinds of action (not in this plan: %s); "
      "slowest way back %s; %d clusters made anew; %d aimed too late\n",
      GetParam(), points.size(), run, kinds.size(), names.size(), untouched.c_str(),
      FormatDuration(slowest_).c_str(), rebuilt_, missed_inside);
  EXPECT_GE(points.size(), 15u);
  EXPECT_EQ(run, points.size());
}

TEST_P(CrashPoints, OfAFailover) {
  RunAll(Change::kFailover);
}
TEST_P(CrashPoints, OfASwitchover) {
  RunAll(Change::kSwitchover);
}

}  // namespace
}  // namespace pandora_ha
