#include "reconciler/model/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <set>

namespace pandora_ha {
namespace {

using nlohmann::json;
using testing::HasSubstr;

// Memories of every shape, from a seed.
class Maker {
 public:
  explicit Maker(unsigned seed) : random_(seed) {}

  Memory MakeMemory() {
    Memory memory;
    memory.boot_id = Text();
    memory.cluster = Text();
    memory.epoch = Epoch(Number());
    if (Coin()) memory.primary = NodeName(Text());
    if (Coin()) memory.promotion = MakePromotion();
    memory.durability_in_force = Coin() ? DurabilityMode::kAsync : DurabilityMode::kSemiSync;
    for (std::uint64_t i = Number() % 4; i > 0; --i) memory.nodes[NodeName(Text())] = MakeNode();
    memory.primary_executed = Gtids();
    memory.primary_lost = Gtids();
    memory.primary_waited = Coin();
    if (Coin()) memory.clients_cut_from = NodeName(Text());
    if (Coin())
      memory.loss = Loss{NodeName(Text()), Epoch(Number()),
                         Number(),         Coin(),
                         NodeName(Text()), WallTime(Milliseconds(random_() % 4'000'000'000'000))};
    memory.manager = Text();
    memory.guards = MakeGuards();
    memory.guards_seen = {Epoch(Number()), Number()};
    memory.guards_unwritten = Coin();
    if (Coin()) memory.failback_at = Time();
    memory.failback_not_before = Time();
    if (Coin()) memory.failed_over_at = Time();
    for (std::uint64_t i = Number() % 4; i > 0; --i) memory.intents.push_back(MakeRecord());
    return memory;
  }
  Guards MakeGuards() {
    Guards guards;
    if (Coin()) guards.paused = MakeGuard();
    for (std::uint64_t i = Number() % 3; i > 0; --i)
      guards.paused_nodes[NodeName(Text())] = MakeGuard();
    for (std::uint64_t i = Number() % 3; i > 0; --i)
      guards.fenced_nodes[NodeName(Text())] = MakeGuard();
    if (Coin()) guards.failed_over_at = WallTime(Milliseconds(random_() % 4'000'000'000'000));
    if (Coin()) guards.chosen = MakeGuard();
    return guards;
  }
  Wish MakeWish() {
    std::optional<NodeName> node;
    if (Coin()) node = NodeName(Text());
    std::optional<Seconds> lasts;
    if (Coin()) lasts = Seconds(random_() % 100'000);
    const std::vector<Wish> all = {Switchover{node, Coin()},
                                   ForcedFailover{node, Coin()},
                                   Pause{node, lasts},
                                   Resume{node},
                                   Fence{NodeName(Text()), Coin()},
                                   Unfence{NodeName(Text())},
                                   Acknowledge{}};
    return all[random_() % all.size()];
  }

 private:
  std::uint64_t Number() {
    const std::uint64_t raw = random_();
    return raw >> (random_() % 64);
  }
  bool Coin() { return random_() % 2 == 0; }
  std::string Text() {
    static const std::vector<std::string> pieces = {"node", "1",    "\"", "\\", "\n", "é",
                                                    "日",   "\x01", "/",  " ",  "",   "."};
    std::string out;
    for (std::uint64_t i = random_() % 6; i > 0; --i) out += pieces[random_() % pieces.size()];
    return out;
  }
  TimePoint Time() { return TimePoint(Microseconds(static_cast<std::int64_t>(Number() >> 1))); }
  GtidSet Gtids() {
    GtidSet set;
    const bool maria = Coin();
    for (std::uint64_t i = random_() % 4; i > 0; --i) {
      const std::uint64_t first = 1 + (Number() >> 8);
      const std::uint64_t last = first + random_() % 1000;
      if (maria) {
        const std::string source =
            std::to_string(random_() % 2) + "-" + std::to_string(random_() % 3) + "-";
        set = set.Union(
            GtidSet::Parse(Flavor::kMariaDb, source + std::to_string(last))
                ->Subtract(*GtidSet::Parse(Flavor::kMariaDb, source + std::to_string(first - 1))));
      } else {
        std::string source = "3e11fa47-71ca-11e1-9e33-c80aa942956" + std::to_string(random_() % 3);
        if (Coin()) source += ":blue";
        set = set.Union(*GtidSet::Parse(
            Flavor::kMySql, source + ":" + std::to_string(first) + "-" + std::to_string(last)));
      }
    }
    return set;
  }
  Promotion MakePromotion() {
    Promotion promotion;
    promotion.epoch = Epoch(Number());
    if (Coin()) promotion.from = NodeName(Text());
    if (Coin()) promotion.to = NodeName(Text());
    promotion.because = Text();
    promotion.began_at = WallTime(Milliseconds(random_() % 4'000'000'000'000));
    promotion.began = Time();
    promotion.fence_waived = Coin();
    promotion.lossless = Coin();
    promotion.intent = Text();
    if (Coin()) promotion.wanted = NodeName(Text());
    promotion.planned = Coin();
    promotion.loss_allowed = Coin();
    return promotion;
  }
  WallTime Wall() { return WallTime(Milliseconds(random_() % 4'000'000'000'000)); }
  Guard MakeGuard() {
    Guard guard{Text(), Text(), Wall(), std::nullopt};
    if (Coin()) guard.until = Wall();
    return guard;
  }
  IntentRecord MakeRecord() {
    IntentRecord record;
    record.intent = {Text(), MakeWish(), Text(), Text(), Wall(), Seconds(random_() % 3600)};
    record.state = static_cast<IntentState>(random_() % 5);
    record.says = Text();
    record.at = Wall();
    record.give_up_at = Time();
    record.not_before = Time();
    record.attempts = static_cast<int>(random_() % 100);
    return record;
  }
  NodeMemory MakeNode() {
    NodeMemory node;
    node.failed_looks = static_cast<int>(random_() % 100);
    node.attempts_counted = Number();
    if (Coin()) node.unanswered_since = Time();
    node.arrival_token = Text();
    node.arrival_changed = Time();
    node.received = Gtids();
    node.lossless = Coin();
    node.may_acknowledge = Coin();
    node.run_id = Coin() ? "run-7" : "";
    if (Coin()) node.not_acknowledging_since = Time();
    node.history = static_cast<History>(random_() % 3);
    node.executed = Gtids();
    node.executed_at = Time();
    node.errant = Gtids();
    node.deposed = Coin();
    node.discard = Coin();
    node.starts = static_cast<int>(random_() % 100);
    if (Coin()) node.start_not_before = Time();
    if (Coin()) node.receive_not_before = Time();
    if (Coin()) {
      node.rebuild = Rebuild{Text(), Text(), NodeName(Text()), Epoch(Number()), Coin(),
                             3,      Coin(), Coin(),           Time(),          Time()};
    }
    if (Coin()) node.archive = MakeArchive();
    if (Coin()) {
      node.merge = Merge{Text(), Text(), Epoch(Number()), Coin(), {Number(), Number(), Number(), 1},
                         5,      2,      Time(),          Text(), Text()};
    }
    if (Coin()) node.rewind = Rewind{Text(), Text(), 2, Coin(), Time(), Text()};
    if (Coin())
      node.verification = Verification{Text(), Epoch(Number()), 4, 2, Time(), Text(), Text()};
    node.rebuild_failed = Text();
    return node;
  }
  Archive MakeArchive() {
    Divergence divergence;
    divergence.transactions = Number();
    divergence.marks = Number();
    divergence.tables[Text()] = {Number(), Number(), Number()};
    divergence.statements = {Text(), Text()};
    divergence.statement_count = Number();
    return {Text(), Gtids(), Coin(), 3, Time(), Text(), divergence, Text()};
  }

  std::mt19937_64 random_;
};

Memory ReadBack(const Memory& memory) {
  const auto parsed = ParseJson(PrintJson(ToJson(memory), 2));
  EXPECT_TRUE(parsed.ok());
  const auto read = MemoryFromJson(*parsed);
  EXPECT_TRUE(read.ok()) << (read.ok() ? "" : read.error().message);
  return read.ok() ? *read : Memory{};
}

TEST(MemoryJson, EveryMemoryComesBackAsItWas) {
  for (unsigned seed = 0; seed < 3000; ++seed) {
    const Memory memory = Maker(seed).MakeMemory();
    ASSERT_EQ(ReadBack(memory), memory) << "seed " << seed << "\n" << PrintJson(ToJson(memory), 2);
  }
}

TEST(MemoryJson, ADifferenceThatDoesNotBeginAtOneComesBack) {
  Memory memory;
  memory.nodes[NodeName("node1")].errant =
      GtidSet::Parse(Flavor::kMariaDb, "0-1-9")
          ->Subtract(*GtidSet::Parse(Flavor::kMariaDb, "0-1-4"));
  EXPECT_EQ(ReadBack(memory), memory);
}

TEST(MemoryJson, UnknownFieldsArePassedOver) {
  json value = ToJson(Memory{});
  value["later"] = {{"a", 1}};
  EXPECT_TRUE(MemoryFromJson(value).ok());
}

// Every field, taken away or replaced by something of another type, is an error with its path.
TEST(MemoryJson, EveryMissingOrMalformedFieldIsNamed) {
  Memory memory = Maker(7).MakeMemory();
  memory.primary = NodeName("node1");
  memory.loss = Loss{};
  memory.promotion = Promotion{};
  memory.clients_cut_from = NodeName("node1");
  memory.nodes.clear();
  memory.nodes[NodeName("node1")].unanswered_since = TimePoint(Microseconds(5));
  memory.guards.paused = Guard{};
  memory.failed_over_at = TimePoint();
  memory.intents = {IntentRecord{}};
  const json good = ToJson(memory);
  const auto refused = [](const json& value, const std::string& path) {
    const auto read = MemoryFromJson(value);
    ASSERT_FALSE(read.ok()) << path;
    EXPECT_EQ(read.error().code, ErrorCode::kInvalid);
    EXPECT_THAT(read.error().message, HasSubstr(path));
  };
  for (const auto& [key, ignored] : good.items()) {
    json bad = good;
    bad[key] = json::array({1});
    refused(bad, key);
    const std::set<std::string> may_be_absent = {
        "primary",    "promotion",         "loss",      "clientsCutFrom", "failedOverAt",
        "intents",    "manager",           "guards",    "guardsSeen",     "guardsUnwritten",
        "failbackAt", "failbackNotBefore", "actsSince", "decidedAt"};
    if (may_be_absent.contains(key)) continue;
    bad.erase(key);
    refused(bad, key);
  }
  for (const auto& [key, ignored] : good["nodes"]["node1"].items()) {
    json bad = good;
    bad["nodes"]["node1"][key] = json::array({1});
    refused(bad, "nodes.node1." + key);
  }
  for (const auto& [key, ignored] : good["loss"].items()) {
    json bad = good;
    bad["loss"][key] = nullptr;
    refused(bad, "loss." + key);
  }
  for (const auto& [key, ignored] : good["promotion"].items()) {
    json bad = good;
    bad["promotion"][key] = nullptr;
    refused(bad, "promotion." + key);
  }
}

TEST(MemoryJson, EveryMalformedFieldOfAnIntentIsNamed) {
  Memory memory;
  memory.intents = {IntentRecord{}, IntentRecord{}};
  memory.intents[1].intent.wish = Fence{NodeName("node2"), true};
  const json good = ToJson(memory);
  for (const auto& [key, ignored] : good["intents"][1].items()) {
    json bad = good;
    bad["intents"][1][key] = json::array({1});
    const auto read = MemoryFromJson(bad);
    ASSERT_FALSE(read.ok()) << key;
    EXPECT_THAT(read.error().message, HasSubstr("intents[1]." + key));
  }
}

// As the version before intents wrote it.
TEST(MemoryJson, AMemoryWithoutIntentsIsRead) {
  Memory memory = Maker(7).MakeMemory();
  memory.promotion = Promotion{};
  memory.nodes = {{NodeName("node1"), NodeMemory{}}};
  memory.manager.clear();
  memory.guards = {};
  memory.guards_seen = {};
  memory.guards_unwritten = false;
  memory.failed_over_at.reset();
  memory.intents.clear();
  json old = ToJson(memory);
  memory.failback_at.reset();
  memory.failback_not_before = {};
  for (const char* key : {"intents", "manager", "guards", "guardsSeen", "guardsUnwritten",
                          "failbackAt", "failbackNotBefore"})
    old.erase(key);
  for (const char* key : {"intent", "planned", "lossAllowed"}) old["promotion"].erase(key);
  const auto read = MemoryFromJson(old);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(*read, memory);
}

TEST(GuardsJson, TheDocumentComesBackAsItWas) {
  for (unsigned seed = 0; seed < 1000; ++seed) {
    Guards guards = Maker(seed).MakeGuards();
    const auto tidy = [](Guard& guard) { guard.by = "ana", guard.reason = "caf\u00e9 \"x\" \\ y"; };
    if (guards.paused) tidy(*guards.paused);
    if (guards.chosen) tidy(*guards.chosen);
    for (auto* nodes : {&guards.paused_nodes, &guards.fenced_nodes})
      for (auto& [node, guard] : *nodes) tidy(guard);
    const auto read = ReadGuards(PrintGuards(guards));
    ASSERT_TRUE(read.ok()) << read.error().message;
    EXPECT_EQ(*read, guards);
  }
}

// Whoever may write into the schema may write this row.
TEST(GuardsJson, WhatStrangersWroteIsUnknownAndNotNoGuard) {
  const std::string head = R"({"format":1,"paused":{"since":"2026-11-22T17:03:01.250Z","by":"a",)";
  EXPECT_TRUE(ReadGuards(head + R"("reason":""},"later":{"x":1}})").ok());
  for (const std::string& bad :
       {std::string(), std::string("{}"), std::string("[1]"), std::string(R"({"format":2})"),
        std::string(R"({"format":1,"paused":true})"), head + R"("reason":"\u001b[2J"}})",
        head + R"("reason":")" + std::string(300, 'x') + R"("}})", head + "}}",
        R"({"format":1,"x":")" + std::string(kMostGuardsBytes, 'x') + R"("})",
        std::string(100, '[')}) {
    EXPECT_FALSE(ReadGuards(bad).ok()) << bad.substr(0, 80);
  }
}

TEST(MemoryJson, RefusesNumbersAndSetsThatDoNotFit) {
  const auto with = [](const char* pointer, const json& value) {
    json all = ToJson(Memory{});
    all[json::json_pointer(pointer)] = value;
    return MemoryFromJson(all).ok();
  };
  EXPECT_TRUE(with("/epoch", 18446744073709551615u));
  EXPECT_FALSE(with("/epoch", -1));
  EXPECT_FALSE(with("/epoch", 1.5));
  EXPECT_FALSE(with("/format", 2));
  EXPECT_TRUE(with("/primaryExecuted", {{"0-1", "1-5:7-9"}}));
  for (const char* ranges : {"", "5", "5-3", "0-3", "1-5:", "1-5x", "-1-5"}) {
    EXPECT_FALSE(with("/primaryExecuted", {{"0-1", ranges}})) << ranges;
  }
  EXPECT_FALSE(with("/primaryExecuted", {{"x", "1-5"}}));
  EXPECT_FALSE(with("/durabilityInForce", "sync"));
}

TEST(MemoryJson, NothingThatIsNoObjectIsAMemory) {
  for (const char* text : {"null", "[]", "1", "\"x\"", "{}"}) {
    EXPECT_FALSE(MemoryFromJson(*ParseJson(text)).ok()) << text;
  }
}

TEST(EventJson, ComesBackAsItWas) {
  Event event{"FailoverDone-3",     WallTime(Milliseconds(1795366981250)),
              Severity::kCritical,  "FailoverDone",
              NodeName("node2"),    Epoch(3),
              "a \"quoted\" line\n"};
  const auto read = EventFromJson(*ParseJson(PrintJson(ToJson(event))));
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(*read, event);
  event.about.reset();
  EXPECT_EQ(*EventFromJson(ToJson(event)), event);
  json bad = ToJson(event);
  bad["severity"] = "dire";
  EXPECT_THAT(EventFromJson(bad).error().message, HasSubstr("info or warning or critical"));
}

TEST(Json, DepthIsBoundedAndBadTextIsAnError) {
  EXPECT_TRUE(ParseJson(std::string(60, '[') + std::string(60, ']')).ok());
  EXPECT_FALSE(ParseJson(std::string(100000, '[')).ok());
  EXPECT_THAT(ParseJson(std::string(80, '[') + std::string(80, ']')).error().message,
              HasSubstr("64"));
  EXPECT_FALSE(ParseJson("{\"a\": }").ok());
  EXPECT_FALSE(ParseJson("{} {}").ok());
  EXPECT_FALSE(ParseJson("").ok());
}

TEST(Json, BytesThatAreNotUtf8DoNotThrow) {
  EXPECT_EQ(PrintJson(json("a\xff")), "\"a\xEF\xBF\xBD\"");
}

TEST(SpecSummary, HoldsNoCredentialOfAnyKind) {
  ClusterSpec spec;
  spec.name = "pandora";
  spec.database.nodes = {{NodeName("node1"), "127.0.0.1", 1, "madrid", "Madrid", SshSpec{}}};
  spec.database.credentials.admin = {"root", {"/etc/secret-file", "", "", ""}};
  spec.database.credentials.application = {"pandora", {"", "SECRET_VARIABLE", "", ""}};
  const std::string text = PrintJson(SummaryToJson(spec));
  EXPECT_THAT(text, HasSubstr("127.0.0.1:3306"));
  for (const char* word : {"secret", "SECRET", "root", "assword"}) {
    EXPECT_EQ(text.find(word), std::string::npos) << word;
  }
}

}  // namespace
}  // namespace pandora_ha
