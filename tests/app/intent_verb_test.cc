// The verbs against a real server; what becomes of an intent is made up.
#include "reconciler/app/intent_verb.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "reconciler/app/change_of_roles.h"
#include "reconciler/app/render.h"
#include "reconciler/model/json.h"
#include "tests/api/running.h"

namespace pandora_ha {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

IntentRecord Record(const Intent& intent, IntentState state, const std::string& says) {
  IntentRecord record;
  record.intent = intent;
  record.state = state;
  record.says = says;
  record.not_before = record.give_up_at = TimePoint::max();  // the decision leaves it alone
  return record;
}

class IntentVerbs : public testing::Test {
 protected:
  void SetUp() override {
    running_.Start();
    running_.Pin(World());
    options_.ask.socket_path = running_.options.socket_path;
    options_.ask.timeout = Seconds(10);
    options_.intent.wish = Switchover{NodeName("node2"), false};
    options_.in = &in_;
    options_.interrupted = [this](Duration) {
      ++waits_;
      if (on_wait_) on_wait_();
      poll(nullptr, 0, 1);
      return false;
    };
  }
  int Run() {
    out_.str("");
    err_.str("");
    return IntentVerb(options_, out_, err_);
  }
  // As the loop would tell it; nothing is decided here.
  void Become(IntentState state, const std::string& says) {
    Snapshot snapshot = World().Pin();
    snapshot.decision.memory.intents = {Record(running_.inbox.All().at(0), state, says)};
    running_.board.Pin(std::make_shared<Snapshot>(std::move(snapshot)));
  }
  void BecomeAtOnce(IntentState state, const std::string& says) {
    running_.taken_up = [=, this] { Become(state, says); };
  }

  Running running_;
  IntentVerbOptions options_;
  std::istringstream in_;
  std::ostringstream out_, err_;
  std::function<void()> on_wait_;
  int waits_ = 0;
};

TEST_F(IntentVerbs, WithoutATerminalAndWithoutYesNothingIsSent) {
  for (const Wish& wish : {Wish(Switchover{}), Wish(ForcedFailover{}), Wish(Fence{})}) {
    options_.intent.wish = wish;
    EXPECT_EQ(Run(), kExitUnconfirmed);
    EXPECT_THAT(err_.str(), AllOf(HasSubstr("--yes"), HasSubstr("Nothing was sent")));
  }
  EXPECT_TRUE(running_.inbox.All().empty());
  EXPECT_EQ(out_.str(), "");
}

TEST_F(IntentVerbs, ATerminalIsShownWhatWillBeAndAsked) {
  options_.terminal = true;
  in_.str("no\n");
  EXPECT_EQ(Run(), kExitUnconfirmed);
  EXPECT_TRUE(running_.inbox.All().empty());
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("node1  primary           replica of node2"),
                                HasSubstr("node2  replica, lag 0 s  primary")))
      << err_.str();
  in_.clear();
  in_.str("");
  EXPECT_EQ(Run(), kExitUnconfirmed) << "the end of input is no yes";
  BecomeAtOnce(IntentState::kDone, "node2 is the primary (epoch 4).");
  in_.clear();
  in_.str("yes\n");
  EXPECT_EQ(Run(), kExitHealthy);
}

TEST(ChangeOfRoles, APromotionThatMayLoseRowsSaysHowMany) {
  const nlohmann::json status = {
      {"primary", "node1"},
      {"nodes",
       {{{"name", "node1"}, {"role", "unknown"}, {"contact", "silent"}},
        {{"name", "node2"}, {"role", "replica"}, {"lagSeconds", 0}, {"behind", 2926}}}}};
  const std::string counted = "primary, without the last 2926 transactions or more";
  EXPECT_THAT(RenderChange(status, ForcedFailover{{}, true}, "node2", Style()), HasSubstr(counted));
  EXPECT_THAT(RenderChange(status, ForcedFailover{}, "node2", Style()), Not(HasSubstr("without")));
}

TEST_F(IntentVerbs, ARefusalIsToldBeforeTheQuestion) {
  options_.terminal = true;
  running_.would = [](const Intent& intent) {
    return Record(intent, IntentState::kRefused, "node2 is 400 s behind.");
  };
  EXPECT_EQ(Run(), kExitRefused);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("node2 is 400 s behind."), Not(HasSubstr("Type yes"))));
  EXPECT_TRUE(running_.inbox.All().empty());
}

TEST_F(IntentVerbs, ItIsFollowedToItsEndAndShown) {
  options_.yes = true;
  on_wait_ = [this] {
    if (waits_ == 2) Become(IntentState::kUnderWay, "Checked; node2 can take over.");
    if (waits_ == 4) Become(IntentState::kDone, "node2 is the primary (epoch 4).");
  };
  EXPECT_EQ(Run(), kExitHealthy);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("pending"), HasSubstr("under way"),
                                HasSubstr("Checked; node2 can take over.")));
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("done"), HasSubstr("Before\n"), HasSubstr("Now\n"),
                                HasSubstr("+- node2")));
}

TEST_F(IntentVerbs, TheExitCodeIsItsEnd) {
  options_.yes = true;
  BecomeAtOnce(IntentState::kRefused, "No.");
  EXPECT_EQ(Run(), kExitRefused);
  EXPECT_THAT(out_.str(), HasSubstr("No."));
  for (const IntentState state : {IntentState::kTakenBack, IntentState::kSuperseded}) {
    running_.inbox.Close("begin anew");
    running_.inbox.Close("");
    BecomeAtOnce(state, "Not.");
    EXPECT_EQ(Run(), kExitRefused);
  }
}

