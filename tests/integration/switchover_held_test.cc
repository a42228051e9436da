// What may be in the way of a switchover: work on the primary, a target that lags, is broken or
// vanishes. The primary is always open again in time, and the wish says why.
#include "tests/integration/on_servers.h"

namespace pandora_ha {
namespace {

constexpr Seconds kWithin{6};
// Given up at kWithin, and opened again by the next looks.
constexpr Seconds kOpenAgainWithin{9};

class SwitchoverHeld : public OnServers {
 protected:
  void SetUp() override {
    OnServers::SetUp();
    if (IsSkipped()) return;
    cluster_ = std::make_unique<TestCluster>(*flavor_);
    cluster_->StartManager();
    ASSERT_TRUE(WaitWhole(*cluster_));
    ASSERT_EQ(cluster_->Primary(), kNode1);
    writer_ = cluster_->NewClient(true, Milliseconds(5));
    ASSERT_TRUE(WaitUntil("rows", [&] { return writer_->Count().acknowledged > 20; }));
  }

  bool IsOpen(const NodeName& node) const {
    return cluster_->Value(node, "SELECT @@global.read_only") == "0";
  }

  // The wish ends without a change of primary; the old one is open again in time.
  IntentRecord ExpectNode1GoesOn() {
    const TimePoint asked = SystemClock().Now().mono;
    const auto record = cluster_->WaitForEnd(cluster_->HandIn(Switchover{kNode2}, kWithin));
    if (!record) return {};
    EXPECT_TRUE(WaitUntil("node1 is open again", [&] { return IsOpen(kNode1); }));
    const Duration took = SystemClock().Now().mono - asked;
    EXPECT_LT(took, kOpenAgainWithin);
    EXPECT_NE(record->state, IntentState::kDone);
    EXPECT_EQ(cluster_->Primary(), kNode1);
    const std::uint64_t before = writer_->Count().acknowledged;
    EXPECT_TRUE(WaitUntil("clients write again",
                          [&] { return writer_->Count().acknowledged > before + 20; }));
    std::printf("%s: %s after %s: %s; longest pause of a client %s\n", GetParam(),
                std::string(ToString(record->state)).c_str(), FormatDuration(took).c_str(),
                record->says.c_str(), FormatDuration(writer_->LongestPauseSince(asked)).c_str());
    return *record;
  }

  void ExpectNothingLostInTheEnd() {
    EXPECT_TRUE(WaitWhole(*cluster_));
    const auto lost = cluster_->CountLost(*writer_);
    ASSERT_TRUE(lost.ok()) << lost.error().message;
    EXPECT_EQ(*lost, 0u);
  }

