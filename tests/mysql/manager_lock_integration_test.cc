// The manager's lock: at most one of several managers changes a server, frozen ones included.
#include <algorithm>
#include <fstream>
#include <functional>
#include <optional>
#include <sstream>
#include <thread>

#include "reconciler/mysql/database_node.h"
#include "reconciler/mysql/manager_lock.h"
#include "tests/mysql/pair.h"

namespace pandora_ha::testing {
namespace {

class ManagerLockTest : public OnBoth {
 protected:
  // A server that writes down every statement it is sent.
  std::optional<TestServer> server_;

  void SetUp() override {
    OnBoth::SetUp();
    if (IsSkipped()) return;
    server_.emplace(GetParam(), 1, 1,
                    std::vector<std::string>{"--general-log=ON", "--general-log-file=general.log"});
  }

  std::string StatementsOf(std::uint64_t connection) const {
    std::ifstream log(server_->directory() + "/data/general.log");
    const std::string id = " " + std::to_string(connection) + " ";
    std::string all;
    for (std::string line; std::getline(log, line);) {
      if (line.find(id) != std::string::npos) all += line + "\n";
    }
    return all;
  }
  bool InLog(const std::string& text) const {
    std::ifstream log(server_->directory() + "/data/general.log");
    std::stringstream all;
    all << log.rdbuf();
    return all.str().find(text) != std::string::npos;
  }
};
INSTANTIATE_TEST_SUITE_P(Servers, ManagerLockTest,
                         ::testing::Values(Flavor::kMariaDb, Flavor::kMySql), FlavorName);

std::unique_ptr<DatabaseNode> Manager(const TestServer& server, Seconds wait_timeout = {}) {
  DatabaseNodeSpec node;
  node.address = server.address().host;
  auto options =
      WithManagerLock(DatabaseNodeOptionsFor(TestSpec(), node, TestPasswords()), TestSpec());
  if (wait_timeout > Seconds(0)) options.wait_timeout = wait_timeout;
  return MakeDatabaseNode(std::move(options));
}

void ExpectRefused(const Status& status) {
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kConflict) << status.error().message;
}

void ExpectEveryChangeRefused(DatabaseNode& node) {
  const Deadline soon = In(Seconds(5));
  ExpectRefused(node.SetReadOnly(soon));
  ExpectRefused(node.OpenWritable(soon));
  ExpectRefused(node.StopReceiving(soon));
  ExpectRefused(node.ApplyReceived(soon));
  ExpectRefused(node.LeaveReplication(soon));
  ExpectRefused(node.ReplicateFrom({"127.0.0.1", 1}, {}, Secret("x"), soon));
  ExpectRefused(node.SetSemiSync(SemiSyncRole::kOff, soon));
  ExpectRefused(Mark(node, 1));
  ExpectRefused(node.Provision(TestSpec(), TestPasswords(), soon));
  ExpectRefused(node.EndTransactions({}, soon));
}

TEST_P(ManagerLockTest, OneHoldsItAndTheOtherIsToldWho) {
  const auto a = Manager(*server_), b = Manager(*server_);
  EXPECT_EQ(StateOf(*a).manager_lock.holder, ManagerLockSeen::Holder::kNobody);
  ExpectEveryChangeRefused(*a);
  EXPECT_OK(a->TakeLock(In(Seconds(5))));
  EXPECT_OK(a->TakeLock(In(Seconds(5))));
  EXPECT_EQ(StateOf(*a).manager_lock.holder, ManagerLockSeen::Holder::kOurs);
  const ManagerLockSeen seen = StateOf(*b).manager_lock;
  EXPECT_EQ(seen.holder, ManagerLockSeen::Holder::kOther);
  EXPECT_GT(seen.connection, 0U);
  EXPECT_TRUE(seen.who.starts_with("admin@127.0.0.1:")) << seen.who;
  const Status taken = b->TakeLock(In(Seconds(5)));
  ExpectRefused(taken);
  EXPECT_NE(taken.error().message.find(seen.who), std::string::npos) << taken.error().message;
  ExpectEveryChangeRefused(*b);
  EXPECT_OK(a->Provision(TestSpec(), TestPasswords(), In(Seconds(10))));
  EXPECT_OK(a->OpenWritable(In(Seconds(5))));
  EXPECT_OK(Mark(*a, 1));
  EXPECT_OK(a->SetReadOnly(In(Seconds(5))));
  // Taken twice, released once: nothing of it stays.
  EXPECT_OK(a->ReleaseLock(In(Seconds(5))));
  ExpectRefused(a->OpenWritable(In(Seconds(5))));
  EXPECT_OK(b->TakeLock(In(Seconds(5))));
  EXPECT_OK(b->OpenWritable(In(Seconds(5))));
  // A new connection has lost it.
  b->Disconnect();
  ExpectRefused(b->SetReadOnly(In(Seconds(5))));
  EXPECT_TRUE(StateOf(*a).writable);
}

// The beater's statement asks for the lock of the other connection, at the moment of the write.
TEST_P(ManagerLockTest, GuardsAreWrittenOnlyWhileTheLockIsHeld) {
  const auto a = Manager(*server_), b = Manager(*server_);
  DatabaseNodeSpec declared;
  declared.address = server_->address().host;
  DatabaseNodeOptions options = DatabaseNodeOptionsFor(TestSpec(), declared, TestPasswords());
  options.lock_of_another = ManagerLockName(TestSpec().name);
  const auto beater = MakeDatabaseNode(options);
  EXPECT_OK(a->TakeLock(In(Seconds(5))));
  EXPECT_OK(a->Provision(TestSpec(), TestPasswords(), In(Seconds(10))));
  EXPECT_OK(a->OpenWritable(In(Seconds(5))));
  const std::uint64_t ours = StateOf(*a).manager_lock.connection;
  ASSERT_GT(ours, 0U);
  const auto write = [&](std::uint64_t change, std::uint64_t holder) {
    return beater->WriteGuards({{Epoch(1), change}, "a", {}}, Epoch(1), holder, In(Seconds(5)));
  };
  EXPECT_OK(write(1, ours));
  EXPECT_OK(b->EvictHolder(In(Seconds(5))));
  ExpectRefused(write(2, ours));
  EXPECT_OK(write(2, StateOf(*b).manager_lock.connection));
}

// The one that is evicted lets go at any moment, also between two questions about the lock.
TEST_P(ManagerLockTest, EvictingSucceedsWheneverTheHolderLetsGo) {
  auto holder = Manager(*server_);
  EXPECT_OK(holder->TakeLock(In(Seconds(5))));
  for (int i = 0; i < 200; ++i) {
    auto next = Manager(*server_);
    const Status evicted = next->EvictHolder(In(Seconds(5)));
    ASSERT_TRUE(evicted.ok()) << i << ": " << evicted.error().message;
    holder = std::move(next);
  }
}

TEST_P(ManagerLockTest, AFrozenManagerLosesItAndItsNextChangeReachesNobody) {
  const auto frozen = Manager(*server_, Seconds(1)), successor = Manager(*server_);
  EXPECT_OK(frozen->TakeLock(In(Seconds(5))));
  const std::uint64_t connection = StateOf(*successor).manager_lock.connection;
  ASSERT_GT(connection, 0U);
  EXPECT_TRUE(WaitUntil(Seconds(10), [&] { return successor->TakeLock(In(Seconds(5))).ok(); }));
  const std::string before = StatementsOf(connection);
  EXPECT_NE(before.find("GET_LOCK"), std::string::npos) << before;
  // It thaws, still believes in its lock, and sends what it had decided.
  const Status thawed = frozen->OpenWritable(In(Seconds(5)));
  ASSERT_FALSE(thawed.ok());
  EXPECT_EQ(thawed.error().code, ErrorCode::kUnreachable) << thawed.error().message;
  ExpectEveryChangeRefused(*frozen);
  EXPECT_FALSE(StateOf(*frozen).writable);
  ExpectEveryChangeRefused(*frozen);
  EXPECT_FALSE(InLog("read_only=0")) << StatementsOf(connection);
  EXPECT_OK(successor->OpenWritable(In(Seconds(5))));
  EXPECT_TRUE(WaitUntil(Seconds(5), [&] { return InLog("read_only=0"); }));
}

TEST_P(ManagerLockTest, EvictingEndsALongStatementBeforeTheSuccessorBegins) {
  server_->Sql(
      "SET GLOBAL read_only=0; CREATE DATABASE pandora_test; CREATE TABLE pandora_test.t (id INT)");
  const auto holder = Manager(*server_), successor = Manager(*server_);
  EXPECT_OK(holder->TakeLock(In(Seconds(5))));
  const auto locker = server_->Admin();
  EXPECT_OK(locker->Execute("LOCK TABLES pandora_test.t WRITE", In(Seconds(5))));
  // Waits for the table lock, in the server, for as long as it may.
  Status closing;
  std::thread busy([&] { closing = holder->SetReadOnly(In(Seconds(20))); });
  EXPECT_TRUE(WaitUntil(Seconds(5), [&] { return InLog("read_only=1"); }));
  const TimePoint began = SystemClock().Now().mono;
  EXPECT_OK(successor->EvictHolder(In(Seconds(5))));
  const Duration took = SystemClock().Now().mono - began;
  std::cout << ToString(GetParam()) << ": evicting a busy holder took " << took.count() << " us\n";
  EXPECT_LT(took, Seconds(1));
  busy.join();
  EXPECT_FALSE(closing.ok());
  EXPECT_OK(locker->Execute("UNLOCK TABLES", In(Seconds(5))));
  EXPECT_EQ(StateOf(*successor).manager_lock.holder, ManagerLockSeen::Holder::kOurs);
  EXPECT_TRUE(StateOf(*successor).writable);
  EXPECT_OK(successor->SetReadOnly(In(Seconds(5))));
  ExpectRefused(holder->OpenWritable(In(Seconds(5))));
  // Of an idle holder, of nobody, of itself.
  const auto third = Manager(*server_);
  EXPECT_OK(third->EvictHolder(In(Seconds(5))));
  EXPECT_FALSE(successor->OpenWritable(In(Seconds(5))).ok());
  EXPECT_OK(third->EvictHolder(In(Seconds(5))));
  EXPECT_OK(third->ReleaseLock(In(Seconds(5))));
  EXPECT_OK(successor->EvictHolder(In(Seconds(5))));
}

TEST_P(ManagerLockTest, WithoutALockNameNothingIsAskedOrRefused) {
  const auto node = NodeFor(*server_);
  EXPECT_EQ(StateOf(*node).manager_lock.holder, ManagerLockSeen::Holder::kNotAsked);
  EXPECT_OK(node->OpenWritable(In(Seconds(5))));
  const Status taken = node->TakeLock(In(Seconds(5)));
  ASSERT_FALSE(taken.ok());
  EXPECT_EQ(taken.error().code, ErrorCode::kUnsupported);
}

TEST_P(ManagerLockTest, WhatTheQuestionCosts) {
  const auto with = Manager(*server_), other = Manager(*server_), without = NodeFor(*server_);
  EXPECT_OK(with->TakeLock(In(Seconds(5))));
  server_->Sql("SET GLOBAL general_log=OFF");
  const auto median = [](const std::function<void()>& ask) {
    std::vector<long> took;
    for (int i = 0; i < 300; ++i) {
      const TimePoint began = SystemClock().Now().mono;
      ask();
      took.push_back((SystemClock().Now().mono - began).count());
    }
    std::sort(took.begin(), took.end());
    return took[150];
  };
  const auto look = [](DatabaseNode& n) { return [&n] { StateOf(n); }; };
  std::cout << ToString(GetParam()) << ", medians in us: look without lock "
            << median(look(*without)) << ", as holder " << median(look(*with)) << ", as another "
            << median(look(*other)) << "; IsWritable "
            << median([&] { EXPECT_TRUE(with->IsWritable(In(Seconds(5))).ok()); }) << "\n";
}

}  // namespace
}  // namespace pandora_ha::testing
