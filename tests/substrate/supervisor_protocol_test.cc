#include "reconciler/substrate/local/supervisor_protocol.h"

#include <gtest/gtest.h>

namespace pandora_ha {
namespace {

TEST(SupervisorProtocol, StateSurvivesTheWire) {
  SupervisorState state;
  state.supervisor_pid = 12;
  state.process = {ProcessState::Phase::kEnded,
                   0,
                   "killed by \"signal\" 9\n",
                   TimePoint(Microseconds(77)),
                   true,
                   true,
                   true};
  state.process.copy =
      CopySeen{"c", CopySeen::Phase::kFailed, 1, 2, TimePoint(Seconds(3)), "how", "no"};
  state.process.archive = ArchiveSeen{{"a", JobSeen::Phase::kDone, 4, 4, "", false}, "/place", {}};
  state.process.archive->divergence.tables["t"] = {1, 2, 3};
  state.process.merge =
      MergeSeen{{"a@1.0", JobSeen::Phase::kFailed, 5, 6, "later", true}, {7, 8, 9, 10}};
  state.process.rewind = JobSeen{"a@2", JobSeen::Phase::kFailed, 1, 2, "never", false, true};
  state.process.verification =
      VerificationSeen{{"verify-1.0", JobSeen::Phase::kDone, 9, 9, "", false},
                       "tevento: 1 row only on node1",
                       false};
  std::string buffer = PrintState(state);
  const auto line = TakeLine(&buffer);
  ASSERT_TRUE(line);
  EXPECT_TRUE(buffer.empty());
  const auto message = ParseMessage(*line);
  ASSERT_TRUE(message.ok()) << message.error().message;
  EXPECT_EQ(message->state, state);
}

TEST(SupervisorProtocol, RequestSurvivesTheWire) {
  SupervisorRequest request;
  request.id = 5;
  request.unfence = true;
  request.serve = {"/usr/sbin/mariadbd", "--x"};
  request.serve_again = {"/usr/sbin/mariadbd"};
  request.initialise = {{"/bin/true"}, "before\n", "after\n", {"/a/file"}};
  request.restart_allowed = Seconds(9);
  const auto read = ParseRequest(PrintRequest(request));
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(PrintRequest(*read), PrintRequest(request));
}

TEST(SupervisorProtocol, OrdersOfJobsSurviveTheWire) {
  for (const SupervisorVerb verb :
       {SupervisorVerb::kArchive, SupervisorVerb::kMerge, SupervisorVerb::kStopMerge,
        SupervisorVerb::kRewind, SupervisorVerb::kVerify}) {
    SupervisorRequest request;
    request.verb = verb;
    request.job_id = "a@1.0";
    request.job = {{"/bin/true"}, "the order", {}, {}};
    const auto read = ParseRequest(PrintRequest(request));
    ASSERT_TRUE(read.ok()) << read.error().message;
    EXPECT_EQ(read->verb, verb);
    EXPECT_EQ(read->job_id, "a@1.0");
    EXPECT_EQ(PrintRequest(*read), PrintRequest(request));
  }
}

TEST(SupervisorProtocol, AnswersSurviveTheWire) {
  const auto good = ParseMessage(PrintAnswer(3, Ok()));
  ASSERT_TRUE(good.ok());
  EXPECT_EQ(good->answer_to, 3U);
  EXPECT_FALSE(good->error);
  const Error error{ErrorCode::kRefused, "no", 4};
  const auto bad = ParseMessage(PrintAnswer(4, error));
  ASSERT_TRUE(bad.ok());
  EXPECT_EQ(bad->error, error);
}

TEST(SupervisorProtocol, MalformedLinesAreErrors) {
  for (const char* line :
       {"", "{", "[]", "null", "7", "{}", R"({"id":-1})", R"({"id":1,"do":"dance"})",
        R"({"id":1,"do":7})", R"({"id":"x","do":"stop"})", R"({"id":1,"do":"start"})",
        R"({"id":1,"do":"start","unfence":1,"serve":[]})", "\xff\xfe",
        R"({"id":1,"do":"start","unfence":true,"serve":[],"serveAgain":["x"],
                               "restartSeconds":0,"initialise":{"argv":["x"],"before":"","files":[],"after":""}})"}) {
    const auto request = ParseRequest(line);
    ASSERT_FALSE(request.ok()) << line;
    EXPECT_EQ(request.error().code, ErrorCode::kInvalid);
  }
  EXPECT_FALSE(ParseRequest(std::string(50000, '[')).ok());
  EXPECT_FALSE(ParseMessage(R"({"state":{"phase":"running"}})").ok());
  EXPECT_FALSE(ParseMessage(R"({"id":1,"error":{"code":99,"message":"","number":0}})").ok());
}

}  // namespace
}  // namespace pandora_ha
