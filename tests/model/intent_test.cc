// What a stranger may send as an intent, and what is told of one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "reconciler/model/json.h"

namespace pandora_ha {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::string WhyNot(const json& body) {
  const auto read = IntentFromJson(body);
  if (read.ok()) return "accepted";
  EXPECT_EQ(read.error().code, ErrorCode::kInvalid);
  return read.error().message;
}

json With(json body, const char* key, json value) {
  body[key] = std::move(value);
  return body;
}

const json kSwitchover = {{"id", "switchover-1"}, {"kind", "switchover"}};

TEST(IntentBody, EveryKindComesBackAsItWas) {
  const std::vector<Wish> all = {Switchover{},
                                 Switchover{NodeName("node2"), true},
                                 ForcedFailover{NodeName("node2"), true},
                                 Pause{},
                                 Pause{NodeName("node1"), Seconds(90)},
                                 Resume{NodeName("node1")},
                                 Fence{NodeName("node2"), true},
                                 Unfence{NodeName("node2")},
                                 Acknowledge{}};
  for (const Wish& wish : all) {
    const Intent intent{"an-intent", wish, "", "new disk, señor 日本", {}, Seconds(60)};
    const auto read = IntentFromJson(*ParseJson(PrintJson(ToJson(intent))));
    ASSERT_TRUE(read.ok()) << read.error().message;
    EXPECT_EQ(*read, intent) << Describe(wish);
  }
  EXPECT_EQ(IntentFromJson(With(kSwitchover, "withinSeconds", 5))->within, Seconds(5));
}

TEST(IntentBody, EveryProblemIsToldAtOnce) {
  const std::string why = WhyNot({{"id", "X"},
                                  {"kind", "switchover"},
                                  {"to", "Node_2"},
                                  {"endTransactions", 1},
                                  {"withinSeconds", 0},
                                  {"reason", std::string(257, 'a')},
                                  {"by", "root"},
                                  {"node", "node1"}});
  EXPECT_THAT(why, AllOf(HasSubstr("\"id\" must be"), HasSubstr("\"to\" must be the name"),
                         HasSubstr("\"endTransactions\" must be true or false"),
                         HasSubstr("\"withinSeconds\" must be a whole number"),
                         HasSubstr("\"reason\" must be"), HasSubstr("\"by\" is no field"),
                         HasSubstr("\"node\" is no field of this intent (switchover has id")));
}

TEST(IntentBody, IsNotTrusted) {
  EXPECT_THAT(WhyNot(json::array()), HasSubstr("must be a JSON object"));
  EXPECT_THAT(WhyNot(json::object()), AllOf(HasSubstr("\"id\""), HasSubstr("\"kind\"")));
  EXPECT_THAT(WhyNot(With(kSwitchover, "kind", "reboot")), HasSubstr("one of switchover, fail"));
  EXPECT_THAT(WhyNot(With(kSwitchover, "kind", 7)), HasSubstr("\"kind\" must be"));
  for (const char* id : {"short", "Upper-case", "with space", "../../etc/passwd", ""})
    EXPECT_THAT(WhyNot(With(kSwitchover, "id", id)), HasSubstr("\"id\"")) << id;
  EXPECT_THAT(WhyNot(With(kSwitchover, "id", std::string(65, 'a'))), HasSubstr("\"id\""));
  for (const char* name : {"", "-a", "a-", "a.b", "a b", "a\n"})
    EXPECT_THAT(WhyNot(With(kSwitchover, "to", name)), HasSubstr("\"to\"")) << name;
  EXPECT_THAT(WhyNot(With(kSwitchover, "to", nullptr)), HasSubstr("\"to\""));
  for (const json& within : {json(0), json(-1), json(3601), json(1.5), json("5"), json(1e99)})
    EXPECT_THAT(WhyNot(With(kSwitchover, "withinSeconds", within)), HasSubstr("3600"));
  EXPECT_THAT(WhyNot({{"id", "an-intent"}, {"kind", "fence"}}), HasSubstr("\"node\" must be"));
  const json pause = {{"id", "an-intent"}, {"kind", "pause"}, {"reason", "disk"}};
  EXPECT_EQ(WhyNot(pause), "accepted");
  EXPECT_EQ(WhyNot(With(pause, "lastsSeconds", 2592000)), "accepted");
  EXPECT_THAT(WhyNot(With(pause, "lastsSeconds", 2592001)), HasSubstr("2592000"));
  EXPECT_THAT(WhyNot(With(pause, "withinSeconds", 5)), HasSubstr("is no field"));
  EXPECT_THAT(WhyNot({{"id", "an-intent"}, {"kind", "pause"}}), HasSubstr("will want to know"));
}

TEST(IntentBody, AReasonSteersNoTerminal) {
  for (const char* reason :
       {"a\x1b[2J", "two\nlines", "tab\t", "\x7f", "\xc2\x9b", "\xe2\x80\xae", "\xe2\x80\xa8",
        "\xff", "\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80", "cut \xe2\x80"}) {
    EXPECT_THAT(WhyNot(With(kSwitchover, "reason", reason)), HasSubstr("control characters"));
  }
  EXPECT_THAT(WhyNot(With(kSwitchover, "a\x1b", 1)), Not(HasSubstr("\x1b")));
}

TEST(IntentRecordJson, TellsWhoAskedAndUntilWhen) {
  IntentRecord record;
  record.intent = {"switchover-1", Switchover{NodeName("node2"), false}, "ana", "kernel", {}, {}};
  record.give_up_at = TimePoint(Seconds(1060));
  const Instant now{TimePoint(Seconds(1000)), WallTime(Seconds(1795366981))};
  const json told = ToJson(record, now);
  EXPECT_EQ(told["by"], "ana");
  EXPECT_EQ(told["to"], "node2");
  EXPECT_EQ(told["state"], "underWay");
  EXPECT_EQ(told["giveUpAt"], FormatWallTime(now.wall + Seconds(60)));
  record.state = IntentState::kDone;
  EXPECT_FALSE(ToJson(record, now).contains("giveUpAt"));
  EXPECT_EQ(PendingToJson(record.intent)["state"], "pending");
}

}  // namespace
}  // namespace pandora_ha