  std::unique_ptr<TestCluster> cluster_;
  std::unique_ptr<ClientWriter> writer_;
};
ON_SERVERS(SwitchoverHeld, "MariaDB", "MySQL");

Deadline Soon() {
  return Deadline(SystemClock(), Seconds(30));
}

const IntentRecord* FindRecord(const Snapshot& s, const std::string& id) {
  for (const IntentRecord& record : s.decision.memory.intents) {
    if (record.intent.id == id) return &record;
  }
  return nullptr;
}

TEST_P(SwitchoverHeld, ByALongChange) {
  auto busy = cluster_->Connect(kNode1);
  ASSERT_TRUE(busy.ok()) << busy.error().message;
  ASSERT_TRUE((*busy)->Execute("CREATE TABLE pandora.slow (a INT)", Soon()).ok());
  std::jthread statement([&] {
    const Status done = (*busy)->Execute("INSERT INTO pandora.slow SELECT SLEEP(15)", Soon());
    EXPECT_TRUE(done.ok()) << done.error().message;
  });
  usleep(300'000);
  const IntentRecord record = ExpectNode1GoesOn();
  EXPECT_FALSE(record.says.empty());
  statement.join();
  ExpectNothingLostInTheEnd();
}

TEST_P(SwitchoverHeld, ByLockedTables) {
  auto locking = cluster_->Connect(kNode1);
  ASSERT_TRUE(locking.ok()) << locking.error().message;
  ASSERT_TRUE((*locking)->Execute("CREATE TABLE pandora.locked (a INT)", Soon()).ok());
  ASSERT_TRUE((*locking)->Execute("LOCK TABLES pandora.locked WRITE", Soon()).ok());
  const IntentRecord record = ExpectNode1GoesOn();
  EXPECT_FALSE(record.says.empty());
  ASSERT_TRUE((*locking)->Execute("UNLOCK TABLES", Soon()).ok());
  ExpectNothingLostInTheEnd();
}

// A transaction that only idles holds nothing up; its COMMIT fails when it comes through another
// way than the endpoint.
TEST_P(SwitchoverHeld, NotByAnIdleTransaction) {
  auto idle = cluster_->Connect(kNode1);
  ASSERT_TRUE(idle.ok()) << idle.error().message;
  ASSERT_TRUE((*idle)->Execute("CREATE TABLE pandora.held (a INT)", Soon()).ok());
  ASSERT_TRUE((*idle)->Execute("BEGIN; INSERT INTO pandora.held VALUES (1)", Soon()).ok());
  const auto record = cluster_->WaitForEnd(cluster_->HandIn(Switchover{kNode2}, kWithin));
  ASSERT_TRUE(record);
  std::printf("%s: %s: %s\n", GetParam(), std::string(ToString(record->state)).c_str(),
              record->says.c_str());
  const bool done = record->state == IntentState::kDone;
  ASSERT_TRUE(WaitUntil("somebody is open", [&] { return IsOpen(done ? kNode2 : kNode1); }));
  idle->reset();
  ExpectNothingLostInTheEnd();
}

TEST_P(SwitchoverHeld, ByATargetThatLags) {
  ASSERT_TRUE(
      cluster_->Ask(kNode1, "CREATE TABLE pandora.lag (a INT PRIMARY KEY) ENGINE=InnoDB").ok());
  ASSERT_TRUE(cluster_->Ask(kNode1, "INSERT INTO pandora.lag VALUES (1)").ok());
  ASSERT_TRUE(WaitUntil("the row on node2", [&] {
    return cluster_->Value(kNode2, "SELECT COUNT(*) FROM pandora.lag") == "1";
  }));
  // The applier waits for a lock on the target.
  auto locking = cluster_->Connect(kNode2);
  ASSERT_TRUE(locking.ok()) << locking.error().message;
  ASSERT_TRUE((*locking)->Execute("LOCK TABLES pandora.lag READ", Soon()).ok());
  ASSERT_TRUE(cluster_->Ask(kNode1, "UPDATE pandora.lag SET a = 2").ok());
  const IntentRecord record = ExpectNode1GoesOn();
  EXPECT_NE(record.says.find("node2"), std::string::npos) << record.says;
  locking->reset();
  ExpectNothingLostInTheEnd();
}

TEST_P(SwitchoverHeld, ByATargetThatIsBroken) {
  ASSERT_TRUE(
      cluster_->Ask(kNode2, mysql() ? "STOP REPLICA SQL_THREAD" : "STOP SLAVE SQL_THREAD").ok());
  // Not seen yet, or seen: refused or taken back, and the reason names the target.
  const IntentRecord record = ExpectNode1GoesOn();
  EXPECT_NE(record.says.find("node2"), std::string::npos) << record.says;
  ExpectNothingLostInTheEnd();
}

TEST_P(SwitchoverHeld, ByATargetThatVanishesAfterTheClosing) {
  // The applier stands still from the last moment before the closing, so that the switchover waits
  // between closing and opening: a row that the target cannot apply is committed as it begins.
  ASSERT_TRUE(
      cluster_->Ask(kNode1, "CREATE TABLE pandora.lag (a INT PRIMARY KEY) ENGINE=InnoDB").ok());
  ASSERT_TRUE(WaitUntil("the table on node2", [&] {
    return cluster_->Value(kNode2, "SELECT COUNT(*) FROM pandora.lag") == "0";
  }));
  auto locking = cluster_->Connect(kNode2);
  ASSERT_TRUE(locking.ok()) << locking.error().message;
  auto busy = cluster_->Connect(kNode1);
  ASSERT_TRUE(busy.ok()) << busy.error().message;
  const TimePoint asked = SystemClock().Now().mono;
  std::string id;
  bool closed = false;
  // A commit that is just then under way may hold the closing up. The next attempt sees the lag.
  for (int attempt = 1;; ++attempt) {
    ASSERT_LE(attempt, 8) << "the closing was held up each time";
    ASSERT_TRUE((*locking)->Execute("LOCK TABLES pandora.lag READ", Soon()).ok());
    ASSERT_TRUE((*busy)->Execute("LOCK TABLES pandora.lag WRITE", Soon()).ok());
    usleep(1'500'000);  // what takes less is not waited for
    id = cluster_->HandIn(Switchover{kNode2}, kWithin);
    ASSERT_TRUE(cluster_->WaitFor("it waits for the lock", [&](const Snapshot& s) {
      const IntentRecord* record = FindRecord(s, id);
      return record != nullptr && record->milestone && s.seen.in_the_way.known() &&
             !s.seen.in_the_way->empty();
    }));
    const std::string insert = "INSERT INTO pandora.lag VALUES (" + std::to_string(attempt) + ")";
    ASSERT_TRUE((*busy)->Execute(insert, Soon()).ok());
    ASSERT_TRUE((*busy)->Execute("UNLOCK TABLES", Soon()).ok());
    ASSERT_TRUE(cluster_->WaitFor("node1 is closed, or it stays open", [&](const Snapshot& s) {
      const DatabaseSeen* node1 = FindSeen(s.seen, kNode1);
      closed = s.decision.memory.promotion && node1->state.known() && !node1->state->writable;
      return closed || FindRecord(s, id)->state != IntentState::kUnderWay;
    }));
    if (closed) break;
    ASSERT_TRUE((*locking)->Execute("UNLOCK TABLES", Soon()).ok());
  }
  const TimePoint killed = SystemClock().Now().mono;
  cluster_->Signal(kNode2, SIGKILL);
  ASSERT_TRUE(cluster_->WaitFor("node1 is open again", [&](const Snapshot& s) {
    const DatabaseSeen* node1 = FindSeen(s.seen, kNode1);
    return s.times.began > killed && node1->state.known() && node1->state->writable;
  }));
  const Duration took = SystemClock().Now().mono - killed;
  EXPECT_LT(took, kWithin);
  // The target is started again and catches up: the next attempt may succeed in time.
  const auto record = cluster_->WaitForEnd(id);
  ASSERT_TRUE(record);
  EXPECT_TRUE(record->state != IntentState::kDone || record->attempts > 1) << record->says;
  std::printf(
      "%s: open again %s after the kill; in the end %s after %d attempts: %s; longest pause "
      "of a client %s\n",
      GetParam(), FormatDuration(took).c_str(), std::string(ToString(record->state)).c_str(),
      record->attempts, record->says.c_str(),
      FormatDuration(writer_->LongestPauseSince(asked)).c_str());
  ExpectNothingLostInTheEnd();
}

}  // namespace
}  // namespace pandora_ha
