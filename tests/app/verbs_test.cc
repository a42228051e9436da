#include "reconciler/app/verbs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "reconciler/app/render.h"
#include "reconciler/model/json.h"
#include "tests/api/running.h"

namespace pandora_ha {
namespace {

using testing::HasSubstr;

class Verbs : public testing::Test {
 protected:
  void SetUp() override {
    running_.Start();
    options_.socket_path = running_.options.socket_path;
  }
  int Status() {
    out_.str("");
    err_.str("");
    return StatusVerb(options_, out_, err_);
  }

  Running running_;
  AskOptions options_;
  std::ostringstream out_, err_;
};

TEST_F(Verbs, StatusExitsByState) {
  running_.Pin(World());
  EXPECT_EQ(Status(), kExitHealthy);
  EXPECT_THAT(out_.str(), HasSubstr("Healthy: node1 is primary"));
  EXPECT_EQ(err_.str(), "");
  World degraded;
  degraded.Kill(2);
  running_.Pin(degraded);
  EXPECT_EQ(Status(), kExitDegraded);
  World failed;
  failed.Kill(1);
  running_.Pin(failed);
  EXPECT_EQ(Status(), kExitNoPrimary);
  World suspended;
  suspended.spec.suspend = true;
  running_.Pin(suspended);
  EXPECT_EQ(Status(), kExitDegraded);
  suspended.Kill(1);
  running_.Pin(suspended);
  EXPECT_EQ(Status(), kExitNoPrimary);
  World refused;
  refused.Silence(1, Contact::kDenied, "Access denied");
  running_.Pin(refused);
  EXPECT_EQ(Status(), kExitError);
}

TEST_F(Verbs, SeveralClustersAreShownTogetherAndTheWorstCounts) {
  World other;
  other.spec.name = "other";
  other.Kill(2);
  running_.Pin(World());
  running_.Pin(other);
  EXPECT_EQ(Status(), kExitDegraded);
  EXPECT_THAT(out_.str(), HasSubstr("pandora"));
  EXPECT_THAT(out_.str(), HasSubstr("other"));
  options_.form = OutputForm::kJson;
  Status();
  const auto document = ParseJson(out_.str());
  ASSERT_TRUE(document.ok()) << out_.str();
  ASSERT_EQ((*document)["clusters"].size(), 2u);
  EXPECT_EQ((*document)["clusters"][1]["nodes"].size(), 2u) << "each as when asked alone";
  options_.form = OutputForm::kTable;
  options_.cluster = "pandora";
  EXPECT_EQ(Status(), kExitHealthy);
  EXPECT_THAT(out_.str(), testing::Not(HasSubstr("other")));
  options_.cluster.clear();
  EXPECT_EQ(ExplainVerb(options_, out_, err_), kExitUsage);
  EXPECT_THAT(err_.str(), HasSubstr("--cluster NAME: other, pandora"));
}

TEST_F(Verbs, ARefusedDocumentIsSaid) {
  running_.refused = {{"/etc/x.yaml", "/etc/x.yaml:3:1: spec: no", 2}};
  EXPECT_EQ(Status(), kExitError);
  EXPECT_THAT(err_.str(), HasSubstr("Refused: /etc/x.yaml:3:1: spec: no (and 2 more)"));
  running_.Pin(World());
  EXPECT_EQ(Status(), kExitHealthy);
  EXPECT_THAT(err_.str(), HasSubstr("Refused: /etc/x.yaml:3:1"));
}

TEST_F(Verbs, JsonIsOneDocumentAndNothingElse) {
  running_.Pin(World());
  options_.form = OutputForm::kJson;
  options_.style.coloured = true;
  for (const auto& verb : {StatusVerb, TopologyVerb, ExplainVerb, PlanVerb}) {
    std::ostringstream out;
    EXPECT_EQ(verb(options_, out, err_), kExitHealthy);
    const auto document = ParseJson(out.str());
    ASSERT_TRUE(document.ok()) << out.str();
    EXPECT_EQ((*document)["name"], "pandora");
  }
  std::ostringstream out;
  EXPECT_EQ(HistoryVerb(options_, 5, out, err_), kExitHealthy);
  EXPECT_TRUE(ParseJson(out.str()).ok());
  EXPECT_EQ(err_.str(), "");
}

TEST_F(Verbs, TheOnlyClusterNeedsNoName) {
  EXPECT_EQ(Status(), kExitError);
  EXPECT_THAT(err_.str(), HasSubstr("has not looked"));
  running_.Pin(World());
  World other;
  other.spec.name = "other";
  EXPECT_EQ(Status(), kExitHealthy);
  running_.Pin(other);
  options_.cluster = "pandora";
  EXPECT_EQ(Status(), kExitHealthy);
  options_.cluster = "missing";
  EXPECT_EQ(Status(), kExitError);
  options_.cluster = "../x?y HTTP/1.1\r\nA: b";
  EXPECT_EQ(Status(), kExitUsage);
}

TEST_F(Verbs, NoManagerIsASentenceOnStderr) {
  options_.socket_path = "/tmp/no-such-folder-of-pandora-ha/api.sock";
  EXPECT_EQ(Status(), kExitError);
  EXPECT_EQ(out_.str(), "");
  EXPECT_THAT(err_.str(), HasSubstr("No manager answers at /tmp/no-such-folder"));
}

TEST_F(Verbs, WideShowsPositions) {
  running_.Pin(World());
  options_.form = OutputForm::kWide;
  EXPECT_EQ(Status(), kExitHealthy);
  EXPECT_THAT(out_.str(), HasSubstr("0-1-100"));
  EXPECT_THAT(out_.str(), HasSubstr("127.0.7.2:3306"));
}

TEST_F(Verbs, HistoryAndPlanSayWhenThereIsNothing) {
  running_.Pin(World());
  EXPECT_EQ(HistoryVerb(options_, 5, out_, err_), kExitHealthy);
  EXPECT_EQ(out_.str(), "Nothing has happened yet.\n");
  out_.str("");
  EXPECT_EQ(PlanVerb(options_, out_, err_), kExitHealthy);
  EXPECT_THAT(out_.str(), HasSubstr("Nothing is to be done."));
  running_.events.push_back({"i", WallTime(Seconds(1795366981)), Severity::kWarning, "FailoverDone",
                             NodeName("node2"), Epoch(4), "node2 is primary."});
  out_.str("");
  EXPECT_EQ(HistoryVerb(options_, 5, out_, err_), kExitHealthy);
  EXPECT_THAT(out_.str(), HasSubstr("FailoverDone  node2 is primary."));
}

TEST(Version, NamesItsParts) {
  std::ostringstream out;
  EXPECT_EQ(VersionVerb(OutputForm::kTable, {{"pandora-ha", "0.1.0"}}, out), kExitHealthy);
  EXPECT_EQ(out.str(), "pandora-ha 0.1.0\n");
  out.str("");
  VersionVerb(OutputForm::kJson, {{"pandora-ha", "0.1.0"}}, out);
  EXPECT_EQ((*ParseJson(out.str()))["pandora-ha"], "0.1.0");
}

// A manager of another version may answer: nothing is assumed of a document.
TEST(Rendering, SurvivesDocumentsOfAnotherVersion) {
  for (const char* text :
       {"{}", "[]", "null", "1", "{\"nodes\":[{}]}", "{\"nodes\":[1]}", "{\"findings\":[{}]}",
        "{\"blocked\":[{}],\"plan\":{\"steps\":[{}]}}", "{\"plan\":[]}", "{\"events\":[{}]}",
        "{\"observation\":{\"databases\":[{}],\"witnesses\":[{}]}}", "{\"publication\":[]}",
        "{\"plan\":{\"steps\":[{\"requires\":[1,null]}]}}"}) {
    const nlohmann::json document = *ParseJson(text);
    RenderStatus(document, true, {});
    RenderTopology(document, {});
    RenderPlan(document, {});
    RenderExplain(document, {});
    RenderHistory(document, true, {});
  }
}

}  // namespace
}  // namespace pandora_ha