TEST_F(IntentVerbs, AfterTheDeadlineItSaysThatItMayStillHappen) {
  options_.yes = true;
  options_.ask.timeout = Milliseconds(30);
  EXPECT_EQ(Run(), kExitTimeout);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("may still happen"), HasSubstr("pandora-ha status")));
  EXPECT_EQ(out_.str(), "");
  options_.ask.timeout = Seconds(10);
  options_.interrupted = [](Duration) { return true; };
  EXPECT_EQ(Run(), kExitTimeout);
}

TEST_F(IntentVerbs, AManagerThatForgotItOrActsNoMoreIsAnError) {
  options_.yes = true;
  on_wait_ = [this] { running_.inbox.Close("Another manager acts."); };
  EXPECT_EQ(Run(), kExitError);
  EXPECT_THAT(err_.str(), HasSubstr("No such intent is known"));
  EXPECT_EQ(Run(), kExitError);
  EXPECT_THAT(err_.str(), HasSubstr("Another manager acts."));
}

TEST_F(IntentVerbs, SmallOnesAreNotConfirmedAndShowNoTopology) {
  options_.intent.wish = Pause{std::nullopt, Seconds(90)};
  options_.intent.reason = "new disk";
  BecomeAtOnce(IntentState::kDone, "The cluster is paused.");
  EXPECT_EQ(Run(), kExitHealthy);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("new disk"), Not(HasSubstr("Before"))));
  running_.taken_up = nullptr;
  running_.inbox.Close("begin anew");
  running_.inbox.Close("");
  options_.wait = false;
  EXPECT_EQ(Run(), kExitHealthy);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("pending"), HasSubstr("Not waited for")));
}

TEST_F(IntentVerbs, WhatTheManagerFindsWrongIsUsage) {
  options_.intent.wish = Resume{NodeName("Not A Node")};
  EXPECT_EQ(Run(), kExitUsage);
  EXPECT_THAT(err_.str(), HasSubstr("\"node\" must be the name of a node"));
}

TEST_F(IntentVerbs, JsonIsOneDocumentAndNothingElse) {
  options_.yes = true;
  options_.ask.form = OutputForm::kJson;
  BecomeAtOnce(IntentState::kDone, "Done.");
  EXPECT_EQ(Run(), kExitHealthy);
  const auto document = ParseJson(out_.str());
  ASSERT_TRUE(document.ok()) << out_.str();
  EXPECT_EQ((*document)["intent"]["state"], "done");
  EXPECT_EQ((*document)["before"]["primary"], "node1");
  EXPECT_TRUE(document->contains("after"));
  options_.dry_run = true;
  running_.would = [](const Intent& intent) {
    return Record(intent, IntentState::kRefused, "No.");
  };
  EXPECT_EQ(Run(), kExitRefused);
  EXPECT_EQ((*ParseJson(out_.str()))["dryRun"], true);
}

TEST_F(IntentVerbs, ADryRunDoesNotSayThatAnythingIsUnderWay) {
  options_.dry_run = true;
  running_.would = [](const Intent& intent) {
    return Record(intent, IntentState::kUnderWay, "Waiting.");
  };
  EXPECT_EQ(Run(), kExitHealthy);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("would be taken up; asked by"), HasSubstr("AFTERWARDS"),
                                HasSubstr("A dry run"), Not(HasSubstr("under way"))))
      << out_.str();
}

TEST_F(IntentVerbs, StatusAndExplainShowWhatPeopleAskedFor) {
  World world;
  const WallTime since = world.seen.taken_at.wall;
  world.memory.guards.paused = Guard{"ana", "new disk", since, since + Seconds(3600)};
  world.memory.guards.fenced_nodes[NodeName("node2")] = Guard{"root", "", since, std::nullopt};
  world.memory.failed_over_at = world.seen.taken_at.mono;
  IntentRecord under_way = Record({"switchover-1", Switchover{}, "ana", "kernel", since, {}},
                                  IntentState::kUnderWay, "node1 is being closed.");
  under_way.give_up_at = world.seen.taken_at.mono + Seconds(60);
  world.memory.intents = {
      Record({"switchover-0", Switchover{}, "bob", "", since, {}}, IntentState::kRefused, "No."),
      under_way};
  Snapshot snapshot;
  snapshot.spec = world.spec;
  snapshot.seen = world.seen;
  snapshot.decision.memory = world.memory;
  snapshot.status = StatusOf(world.spec, world.seen, snapshot.decision, {});
  running_.board.Pin(std::make_shared<Snapshot>(snapshot));
  EXPECT_NE(StatusVerb(options_.ask, out_, err_), kExitUsage);
  const std::string status = out_.str();
  const std::string until = ShortTime(FormatWallTime(since + Seconds(3600)));
  EXPECT_THAT(status,
              AllOf(HasSubstr("the cluster is paused by ana since"), HasSubstr("until " + until),
                    HasSubstr(": new disk"), HasSubstr("node2 is fenced by root since"),
                    HasSubstr("is not acknowledged yet: until"), HasSubstr("; `pandora-ha ack`"),
                    HasSubstr("switchover: under way, until"), HasSubstr("asked by ana at"),
                    HasSubstr("node1 is being closed."), Not(HasSubstr("bob"))))
      << status;
  out_.str("");
  ExplainVerb(options_.ask, out_, err_);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("asked by bob"), HasSubstr("node2 is fenced")));
}

}  // namespace
}  // namespace pandora_ha
