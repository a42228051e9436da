#include "tests/crash/points.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <set>

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

bool IsWhole(const Snapshot& s) {
  return s.status.state == ClusterState::kHealthy &&
         s.status.durability_in_force == DurabilityMode::kSemiSync &&
         std::all_of(s.status.nodes.begin(), s.status.nodes.end(), [&](const NodeStatus& node) {
           return node.name == s.status.primary || node.lossless;
         });
}

}  // namespace

bool Diverged(const Snapshot& s) {
  return HasFinding(s, FindingCode::kNodeDiverged, kNode1) ||
         HasFinding(s, FindingCode::kNodeDiverged, kNode2);
}

void StruckManager::SetUp() {
  OnServers::SetUp();
  void* memory =
      mmap(nullptr, sizeof(Control), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  crash::control = control_ = new (memory) Control;
}

void StruckManager::TearDown() {
  cluster_.reset();
  crash::control = nullptr;
  if (control_ != nullptr) munmap(control_, sizeof(Control));
}

// With a manager in this process; it is stopped again, so that there is one thread.
bool StruckManager::MakeWhole() {
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (!cluster_) {
      ++rebuilt_;
      cluster_ = std::make_unique<TestCluster>(*flavor_, 2, [this](ClusterSpec& spec) {
        spec.database.detection.timeout = Milliseconds(400);
        spec.database.detection.connect_retries = 1;
        Declare(spec);
      });
    }
    cluster_->StartManager(State());
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
void StruckManager::Manage(Change change, const NodeName& to) {
  // The noticeboard still shows what the last manager saw.
  const TimePoint began = SystemClock().Now().mono;
  const auto whole = [&] {
    const auto last = cluster_->Last();
    return last && last->times.began > began && IsWhole(*last) && !StandsBy(*last);
  };
  while (!whole()) usleep(1000);
  control_->ready = 1;
  while (control_->go == 0) usleep(200);
  if (change == Change::kSwitchover) cluster_->HandIn(Switchover{to});
  while (true) pause();
}

// Long enough for the old primary to follow and to acknowledge again.
void StruckManager::LetItEnd(const NodeName& to) {
  WaitUntil("another writer",
            [&] { return cluster_->Value(to, "SELECT @@global.read_only") == "0"; });
  usleep(6'000'000);
}

bool StruckManager::StartStruckOne(Change change, const NodeName& to) {
  cluster_->StartManagerProcess([=, this] { Manage(change, to); }, State());
  return WaitUntil(
      "a whole cluster in the manager's process", [&] { return control_->ready == 1; },
      Seconds(60));
}

void StruckManager::BeginChange(Change change, const NodeName& from, const NodeName&) {
  control_->armed = 1;
  if (change == Change::kFailover) cluster_->Signal(from, SIGSTOP);
  control_->go = 1;
}

bool StruckManager::AwaitBlow(const Point& point) {
  return cluster_->WaitUntilManagerProcessIsStruck(Seconds(20)) &&
         (point.where != Where::kInside || control_->ended == point.number);
}

bool StruckManager::RunOne(Change change, const Point& point) {
  if (!cluster_ && !MakeWhole()) return false;
  new (control_) Control;
  control_->strike_at = point.number;
  control_->where = point.where;
  control_->blow = blow();
  control_->inside_after = point.took / 2;
  const NodeName from = cluster_->Primary();
  const NodeName to = from == kNode1 ? kNode2 : kNode1;
  if (!StartStruckOne(change, to) || !MakeReady()) return false;
  const auto writer = cluster_->NewClient(true, Milliseconds(3));
  TwoWritersWatch watch(*cluster_);
  if (!WaitUntil("rows", [&] { return writer->Count().acknowledged > 20; })) return false;
  BeginChange(change, from, to);
  bool reached = true;
  if (point.number < 0) {
    LetItEnd(to);
    performed_ = Performed();
  } else {
    reached = AwaitBlow(point);
  }
  control_->armed = 0;  // no other manager must meet the point
  Judge(point, *writer, watch);
  return reached;
}

void StruckManager::Judge(const Point& point, ClientWriter& writer, TwoWritersWatch& watch) {
  const TimePoint struck = SystemClock().Now().mono;
  TakeOver(point);
  ASSERT_TRUE(cluster_->WaitFor(
      "Healthy, or the old primary waits for a person with its own rows",
      [&](const Snapshot& s) {
        return s.times.began > struck && !StandsBy(s) && (IsWhole(s) || Diverged(s));
      },
      Seconds(60)))
      << "the cluster stays as it is";
  slowest_ = std::max<Duration>(slowest_, SystemClock().Now().mono - struck);
  const std::uint64_t rows = writer.Count().acknowledged;
  WaitUntil("rows after the blow", [&] { return writer.Count().acknowledged > rows + 10; });
  JudgeStruckOne(point);
  cluster_->KillManagerProcess();
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

std::vector<Point> StruckManager::Performed() const {
  const std::vector<std::string> names = ActionNames();
  std::vector<Point> points;
  const int performed = std::min<int>(control_->ended, crash::kMostActions);
  for (int number = 0; number < performed; ++number) {
    const auto slot = static_cast<std::size_t>(number);
    for (const Where where : {Where::kBefore, Where::kInside, Where::kAfter}) {
      const int kind = control_->kind[slot];
      points.push_back(
          {number, where, names[static_cast<std::size_t>(kind)], kind, control_->took[slot]});
    }
  }
  return points;
}

std::vector<Point> StruckManager::PointsOf(Change change) {
  if (!MakeWhole() || !RunOne(change, {})) return {};
  std::vector<Point> points = performed_;
  if (!RunOne(change, {})) return {};
  // Upkeep afterwards may take another step or none: what both runs did is what every run does.
  std::erase_if(points, [&](const Point& point) {
    return std::none_of(performed_.begin(), performed_.end(), [&](const Point& other) {
      return other.number == point.number && other.kind == point.kind && other.what == point.what;
    });
  });
  return points;
}

// "FIRST-LAST": these of the points, from 0, to run some again.
std::vector<Point> StruckManager::Chosen(const std::vector<Point>& points) {
  const char* wanted = std::getenv("PANDORA_HA_POINTS");
  std::size_t first = 0, last = points.size();
  if (wanted != nullptr && std::sscanf(wanted, "%zu-%zu", &first, &last) == 2) ++last;
  last = std::min(last, points.size());
  first = std::min(first, last);
  return {points.begin() + static_cast<std::ptrdiff_t>(first),
          points.begin() + static_cast<std::ptrdiff_t>(last)};
}

int StruckManager::Failures() {
  return ::testing::UnitTest::GetInstance()->current_test_info()->result()->total_part_count();
}

void StruckManager::Strike(Change change, const std::vector<Point>& all) {
  const std::vector<Point> points = Chosen(all);
  std::size_t run = 0;
  for (Point point : points) {
    const std::string what = std::string(NameOf(point.where)) + " action " +
                             std::to_string(point.number) + ", " + point.what;
    SCOPED_TRACE(what);
    const int failures = Failures();
    bool reached = RunOne(change, point);
    // The action was over sooner than before.
    for (int again = 0; again < 3 && !reached && Failures() == failures; ++again) {
      ++aimed_too_late_;
      point.took /= 4;
      reached = RunOne(change, point);
    }
    if (reached) ++run;
    std::printf("  %s %s%s\n", reached ? "ok" : "NOT REACHED", what.c_str(),
                Failures() == failures ? "" : " FAILED");
    std::fflush(stdout);
    if (HasFatalFailure()) return;
  }
  PrintSum(points, run);
  EXPECT_EQ(run, points.size());
}

void StruckManager::PrintSum(const std::vector<Point>& points, std::size_t run) const {
  std::set<std::string> kinds;
  for (const Point& point : points) kinds.insert(point.what);
  std::string untouched;
  for (const std::string& name : ActionNames()) {
    if (!kinds.contains(name)) untouched += (untouched.empty() ? "" : "; ") + name;
  }
  std::printf(
      "%s: %zu points, %zu run; %zu kinds of action or statement (not in this plan: %s); "
      "slowest way back %s; %d clusters made anew; %d aimed too late\n",
      GetParam(), points.size(), run, kinds.size(), untouched.c_str(),
      FormatDuration(slowest_).c_str(), rebuilt_, aimed_too_late_);
}

}  // namespace pandora_ha
