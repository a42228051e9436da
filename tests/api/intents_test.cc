// Asking over a real socket; what is decided is made up.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "reconciler/api/unix_socket.h"
#include "reconciler/model/json.h"
#include "tests/api/running.h"

namespace pandora_ha {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::StartsWith;

constexpr char kIntents[] = "/api/v1/clusters/pandora/intents";

class Intents : public testing::Test {
 protected:
  void SetUp() override {
    running_.Start();
    running_.Pin(World());
  }
  Result<json> Post(const json& body, const std::string& target = kIntents) {
    return ApiClient(running_.options.socket_path).Post(target, body, running_.Soon());
  }
  Result<json> Get(const std::string& target) {
    return ApiClient(running_.options.socket_path).Get(target, running_.Soon());
  }
  void Remember(const Intent& intent, IntentState state) {
    World world;
    IntentRecord record;
    record.intent = intent;
    record.state = state;
    record.says = "Done.";
    world.memory.intents = {record};
    running_.Pin(world);
    running_.inbox.Drop(intent.id);
  }

  const json switchover_ = {
      {"id", "switchover-1"}, {"kind", "switchover"}, {"to", "node2"}, {"reason", "kernel"}};
  Running running_;
};

TEST_F(Intents, AreTakenKeptAndToldUntilTheyAreOver) {
  const auto asked = Post(switchover_);
  ASSERT_TRUE(asked.ok()) << asked.error().message;
  EXPECT_EQ((*asked)["state"], "pending");
  EXPECT_EQ((*asked)["by"], UserName(geteuid()));
  EXPECT_NE((*asked)["askedAt"], FormatWallTime({}));
  ASSERT_EQ(running_.inbox.All().size(), 1u);
  const Intent intent = running_.inbox.All()[0];
  EXPECT_EQ(intent.wish, Wish(Switchover{NodeName("node2"), false}));
  EXPECT_EQ((*Get(std::string(kIntents) + "/switchover-1"))["state"], "pending");
  EXPECT_EQ((*Get(kIntents))["intents"].size(), 1u);
  ASSERT_TRUE(Post(switchover_).ok());
  EXPECT_EQ(running_.inbox.All().size(), 1u) << "the same id is the same intent";
  Remember(intent, IntentState::kDone);
  EXPECT_EQ((*Get(std::string(kIntents) + "/switchover-1"))["state"], "done");
  EXPECT_EQ((*Get(kIntents))["intents"].size(), 1u);
  EXPECT_EQ((*Post(switchover_))["state"], "done");
  EXPECT_TRUE(running_.inbox.All().empty()) << "nothing is done twice";
}

TEST_F(Intents, RefusalsAreSentencesAndLeaveNothing) {
  const auto refused = [&](const json& body, ErrorCode code, const std::string& why,
                           const std::string& target = kIntents) {
    const auto answer = Post(body, target);
    ASSERT_FALSE(answer.ok()) << why;
    EXPECT_EQ(answer.error().code, code) << why;
    EXPECT_THAT(answer.error().message, HasSubstr(why));
  };
  refused({{"kind", "switchover"}}, ErrorCode::kInvalid, "\"id\" must be");
  json lying = switchover_;
  lying["by"] = "somebody-else";
  refused(lying, ErrorCode::kInvalid, "\"by\" is no field");
  refused(switchover_, ErrorCode::kNotFound, "no such cluster", "/api/v1/clusters/x/intents");
  refused(switchover_, ErrorCode::kInvalid, "dryRun=true", std::string(kIntents) + "?dryRun=1");
  EXPECT_TRUE(running_.inbox.All().empty());
  ASSERT_TRUE(Post(switchover_).ok());
  json other = switchover_;
  other["to"] = "node1";
  refused(other, ErrorCode::kConflict, "choose a new one");
  running_.inbox.Close("Another manager acts.");
  json later = switchover_;
  later["id"] = "switchover-2";
  refused(later, ErrorCode::kConflict, "Another manager acts.");
  EXPECT_THAT(Get(std::string(kIntents) + "/unknown").error().message, HasSubstr("No such intent"));
}

TEST_F(Intents, ADryRunKeepsNothing) {
  running_.would = [](const Intent& intent) {
    IntentRecord record;
    record.intent = intent;
    record.state = IntentState::kRefused;
    record.says = "node2 does not follow.";
    return record;
  };
  const auto told = Post(switchover_, std::string(kIntents) + "?dryRun=true");
  ASSERT_TRUE(told.ok()) << told.error().message;
  EXPECT_EQ((*told)["dryRun"], true);
  EXPECT_EQ((*told)["intent"]["state"], "refused");
  EXPECT_EQ((*told)["intent"]["says"], "node2 does not follow.");
  EXPECT_TRUE(told->contains("plan"));
  EXPECT_TRUE(running_.inbox.All().empty());
}

TEST_F(Intents, OnlyTheUnixSocketTakesThem) {
  const std::string body = PrintJson(switchover_);
  const std::string request = std::string("POST ") + kIntents +
                              " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: " +
                              std::to_string(body.size()) + "\r\n\r\n" + body;
  EXPECT_THAT(RawPeer(running_.server->tcp_port()).Ask(request), StartsWith("HTTP/1.1 404"));
  EXPECT_TRUE(running_.inbox.All().empty());
}

TEST_F(Intents, OtherMethodsAndAClusterThatWasNotLookedAt) {
  const Answers answers(running_.Sources());
  const auto wrong = answers.To(Audience::kLocal, {"PUT", kIntents});
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.allow, "GET, HEAD, POST");
  EXPECT_EQ(answers.To(Audience::kLocal, {"POST", "/api/v1/clusters/pandora"}).status, 405);
  EXPECT_EQ(answers.To(Audience::kLocal, {"POST", "/api/v1/clusters"}).status, 405);
  EXPECT_EQ(answers.To(Audience::kLocal, {"POST", kIntents, "{"}).status, 400);
  Running fresh;
  EXPECT_EQ(Answers(fresh.Sources()).To(Audience::kLocal, {"POST", kIntents, "{}"}).status, 503);
  ApiSources deaf = running_.Sources();
  deaf.intents = {};
  EXPECT_EQ(Answers(deaf).To(Audience::kLocal, {"GET", kIntents}).status, 404);
  EXPECT_EQ(Answers(deaf).To(Audience::kLocal, {"POST", kIntents}).status, 405);
}

}  // namespace
}  // namespace pandora_ha
