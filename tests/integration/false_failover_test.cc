// What is no death moves no primary: restarts within the allowance, every connection broken at
// once, our own sessions killed, a full connection table, stalls shorter than the detection budget
// (invariant 13).
//
// PANDORA_HA_TRIALS says how many disturbances there are in all; a thousand is the goal.
#include <algorithm>
#include <array>
#include <cstdlib>

#include "tests/integration/on_servers.h"

namespace pandora_ha {
namespace {

constexpr int kOrdinarily = 25;
constexpr Milliseconds kStallFor{900};
constexpr Seconds kAllowance{10};

enum class Disturbance { kBreak, kKill, kFullTable, kStall, kRestart };

struct Share {
  Disturbance kind;
  const char* name;
  int of_a_hundred;
};
constexpr std::array kShares = {Share{Disturbance::kBreak, "times every session broken", 35},
                                Share{Disturbance::kKill, "times our own sessions killed", 35},
                                Share{Disturbance::kFullTable, "times a full connection table", 10},
                                Share{Disturbance::kStall, "stalls", 15},
                                Share{Disturbance::kRestart, "restarts", 5}};

int Trials() {
  const char* wanted = std::getenv("PANDORA_HA_TRIALS");
  return wanted == nullptr ? kOrdinarily : std::max(5, std::atoi(wanted));
}

class FalseFailover : public OnServers {
 protected:
  void Disturb(Disturbance kind);
  void WaitUntilItServes(const std::string& after);

 private:
  void KillSessions(const std::string& which);
  void FillTable();
  void Restart();

  Deadline Soon() const { return Deadline(SystemClock(), Seconds(10)); }

  TimePoint restarted_at_ = SystemClock().Now().mono - kAllowance;

 protected:
  std::unique_ptr<TestCluster> cluster_;
};
ON_SERVERS(FalseFailover, "MariaDB", "MySQL");

void FalseFailover::KillSessions(const std::string& which) {
  const auto session = cluster_->Connect(kNode1);
  if (!session.ok()) return;
  const auto rows = (*session)->Query(
      "SELECT ID FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND " + which,
      Soon());
  ASSERT_TRUE(rows.ok()) << rows.error().message;
  for (const auto& row : rows->cells) [[maybe_unused]]
    const Status gone = (*session)->Execute("KILL " + *row[0], Soon());
}

// Until nobody is let in any more: our own sessions, once broken, cannot come back.
void FalseFailover::FillTable() {
  const auto session = cluster_->Connect(kNode1);
  if (!session.ok()) return;
  const auto before = (*session)->Query("SELECT @@global.max_connections", Soon());
  ASSERT_TRUE(before.ok());
  const auto ours = (*session)->Query(
      "SELECT ID FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND USER = 'root'",
      Soon());
  ASSERT_TRUE(ours.ok());
  std::vector<std::unique_ptr<Session>> all;
  ASSERT_TRUE((*session)->Execute("SET GLOBAL max_connections=20", Soon()).ok());
  for (int i = 0; i < 25; ++i) {
    auto more = cluster_->Connect(kNode1);
    if (!more.ok()) break;
    all.push_back(*std::move(more));
  }
  for (const auto& row : ours->cells) [[maybe_unused]]
    const Status gone = (*session)->Execute("KILL " + *row[0], Soon());
  usleep(600'000);
  all.clear();
  const Status back = (*session)->Execute(
      "SET GLOBAL max_connections=" + before->cells[0][0].value_or("151"), Soon());
  ASSERT_TRUE(back.ok()) << back.error().message;
}

// One restart is allowed at a time: the next end within the allowance is a death.
void FalseFailover::Restart() {
  const Duration since = SystemClock().Now().mono - restarted_at_;
  if (since < kAllowance) usleep(static_cast<useconds_t>((kAllowance - since).count()));
  restarted_at_ = SystemClock().Now().mono + Milliseconds(100);
  const pid_t before = cluster_->ServerPid(kNode1);
  cluster_->Signal(kNode1, SIGKILL);
  WaitUntil("another process", [&] {
    const pid_t now = cluster_->ServerPid(kNode1);
    return now != before && now > 0;
  });
}

void FalseFailover::Disturb(Disturbance kind) {
  switch (kind) {
    case Disturbance::kBreak:
      return KillSessions("USER NOT IN ('system user', 'event_scheduler')");
    case Disturbance::kKill:
      return KillSessions("USER = 'root'");
    case Disturbance::kFullTable:
      return FillTable();
    case Disturbance::kStall: {
      cluster_->Signal(kNode1, SIGSTOP);
      usleep(static_cast<useconds_t>(Duration(kStallFor).count()));
      cluster_->Signal(kNode1, SIGCONT);
      return;
    }
    case Disturbance::kRestart:
      return Restart();
  }
}

void FalseFailover::WaitUntilItServes(const std::string& after) {
  const TimePoint now = SystemClock().Now().mono;
  cluster_->WaitFor("node1 serves after " + after, [&](const Snapshot& s) {
    const DatabaseSeen* node1 = FindSeen(s.seen, kNode1);
    return s.times.began > now && node1->contact == Contact::kAnswered && node1->state.known() &&
           node1->state->writable && s.status.primary == kNode1;
  });
}

TEST_P(FalseFailover, NothingOfThisIsDeath) {
  cluster_ = std::make_unique<TestCluster>(
      *flavor_, 2, [](ClusterSpec& spec) { spec.database.restart.allow = kAllowance; });
  ASSERT_LT(Duration(kStallFor), cluster_->spec().database.detection.Budget());
  cluster_->StartManager();
  ASSERT_TRUE(WaitWhole(*cluster_));
  const auto writer = cluster_->NewClient(true, Milliseconds(5));
  const Epoch epoch = cluster_->Last()->status.epoch;
  int done = 0;
  for (const Share& share : kShares) {
    const int times = std::max(1, Trials() * share.of_a_hundred / 100);
    for (int i = 0; i < times; ++i) {
      Disturb(share.kind);
      WaitUntilItServes(share.name);
      ++done;
      ASSERT_EQ(cluster_->Primary(), kNode1) << share.name << " " << i;
      ASSERT_FALSE(HasFailure()) << share.name << " " << i;
    }
    std::printf("%s: %d %s\n", GetParam(), times, share.name);
    std::fflush(stdout);
    ASSERT_TRUE(WaitWhole(*cluster_)) << share.name;
  }
  EXPECT_EQ(cluster_->Last()->counters.failovers_done, 0u);
  EXPECT_EQ(cluster_->Last()->status.epoch, epoch);
  EXPECT_FALSE(HasEvent(*cluster_, "FailoverStarted"));
  const auto lost = cluster_->CountLost(*writer);
  ASSERT_TRUE(lost.ok()) << lost.error().message;
  EXPECT_EQ(*lost, 0u);
  std::printf("%s: %d disturbances, %d failovers, %llu rows acknowledged, %llu lost\n", GetParam(),
              done, static_cast<int>(cluster_->Last()->counters.failovers_done),
              static_cast<unsigned long long>(writer->Count().acknowledged),
              static_cast<unsigned long long>(*lost));
}

}  // namespace
}  // namespace pandora_ha
