// What the writer endpoint does when the primary changes, is withdrawn, or is no longer vouched
// for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netdb.h>

#include "reconciler/publish/endpoint.h"
#include "tests/publish/peers.h"

namespace pandora_ha {
namespace {

using test::EchoServer;
using test::Peer;
using test::Port;
using test::WaitUntil;

// Stands still until it is told to go on.
class HandClock final : public Clock {
 public:
  Instant Now() const override { return {TimePoint(Microseconds(micros_.load())), WallTime{}}; }
  std::string BootId() const override { return "hand"; }
  void Advance(Duration by) { micros_ += by.count(); }

 private:
  std::atomic<std::int64_t> micros_{1'000'000};
};

class EndpointSwitch : public testing::Test {
 protected:
  EndpointSwitch() { Start(SystemClock()); }

  void Start(const Clock& clock) {
    EndpointOptions options;
    options.listen = {"127.0.0.1", 0};
    auto started = Endpoint::Start(options, clock);
    ASSERT_TRUE(started.ok());
    endpoint_ = std::move(*started);
  }
  Status Publish(const char* node, const Address& address, std::uint64_t epoch) {
    return endpoint_->Publish({NodeName(node), address, Epoch(epoch)});
  }
  Peer Connected(const std::string& greeting) {
    Peer client = Peer::ConnectTo(endpoint_->listen());
    EXPECT_EQ(client.Receive(1), greeting);
    return client;
  }
  static bool Echoes(Peer& client) { return client.Send("ping") && client.Receive(4) == "ping"; }

