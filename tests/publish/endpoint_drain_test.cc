// How sessions are ended without an error where that is possible.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "reconciler/publish/endpoint.h"
#include "tests/publish/mysql_packets.h"
#include "tests/publish/peers.h"

namespace pandora_ha {
namespace {

using namespace test;

class EndpointDrain : public testing::Test {
 protected:
  EndpointDrain() {
    EndpointOptions options;
    options.listen = {"127.0.0.1", 0};
    endpoint_ = std::move(*Endpoint::Start(options, SystemClock()));
    port_.Listen();
    EXPECT_TRUE(endpoint_->Publish(primary_).ok());
  }
  struct Pair {
    Peer client, server;
    // Over to the server, and back.
    bool Asks(const std::string& question) {
      return client.Send(question) && server.Receive(question.size()) == question;
    }
    bool Answers(const std::string& answer) {
      return server.Send(answer) && client.Receive(answer.size()) == answer;
    }
    bool Exchanges(const std::string& question, const std::string& answer) {
      return Asks(question) && Answers(answer);
    }
  };
  Pair Greeted() {
    Pair pair;
    pair.client = Peer::ConnectTo(endpoint_->listen());
    pair.server = port_.Accept();
    TuneStream(pair.server.fd());  // as database servers do
    EXPECT_TRUE(pair.Answers(Greeting()));
    return pair;
  }
  Pair LoggedIn() {
    Pair pair = Greeted();
    EXPECT_TRUE(pair.Exchanges(Login(), OkPacket(kAutocommit, 2)));
    return pair;
  }
  Pair Used() {
    Pair pair = LoggedIn();
    EXPECT_TRUE(pair.Exchanges(Query("SET NAMES utf8"), OkPacket()));
    return pair;
  }
  Status Drain(Duration grace, Duration limit = Seconds(5)) {
    return endpoint_->Drain(grace, Deadline(SystemClock(), limit));
  }
  std::future<Status> DrainAside(Duration grace, Duration limit = Seconds(5)) {
    auto drain = std::async(std::launch::async, [=, this] { return Drain(grace, limit); });
    EXPECT_TRUE(WaitUntil([&] { return !endpoint_->Current().primary; }));
    poll(nullptr, 0, 5);  // without a grace: until it is over
    return drain;
  }
  static void ExpectBothEnded(Pair& pair) {
    EXPECT_EQ(pair.client.WaitForEnd(), Peer::End::kFin);
    EXPECT_EQ(pair.server.WaitForEnd(), Peer::End::kFin);
  }

