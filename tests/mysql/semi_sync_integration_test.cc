// Semi-synchronous replication: what waits, what refuses to stop waiting, and what ends the wait.
#include "tests/mysql/pair.h"

namespace pandora_ha::testing {
namespace {

class SemiSyncTest : public OnBoth {};
ON_BOTH_SERVERS(SemiSyncTest);

void MakeSemiSync(Pair& pair) {
  EXPECT_OK(pair.b->SetSemiSync(SemiSyncRole::kReplica, In(Seconds(10))));
  EXPECT_TRUE(WaitUntil(Seconds(10), [&] { return StateOf(*pair.b).semi_sync.replica_active; }));
  // A degraded primary already counts who could acknowledge: that is how it learns that it may wait
  // again.
  EXPECT_TRUE(
      WaitUntil(Seconds(10), [&] { return StateOf(*pair.a).semi_sync.acknowledgers == 1; }));
  EXPECT_OK(pair.a->SetSemiSync(SemiSyncRole::kSource, In(Seconds(10))));
}

TEST_P(SemiSyncTest, StateTellsBothSides) {
  Pair pair(GetParam());
  MakeSemiSync(pair);
  EXPECT_OK(Mark(*pair.a, 2));
  EXPECT_EQ(StateOf(*pair.a).semi_sync, (SemiSyncSeen{.source_enabled = true,
                                                      .source_waiting = true,
                                                      .waits_without_replica = true,
                                                      .acknowledgers = 1,
                                                      .replica_enabled = false,
                                                      .replica_active = false}));
  EXPECT_EQ(StateOf(*pair.b).semi_sync, (SemiSyncSeen{.source_enabled = false,
                                                      .source_waiting = false,
                                                      .waits_without_replica = true,
                                                      .acknowledgers = 0,
                                                      .replica_enabled = true,
                                                      .replica_active = true}));
  // Repeating a role changes nothing.
  EXPECT_OK(pair.a->SetSemiSync(SemiSyncRole::kSource, In(Seconds(10))));
  EXPECT_OK(pair.b->SetSemiSync(SemiSyncRole::kReplica, In(Seconds(10))));
  EXPECT_OK(Mark(*pair.a, 3));
  EXPECT_OK(pair.a->SetSemiSync(SemiSyncRole::kOff, In(Seconds(10))));
  EXPECT_FALSE(StateOf(*pair.a).semi_sync.source_enabled);
}

TEST_P(SemiSyncTest, AWriteWaitsForTheReplicaAndNothingUnblocksItButTheReplica) {
  Pair pair(GetParam());
  MakeSemiSync(pair);
  EXPECT_OK(pair.b->StopReceiving(In(Seconds(10))));
  ASSERT_TRUE(
      WaitUntil(Seconds(10), [&] { return StateOf(*pair.a).semi_sync.acknowledgers == 0; }));

  const TimePoint began = SystemClock().Now().mono;
  const Status blocked = Mark(*pair.a, 2, Milliseconds(400));
  const Duration took = SystemClock().Now().mono - began;
  ASSERT_FALSE(blocked.ok());
  EXPECT_EQ(blocked.error().code, ErrorCode::kTimeout) << blocked.error().message;
  EXPECT_GE(took, Milliseconds(399));
  EXPECT_LE(took, Milliseconds(450));

  for (const SemiSyncRole role : {SemiSyncRole::kOff, SemiSyncRole::kReplica}) {
    const Status refused = pair.a->SetSemiSync(role, In(Seconds(5)));
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, ErrorCode::kRefused);
  }
  const Status held_up = pair.a->SetReadOnly(In(Milliseconds(1500)));
  ASSERT_FALSE(held_up.ok());
  EXPECT_EQ(held_up.error().code, ErrorCode::kConflict) << held_up.error().message;
  // Neither the lost connection nor the failed read_only made the row visible.
  EXPECT_EQ(MarkerSeenBy(*pair.a), Epoch(1));
  EXPECT_TRUE(StateOf(*pair.a).semi_sync.source_waiting);