  EchoServer a_{'A'}, b_{'B'};
  std::unique_ptr<Endpoint> endpoint_;
};

TEST_F(EndpointSwitch, CutsTheSessionsOfTheDeposedPrimaryOnBothSides) {
  ASSERT_TRUE(Publish("node1", a_.address(), 1).ok());
  std::vector<Peer> clients;
  for (int i = 0; i < 100; ++i) clients.push_back(Connected("A"));
  const TimePoint start = SystemClock().Now().mono;
  ASSERT_TRUE(Publish("node2", b_.address(), 2).ok());
  EXPECT_EQ(endpoint_->Statistics().sessions_now, 0u);
  for (auto& client : clients) EXPECT_EQ(client.WaitForEnd(), Peer::End::kReset);
  EXPECT_LT(SystemClock().Now().mono - start, Milliseconds(50));
  EXPECT_TRUE(WaitUntil([&] { return a_.connections() == 0; }));
  EXPECT_EQ(endpoint_->Statistics().sessions_cut, 100u);
  Peer again = Connected("B");
  EXPECT_TRUE(Echoes(again));
}

TEST_F(EndpointSwitch, KeepsTheSessionsOfTheSameNodeUnderAHigherEpoch) {
  ASSERT_TRUE(Publish("node1", a_.address(), 1).ok());
  Peer client = Connected("A");
  ASSERT_TRUE(Publish("node1", a_.address(), 2).ok());
  EXPECT_TRUE(Echoes(client));
  EXPECT_EQ(endpoint_->Current().epoch, Epoch(2));
  ASSERT_TRUE(Publish("node1", b_.address(), 3).ok());  // the same node, somewhere else
  EXPECT_EQ(client.WaitForEnd(), Peer::End::kReset);
}

TEST_F(EndpointSwitch, RefusesALowerEpochAndASecondPrimaryOfOneEpoch) {
  ASSERT_TRUE(Publish("node2", b_.address(), 5).ok());
  Peer client = Connected("B");
  const Status lower = Publish("node1", a_.address(), 4);
  ASSERT_FALSE(lower.ok());
  EXPECT_EQ(lower.error().code, ErrorCode::kConflict);
  const Status twin = Publish("node1", a_.address(), 5);
  ASSERT_FALSE(twin.ok());
  EXPECT_EQ(twin.error().code, ErrorCode::kConflict);
  EXPECT_TRUE(Echoes(client));
  ASSERT_TRUE(endpoint_->Withdraw().ok());
  EXPECT_FALSE(Publish("node1", a_.address(), 4).ok()) << "a withdrawal must not forget the epoch";
  EXPECT_EQ(endpoint_->Current().epoch, Epoch(5));
}

TEST_F(EndpointSwitch, HoldsClientsFromAWithdrawalToTheNextPublication) {
  ASSERT_TRUE(Publish("node1", a_.address(), 1).ok());
  Peer old = Connected("A");
  ASSERT_TRUE(endpoint_->Withdraw().ok());
  EXPECT_EQ(endpoint_->Current().primary, std::nullopt);
  EXPECT_EQ(old.WaitForEnd(), Peer::End::kReset);
  std::vector<Peer> waiting;
  for (int i = 0; i < 10; ++i) waiting.push_back(Peer::ConnectTo(endpoint_->listen()));
  ASSERT_TRUE(WaitUntil([&] { return endpoint_->Statistics().held_now == 10; }));
  for (auto& client : waiting) EXPECT_FALSE(client.HasInput());
  ASSERT_TRUE(Publish("node2", b_.address(), 2).ok());
  for (auto& client : waiting) EXPECT_EQ(client.Receive(1), "B");
  EXPECT_EQ(endpoint_->Current().primary, NodeName("node2"));
  EXPECT_EQ(endpoint_->Current().problem, "");
}

TEST_F(EndpointSwitch, MovesAClientThatTheOldPrimaryHasNotGreeted) {
  Port frozen;
  frozen.Listen();
  ASSERT_TRUE(Publish("node1", frozen.address(), 1).ok());
  Peer client = Peer::ConnectTo(endpoint_->listen());
  Peer server = frozen.Accept();
  ASSERT_TRUE(Publish("node2", b_.address(), 2).ok());
  EXPECT_EQ(client.Receive(1), "B");
  EXPECT_EQ(server.WaitForEnd(), Peer::End::kReset);
  EXPECT_TRUE(Echoes(client));
}

TEST_F(EndpointSwitch, MovesClientsOfAServerThatRefuses) {
  Port dead;
  ASSERT_TRUE(Publish("node1", dead.address(), 1).ok());
  Peer client = Peer::ConnectTo(endpoint_->listen());
  ASSERT_TRUE(WaitUntil([&] { return endpoint_->Statistics().failed_connects > 0; }));
  ASSERT_TRUE(Publish("node2", b_.address(), 2).ok());
  EXPECT_EQ(client.Receive(1), "B");
}

TEST_F(EndpointSwitch, LooksANameUp) {
  addrinfo* found = nullptr;
  if (getaddrinfo("localhost", nullptr, nullptr, &found) != 0)
    GTEST_SKIP() << "this machine knows no localhost: it has no /etc/hosts";
  freeaddrinfo(found);
  ASSERT_TRUE(Publish("node1", {"localhost", a_.address().port}, 1).ok());
  Peer client = Connected("A");
  EXPECT_TRUE(Echoes(client));
}

TEST_F(EndpointSwitch, StopsWhenTheLeaseRunsOutAndGoesOnWhenItIsRenewed) {
  ASSERT_TRUE(endpoint_->SetLease(Milliseconds(100)).ok());
  ASSERT_TRUE(Publish("node1", a_.address(), 1).ok());
  Peer client = Connected("A");
  const TimePoint start = SystemClock().Now().mono;
  EXPECT_EQ(client.WaitForEnd(), Peer::End::kReset);
  EXPECT_LT(SystemClock().Now().mono - start, Milliseconds(250));
  EXPECT_EQ(endpoint_->Current().primary, std::nullopt);
  EXPECT_THAT(endpoint_->Current().problem, testing::HasSubstr("lease"));
  Peer waiting = Peer::ConnectTo(endpoint_->listen());
  ASSERT_TRUE(WaitUntil([&] { return endpoint_->Statistics().held_now == 1; }));
  EXPECT_FALSE(waiting.HasInput());
  ASSERT_TRUE(endpoint_->SetLease(Seconds(60)).ok());
  EXPECT_EQ(endpoint_->Current().primary, std::nullopt) << "a longer lease is no renewal";
  ASSERT_TRUE(endpoint_->Renew(Epoch(1), SystemClock().Now().mono).ok());
  EXPECT_EQ(waiting.Receive(1), "A");
  EXPECT_EQ(endpoint_->Current().primary, NodeName("node1"));
}

TEST_F(EndpointSwitch, ForwardsNoByteAfterALeaseThatRanOutWhileItWasFrozen) {
  HandClock clock;  // its timers see nothing of this clock: as after a thaw
  Start(clock);
  Port port;
  port.Listen();
  ASSERT_TRUE(endpoint_->SetLease(Seconds(60)).ok());
  ASSERT_TRUE(Publish("node1", port.address(), 1).ok());
  Peer client = Peer::ConnectTo(endpoint_->listen());
  Peer server = port.Accept();
  ASSERT_TRUE(server.Send("G"));
  ASSERT_EQ(client.Receive(1), "G");
  clock.Advance(Seconds(61));
  ASSERT_TRUE(client.Send("late write"));
  std::string arrived;
  EXPECT_EQ(server.WaitForEnd(&arrived), Peer::End::kReset);
  EXPECT_EQ(arrived, "");
}

TEST_F(EndpointSwitch, BelievesNothingThatIsOlderThanTheLease) {
  ASSERT_TRUE(endpoint_->SetLease(Seconds(10)).ok());
  const TimePoint long_ago = SystemClock().Now().mono - Seconds(11);
  ASSERT_TRUE(
      endpoint_->PublishKnownAt({NodeName("node1"), a_.address(), Epoch(1)}, long_ago).ok());
  EXPECT_EQ(endpoint_->Current().primary, std::nullopt);
  EXPECT_EQ(endpoint_->Current().epoch, Epoch(1));
}

}  // namespace
}  // namespace pandora_ha