  Port port_;
  const PublishedPrimary primary_{NodeName("node1"), port_.address(), Epoch(1)};
  std::unique_ptr<Endpoint> endpoint_;
};

TEST_F(EndpointDrain, EndsIdleSessionsWithFinOnBothSides) {
  std::vector<Pair> pairs;
  for (int i = 0; i < 50; ++i) pairs.push_back(Used());
  const TimePoint start = SystemClock().Now().mono;
  ASSERT_TRUE(Drain(Duration::zero()).ok());
  EXPECT_LT(SystemClock().Now().mono - start, Milliseconds(50));
  for (auto& pair : pairs) ExpectBothEnded(pair);
  EXPECT_EQ(endpoint_->Statistics().sessions_drained, 50u);
  EXPECT_EQ(endpoint_->Statistics().sessions_cut, 0u);
  EXPECT_EQ(endpoint_->Statistics().sessions_now, 0u);
}

TEST_F(EndpointDrain, LetsSessionsGoOnDuringTheGrace) {
  Pair pair = Used();
  auto drain = DrainAside(Seconds(5));
  EXPECT_TRUE(pair.Exchanges(Query("INSERT"), OkPacket()));
  EXPECT_TRUE(pair.Exchanges(Query("INSERT"), OkPacket()));
  pair.client.Close();
  pair.server.Close();
  EXPECT_TRUE(drain.get().ok()) << "nobody is left long before the grace is over";
  EXPECT_EQ(endpoint_->Statistics().sessions_drained, 0u);
}

TEST_F(EndpointDrain, WaitsForTheAnswerAndEndsWithIt) {
  Pair pair = Used();
  ASSERT_TRUE(pair.Asks(Query("SELECT")));
  auto drain = DrainAside(Duration::zero());
  poll(nullptr, 0, 150);
  EXPECT_EQ(endpoint_->Statistics().sessions_now, 1u);
  EXPECT_TRUE(pair.Answers(OkPacket()));
  ExpectBothEnded(pair);
  EXPECT_TRUE(drain.get().ok());
}

TEST_F(EndpointDrain, LetsAHalfSentStatementAndATransactionBeFinished) {
  Pair pair = Used();
  const std::string insert = Query(std::string(1000, 'i'));
  ASSERT_TRUE(pair.Asks(insert.substr(0, 300)));
  auto drain = DrainAside(Duration::zero());
  EXPECT_TRUE(pair.Asks(insert.substr(300)));
  EXPECT_TRUE(pair.Answers(OkPacket(kInTransaction)));
  EXPECT_TRUE(pair.Exchanges(Query("nonsense"), ErrPacket()));
  poll(nullptr, 0, 150);
  EXPECT_TRUE(pair.Exchanges(Query("COMMIT"), OkPacket()));
  ExpectBothEnded(pair);
  EXPECT_TRUE(drain.get().ok());
}

TEST_F(EndpointDrain, AHandshakeMayGoOnToTheFirstAnswer) {
  Pair greeted = Greeted(), logged_in = LoggedIn();
  auto drain = DrainAside(Duration::zero());
  EXPECT_TRUE(greeted.Exchanges(Login(), OkPacket(kAutocommit, 2)));
  for (Pair* pair : {&greeted, &logged_in}) {
    EXPECT_TRUE(pair->Exchanges(Query("INSERT"), OkPacket()));
    ExpectBothEnded(*pair);
  }
  EXPECT_TRUE(drain.get().ok());
}

TEST_F(EndpointDrain, AHandshakeThatStopsIsEnded) {
  Pair pair = Greeted();
  EXPECT_TRUE(Drain(Duration::zero()).ok());
  ExpectBothEnded(pair);
}

TEST_F(EndpointDrain, ForwardsNothingNewOfAnEncryptedSessionAndEndsItInSilence) {
  const auto record = [](char text) { return Bytes({0x17, 3, 3, 0, 50}) + std::string(50, text); };
  Pair pair = LoggedIn();
  poll(nullptr, 0, 1100);  // no longer young
  ASSERT_TRUE(pair.Asks(record('a')));
  auto drain = DrainAside(Duration::zero());
  ASSERT_TRUE(pair.Answers(record('b')));
  ASSERT_TRUE(pair.client.Send(record('c')));
  ASSERT_TRUE(pair.Answers(record('d'))) << "the answer was not over";
  std::string arrived;
  EXPECT_EQ(pair.server.WaitForEnd(&arrived), Peer::End::kFin);
  EXPECT_EQ(arrived, "");
  EXPECT_EQ(pair.client.WaitForEnd(), Peer::End::kFin);
  EXPECT_TRUE(drain.get().ok());
}

TEST_F(EndpointDrain, AYoungEncryptedSessionMayFinish) {
  const std::string record = Bytes({0x17, 3, 3, 0, 50}) + std::string(50, 'r');
  Pair pair = LoggedIn();
  ASSERT_TRUE(pair.Exchanges(record, record));
  auto drain = DrainAside(Duration::zero());
  poll(nullptr, 0, 40);
  EXPECT_TRUE(pair.Exchanges(record, record));
  ExpectBothEnded(pair);
  EXPECT_TRUE(drain.get().ok());
}

TEST_F(EndpointDrain, SaysHowManyAreLeftAndTheWithdrawalCutsThem) {
  Pair idle = Used(), busy = Used();
  ASSERT_TRUE(busy.Exchanges(Query("BEGIN"), OkPacket(kInTransaction)));
  const Status drained = Drain(Duration::zero(), Milliseconds(50));
  ASSERT_FALSE(drained.ok());
  EXPECT_EQ(drained.error().code, ErrorCode::kTimeout);
  EXPECT_THAT(drained.error().message, testing::HasSubstr("(1)"));
  ExpectBothEnded(idle);
  EXPECT_TRUE(busy.Exchanges(Query("INSERT"), OkPacket(kInTransaction)));
  ASSERT_TRUE(endpoint_->Withdraw().ok());
  EXPECT_EQ(busy.client.WaitForEnd(), Peer::End::kReset);
  EXPECT_EQ(endpoint_->Statistics().sessions_cut, 1u);
}

TEST_F(EndpointDrain, NewClientsWaitAndComeThroughWhenItIsTakenBack) {
  Pair busy = Used();
  ASSERT_TRUE(busy.Exchanges(Query("BEGIN"), OkPacket(kInTransaction)));
  auto drain = DrainAside(Duration::zero());
  Pair late;
  late.client = Peer::ConnectTo(endpoint_->listen());
  ASSERT_TRUE(WaitUntil([&] { return endpoint_->Statistics().held_now == 1; }));
  ASSERT_TRUE(endpoint_->Renew(Epoch(1), SystemClock().Now().mono).ok());
  EXPECT_EQ(endpoint_->Statistics().held_now, 1u) << "a renewal is no publication";
  ASSERT_TRUE(endpoint_->Publish(primary_).ok());
  EXPECT_EQ(drain.get().error().code, ErrorCode::kConflict);
  late.server = port_.Accept();
  EXPECT_TRUE(late.Answers(Greeting()));
  EXPECT_TRUE(busy.Exchanges(Query("COMMIT"), OkPacket()));
  EXPECT_TRUE(busy.Exchanges(Query("INSERT"), OkPacket()));
  EXPECT_EQ(endpoint_->Current().primary, NodeName("node1"));
}

TEST_F(EndpointDrain, AStatementThatWasKeptBackGoesOnWhenItIsTakenBack) {
  const std::string record = Bytes({0x17, 3, 3, 0, 50}) + std::string(50, 'r');
  Pair pair = LoggedIn();
  poll(nullptr, 0, 1100);  // no longer young
  ASSERT_TRUE(pair.Exchanges(record, record));
  auto drain = std::async(std::launch::async, [this] { return Drain(Milliseconds(1)); });
  ASSERT_TRUE(WaitUntil([&] { return !endpoint_->Current().primary; }));
  poll(nullptr, 0, 5);
  ASSERT_TRUE(pair.client.Send(record));
  ASSERT_TRUE(endpoint_->Publish(primary_).ok());
  const Status drained = drain.get();
  if (drained.ok()) GTEST_SKIP() << "too slow a machine: it had been ended before";
  EXPECT_EQ(pair.server.Receive(record.size()), record);
}

TEST_F(EndpointDrain, ALeaseThatRunsOutCuts) {
  Pair pair = Used();
  ASSERT_TRUE(pair.Exchanges(Query("BEGIN"), OkPacket(kInTransaction)));
  ASSERT_TRUE(endpoint_->SetLease(Milliseconds(50)).ok());
  EXPECT_TRUE(Drain(Duration::zero()).ok());
  EXPECT_EQ(pair.client.WaitForEnd(), Peer::End::kReset);
  EXPECT_EQ(endpoint_->Statistics().sessions_cut, 1u);
}

TEST_F(EndpointDrain, DeliversWhatASlowClientHasNotReadYet) {
  Pair pair = Used();
  ASSERT_TRUE(pair.Asks(Query("SELECT")));
  std::string answer = Packet(1, Bytes({1})) + Column(2);
  for (int i = 0; i < 200'000; ++i) answer += Row(3, std::string(40, 'r'));
  answer += OkAtEnd(4);
  auto drain = DrainAside(Duration::zero(), Seconds(20));
  std::thread server([&] { EXPECT_TRUE(pair.server.Send(answer)); });
  poll(nullptr, 0, 300);
  EXPECT_EQ(endpoint_->Statistics().sessions_now, 1u) << "the client reads slowly: not silence";
  std::string got;
  EXPECT_EQ(pair.client.WaitForEnd(&got), Peer::End::kFin);
  EXPECT_TRUE(got == answer);
  server.join();
  EXPECT_TRUE(drain.get().ok());
}

}  // namespace
}  // namespace pandora_ha
