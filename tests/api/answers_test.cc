#include "reconciler/api/answers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "reconciler/model/json.h"
#include "tests/api/running.h"

namespace pandora_ha {
namespace {

using testing::HasSubstr;

class HandClock : public Clock {
 public:
  Instant Now() const override { return now; }
  std::string BootId() const override { return "boot"; }
  Instant now{TimePoint(Seconds(1000)), {}};
};

class AnswersTest : public testing::Test {
 protected:
  AnswersTest() : sources_(running_.Sources()) {}
  Answer Get(const std::string& target, Audience audience = Audience::kLocal) {
    return Answers(sources_).To(audience, {"GET", target});
  }
  nlohmann::json Document(const std::string& target) {
    const Answer answer = Get(target);
    EXPECT_EQ(answer.status, 200) << target << " " << answer.body;
    return *ParseJson(answer.body);
  }

  Running running_;
  ApiSources sources_;
};

TEST_F(AnswersTest, ServesTheStatusOfEveryCluster) {
  running_.Pin(World());
  EXPECT_EQ(Document("/api/v1/clusters")["clusters"][0]["name"], "pandora");
  const auto status = Document("/api/v1/clusters/pandora");
  EXPECT_EQ(status["state"], "Healthy");
  EXPECT_EQ(status["primary"], "node1");
  EXPECT_EQ(status["nodes"].size(), 2u);
}

TEST_F(AnswersTest, ExplainHoldsFactsRemediesAndEvents) {
  running_.events.push_back({"id", {}, Severity::kInfo, "ManagerStarted", {}, Epoch(3), "began"});
  World world;
  world.Kill(2);
  running_.Pin(world);
  const auto explain = Document("/api/v1/clusters/pandora/explain");
  for (const auto& finding : explain["findings"]) EXPECT_NE(finding["remedy"], "") << finding;
  EXPECT_EQ(explain["events"].size(), 1u);
  EXPECT_EQ(explain["observation"]["databases"][1]["process"]["value"]["howEnded"],
            "killed by signal 9");
  EXPECT_FALSE(explain["plan"]["steps"].empty());
}

TEST_F(AnswersTest, ABlockTellsWhenItEnds) {
  World world;
  world.spec.database.restart.allow = Seconds(30);
  world.Kill(1);
  world.node(1).process.mutable_value()->restart_inhibited = false;
  running_.board.Pin(std::make_shared<Snapshot>(world.Pin()));
  const auto blocked = Document("/api/v1/clusters/pandora/plan")["blocked"];
  ASSERT_EQ(blocked.size(), 1u);
  EXPECT_TRUE(blocked[0].contains("until"));
}

TEST_F(AnswersTest, HistoryIsLimited) {
  for (int i = 0; i < 80; ++i)
    running_.events.push_back({std::to_string(i), {}, Severity::kInfo, "X", {}, Epoch(1), ""});
  running_.Pin(World());
  EXPECT_EQ(Document("/api/v1/clusters/pandora/history")["events"].size(), 50u);
  EXPECT_EQ(Document("/api/v1/clusters/pandora/history?limit=3")["events"][2]["id"], "79");
  for (const char* limit : {"0", "-1", "x", "", "1001", "99999999999999999999", "3x"}) {
    EXPECT_EQ(Get("/api/v1/clusters/pandora/history?limit=" + std::string(limit)).status, 400)
        << limit;
  }
}

TEST_F(AnswersTest, ABrokenHistoryIsAnErrorThereAndNoneInExplain) {
  running_.history_broken = true;
  running_.Pin(World());
  EXPECT_EQ(Get("/api/v1/clusters/pandora/history").status, 500);
  EXPECT_EQ(Get("/api/v1/clusters/pandora/explain").status, 200);
}

TEST_F(AnswersTest, UnknownAddressesAre404) {
  running_.Pin(World());
  for (const char* target :
       {"/", "", "*", "/api", "/api/v1/clusters/", "/api/v1/clusters/other",
        "/api/v1/clusters/pandora/", "/api/v1/clusters/pandora/x", "/api/v1/clustersx",
        "/api/v1/clusters/..", "/api/v1/clusters/%2e%2e/%2e%2e/etc/passwd", "/../etc/passwd",
        "//metrics", "/metrics/", "http://x/metrics", "/healthz%00", "?",
        "/api/v1/clusters/pandora/plan/x"}) {
    EXPECT_EQ(Get(target).status, 404) << target;
  }
}

TEST_F(AnswersTest, TheNetworkSeesProbesAndMetricsOnly) {
  running_.Pin(World());
  for (const char* target : {"/healthz", "/readyz", "/metrics"})
    EXPECT_EQ(Get(target, Audience::kNetwork).status, 200) << target;
  for (const char* target :
       {"/api/v1/clusters", "/api/v1/clusters/pandora", "/api/v1/clusters/pandora/explain"})
    EXPECT_EQ(Get(target, Audience::kNetwork).status, 404) << target;
}

TEST_F(AnswersTest, OnlyGetAndHead) {
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE", "get", "X"}) {
    EXPECT_EQ(Answers(sources_).To(Audience::kLocal, {method, "/metrics"}).status, 405) << method;
    EXPECT_EQ(Answers(sources_).To(Audience::kLocal, {method, "/x"}).status, 404) << method;
  }
}

TEST_F(AnswersTest, ReadyOnceEveryClusterWasLookedAt) {
  sources_.clusters = [] {
    const TimePoint now = SystemClock().Now().mono;
    return std::map<std::string, TimePoint>{{"other", now}, {"pandora", now}};
  };
  EXPECT_EQ(Get("/readyz").status, 503);
  running_.Pin(World());
  EXPECT_EQ(Get("/readyz").status, 503);
  World other;
  other.spec.name = "other";
  running_.Pin(other);
  EXPECT_EQ(Get("/readyz").status, 200);
}

TEST(Health, ALoopThatStandsStillIsUnhealthy) {
  Running running;
  HandClock clock;
  ApiSources all = running.Sources();
  const auto since = [began = clock.now.mono] {
    return std::map<std::string, TimePoint>{{"pandora", began}};
  };
  const Answers answers({all.noticeboard, clock, since, {}, {}, Seconds(90)});
  const auto health = [&] { return answers.To(Audience::kNetwork, {"GET", "/healthz"}).status; };
  EXPECT_EQ(health(), 200);
  clock.now.mono += Seconds(89);
  EXPECT_EQ(health(), 200);
  clock.now.mono += Seconds(2);
  EXPECT_EQ(health(), 503);  // never a first look
  World world;
  world.seen.taken_at.mono = clock.now.mono;
  running.board.Pin(std::make_shared<Snapshot>(world.Pin()));
  EXPECT_EQ(health(), 200);
  clock.now.mono += Seconds(91);
  EXPECT_EQ(health(), 503);
}

TEST_F(AnswersTest, AnExceptionIsAnAnswer) {
  sources_.metrics = []() -> std::string { throw std::runtime_error("secret detail"); };
  const Answer answer = Get("/metrics");
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.body.find("secret"), std::string::npos);
}

}  // namespace
}  // namespace pandora_ha
