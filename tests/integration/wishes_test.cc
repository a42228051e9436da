// Real servers: what a person asks for beside a switchover.
#include "tests/integration/on_servers.h"

namespace pandora_ha {
namespace {

class Wishes : public OnServers {
 protected:
  void SetUp() override {
    OnServers::SetUp();
    if (IsSkipped()) return;
    cluster_ = std::make_unique<TestCluster>(*flavor_);
    cluster_->StartManager();
    ASSERT_TRUE(WaitWhole(*cluster_));
  }

  IntentState Ask(Wish wish, Seconds within = Seconds(20)) {
    const auto record = cluster_->WaitForEnd(cluster_->HandIn(std::move(wish), within));
    if (!record) return IntentState::kUnderWay;
    std::printf("%s: %s: %s\n", GetParam(), std::string(ToString(record->state)).c_str(),
                record->says.c_str());
    return record->state;
  }

  std::unique_ptr<TestCluster> cluster_;
};
ON_SERVERS(Wishes, "MariaDB", "MySQL");

TEST_P(Wishes, AForcedFailoverOfAHealthyPrimaryIsRefused) {
  EXPECT_EQ(Ask(ForcedFailover{kNode2}), IntentState::kRefused);
  EXPECT_EQ(cluster_->Primary(), kNode1);
  EXPECT_TRUE(WaitWhole(*cluster_));
}

TEST_P(Wishes, AForcedFailoverTakesAnEndedPrimaryThatNobodyMayReplace) {
  // Without a right to a lossless promotion the policy consistency waits for a person.
  const auto writer = cluster_->NewClient(true, Milliseconds(2));
  ASSERT_TRUE(WaitUntil("rows", [&] { return writer->Count().acknowledged > 20; }));
  ASSERT_EQ(Ask(Pause{std::nullopt, std::nullopt}), IntentState::kDone);
  cluster_->Signal(kNode1, SIGKILL);
  ASSERT_TRUE(cluster_->WaitFor(
      "a block", [](const Snapshot& s) { return HasBlock(s, BlockReason::kPaused); }));
  usleep(1'000'000);
  EXPECT_EQ(cluster_->Primary(), kNode1) << "paused: nobody is moved";
  EXPECT_EQ(Ask(ForcedFailover{kNode2}), IntentState::kRefused) << "paused";
  ASSERT_EQ(Ask(Resume{}), IntentState::kDone);
  ASSERT_TRUE(cluster_->WaitFor("node2 is primary", [](const Snapshot& s) {
    return s.status.primary == kNode2 && !s.decision.memory.promotion;
  }));
  bool follows = false;
  ExpectFollowsOrIsDiverged(*cluster_, kNode1, &follows);
  const auto lost = cluster_->CountLost(*writer);
  ASSERT_TRUE(lost.ok()) << lost.error().message;
  EXPECT_EQ(*lost, 0u);
  EXPECT_TRUE(cluster_->Last()->status.failed_over_at);
  ASSERT_EQ(Ask(Acknowledge{}), IntentState::kDone);
  EXPECT_FALSE(cluster_->Last()->status.failed_over_at);
}

TEST_P(Wishes, AFencedReplicaStaysDownUntilItIsUnfenced) {
  ASSERT_EQ(Ask(Fence{kNode1}), IntentState::kRefused) << "the primary, without the word";
  ASSERT_EQ(Ask(Fence{kNode2}), IntentState::kDone);
  ASSERT_TRUE(cluster_->WaitFor("node2 is down", [](const Snapshot& s) {
    const DatabaseSeen* node2 = FindSeen(s.seen, kNode2);
    return node2->process.known() && node2->process->phase == ProcessState::Phase::kEnded;
  }));
  usleep(2'000'000);
  EXPECT_NE(cluster_->Last()->status.state, ClusterState::kHealthy);
  EXPECT_EQ(Ask(Switchover{kNode2}), IntentState::kRefused);
  ASSERT_EQ(Ask(Unfence{kNode2}), IntentState::kDone);
  ASSERT_TRUE(WaitWhole(*cluster_));
  EXPECT_EQ(cluster_->Primary(), kNode1);
}

TEST_P(Wishes, AFencedPrimaryIsReplaced) {
  const auto writer = cluster_->NewClient(true, Milliseconds(2));
  ASSERT_TRUE(WaitUntil("rows", [&] { return writer->Count().acknowledged > 20; }));
  ASSERT_EQ(Ask(Fence{kNode1, true}), IntentState::kDone);
  ASSERT_TRUE(cluster_->WaitFor("node2 is primary", [](const Snapshot& s) {
    return s.status.primary == kNode2 && !s.decision.memory.promotion;
  }));
  ASSERT_EQ(Ask(Unfence{kNode1}), IntentState::kDone);
  const auto lost = cluster_->CountLost(*writer);
  ASSERT_TRUE(lost.ok()) << lost.error().message;
  EXPECT_EQ(*lost, 0u);
}

TEST_P(Wishes, APausedReplicaIsNotTouched) {
  ASSERT_EQ(Ask(Pause{kNode2, std::nullopt}), IntentState::kDone);
  ASSERT_TRUE(cluster_->Ask(kNode2, mysql() ? "STOP REPLICA" : "STOP SLAVE").ok());
  ASSERT_TRUE(cluster_->WaitFor("it is seen", [](const Snapshot& s) {
    const DatabaseSeen* node2 = FindSeen(s.seen, kNode2);
    return node2->state.known() && node2->state->replication &&
           node2->state->replication->io == ThreadState::kStopped;
  }));
  usleep(1'500'000);
  const auto last = cluster_->Last();
  const DatabaseSeen* node2 = FindSeen(last->seen, kNode2);
  ASSERT_TRUE(node2->state.known() && node2->state->replication);
  EXPECT_EQ(node2->state->replication->io, ThreadState::kStopped);
  ASSERT_EQ(Ask(Resume{kNode2}), IntentState::kDone);
  ASSERT_TRUE(WaitWhole(*cluster_));
}

}  // namespace
}  // namespace pandora_ha