  pair.Follow(*pair.b, pair.one);
  EXPECT_TRUE(WaitUntil(Seconds(10), [&] { return MarkerSeenBy(*pair.a) == Epoch(2); }));
  EXPECT_TRUE(WaitUntil(Seconds(10), [&] { return MarkerSeenBy(*pair.b) == Epoch(2); }));
  EXPECT_OK(Mark(*pair.a, 3));
}

TEST_P(SemiSyncTest, DegradingIsAnOrderAndCanBeTakenBack) {
  Pair pair(GetParam());
  MakeSemiSync(pair);
  pair.two.Kill();
  EXPECT_FALSE(Mark(*pair.a, 2, Milliseconds(300)).ok());
  EXPECT_OK(pair.a->SetSemiSync(SemiSyncRole::kSourceDegraded, In(Seconds(5))));
  EXPECT_OK(Mark(*pair.a, 3, Seconds(5)));
  EXPECT_FALSE(StateOf(*pair.a).semi_sync.source_enabled);
  pair.two.Start();
  pair.b->Disconnect();
  pair.Follow(*pair.b, pair.one);
  MakeSemiSync(pair);
  EXPECT_OK(Mark(*pair.a, 4));
  EXPECT_TRUE(StateOf(*pair.a).semi_sync.source_waiting);
}

TEST_P(SemiSyncTest, APromotedReplicaWaitsForTheOldPrimary) {
  Pair pair(GetParam());
  MakeSemiSync(pair);
  EXPECT_OK(Mark(*pair.a, 2));
  pair.one.Kill();
  const TimePoint began = SystemClock().Now().mono;
  EXPECT_OK(pair.b->StopReceiving(In(Seconds(5))));
  EXPECT_OK(pair.b->ApplyReceived(In(Seconds(5))));
  EXPECT_OK(pair.b->LeaveReplication(In(Seconds(5))));
  EXPECT_OK(pair.b->SetSemiSync(SemiSyncRole::kSource, In(Seconds(5))));
  EXPECT_OK(pair.b->OpenWritable(In(Seconds(5))));
  std::cout << ToString(GetParam()) << ": promotion of an idle replica after kill -9 took "
            << (SystemClock().Now().mono - began).count() << " us\n";
  EXPECT_FALSE(Mark(*pair.b, 3, Milliseconds(300)).ok());
  pair.one.Start();
  pair.a->Disconnect();
  EXPECT_OK(pair.a->SetSemiSync(SemiSyncRole::kReplica, In(Seconds(5))));
  pair.Follow(*pair.a, pair.two);
  EXPECT_TRUE(WaitUntil(Seconds(10), [&] { return MarkerSeenBy(*pair.b) == Epoch(3); }));
  EXPECT_OK(Mark(*pair.b, 4));
}

// The first start with `block`: in the other order the pair waits for itself.
TEST_P(SemiSyncTest, WhatTheFirstReplicaNeedsIsMadeBeforeTheWaitingBegins) {
  TestServer one(GetParam(), 1, 1), two(GetParam(), 2, 2);
  const auto a = NodeFor(one), b = NodeFor(two);
  EXPECT_OK(b->SetSemiSync(SemiSyncRole::kSource, In(Seconds(5))));
  const Status waits = b->Provision(TestSpec(), TestPasswords(), In(Seconds(2)));
  ASSERT_FALSE(waits.ok());
  EXPECT_EQ(waits.error().code, ErrorCode::kTimeout) << waits.error().message;

  TestServer fresh(GetParam(), 3, 3);
  const auto replica = NodeFor(fresh);
  EXPECT_OK(a->Provision(TestSpec(), TestPasswords(), In(Seconds(10))));
  EXPECT_OK(a->SetSemiSync(SemiSyncRole::kSource, In(Seconds(5))));
  EXPECT_OK(a->OpenWritable(In(Seconds(5))));
  EXPECT_FALSE(Mark(*a, 1, Milliseconds(300)).ok()) << "nobody acknowledges yet";
  EXPECT_OK(replica->SetSemiSync(SemiSyncRole::kReplica, In(Seconds(5))));
  EXPECT_OK(replica->ReplicateFrom(one.address(), TestSpec().database.credentials.replication,
                                   TestPasswords().replication, In(Seconds(10))));
  EXPECT_TRUE(WaitUntil(Seconds(10), [&] { return MarkerSeenBy(*a) == Epoch(1); }));
}

TEST_P(SemiSyncTest, StopReceivingFromAFrozenPrimaryIsBounded) {
  Pair pair(GetParam());
  MakeSemiSync(pair);
  pair.one.Signal(SIGSTOP);
  const TimePoint began = SystemClock().Now().mono;
  EXPECT_OK(pair.b->StopReceiving(In(Seconds(5))));
  const auto took = std::chrono::duration_cast<Milliseconds>(SystemClock().Now().mono - began);
  std::cout << ToString(GetParam()) << ": StopReceiving from a frozen primary took " << took.count()
            << " ms\n";
  EXPECT_LT(took, Milliseconds(1500));
  pair.one.Signal(SIGCONT);
}

}  // namespace
}  // namespace pandora_ha::testing
