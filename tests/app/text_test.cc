#include "reconciler/app/text.h"

#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <nlohmann/json.hpp>
#include <random>

#include "reconciler/model/json.h"

namespace pandora_ha {
namespace {

using nlohmann::json;

// Reads YAML with its core schema: a quoted scalar is a text, a plain one is what JSON makes of it.
json FromYaml(const YAML::Node& node) {
  if (node.IsMap()) {
    json out = json::object();
    for (const auto& entry : node) out[entry.first.Scalar()] = FromYaml(entry.second);
    return out;
  }
  if (node.IsSequence()) {
    json out = json::array();
    for (const auto& entry : node) out.push_back(FromYaml(entry));
    return out;
  }
  if (node.IsNull()) return nullptr;
  if (node.Tag() == "!") return node.Scalar();
  const json value = json::parse(node.Scalar(), nullptr, false);
  return value.is_discarded() ? json(node.Scalar()) : value;
}

std::string RandomText(std::mt19937& random) {
  static const std::vector<std::string> pieces = {"a",
                                                  "yes",
                                                  "No",
                                                  "null",
                                                  "~",
                                                  "1",
                                                  "1.5",
                                                  "0x1f",
                                                  ":",
                                                  ": ",
                                                  " #",
                                                  "#",
                                                  "-",
                                                  "- ",
                                                  "\"",
                                                  "'",
                                                  "\\",
                                                  "\n",
                                                  "\t",
                                                  " ",
                                                  "é",
                                                  "日本",
                                                  "\x01",
                                                  "\x7f",
                                                  "{",
                                                  "}",
                                                  "[",
                                                  "&x",
                                                  "*x",
                                                  "!t",
                                                  "|",
                                                  ">",
                                                  "%",
                                                  "@",
                                                  "`",
                                                  "true",
                                                  "---",
                                                  "...",
                                                  "=",
                                                  "<<",
                                                  "2026-11-22T17:03:01.250Z",
                                                  "?",
                                                  ","};
  std::string out;
  for (unsigned i = random() % 4; i > 0; --i) out += pieces[random() % pieces.size()];
  return out;
}

json RandomValue(std::mt19937& random, int depth) {
  switch (depth > 3 ? random() % 4 : random() % 6) {
    case 0:
      return RandomText(random);
    case 1:
      return static_cast<std::int64_t>(random()) - 1000;
    case 2:
      return random() % 2 == 0;
    case 3:
      return random() % 4 == 0 ? json() : json(RandomText(random));
    case 4: {
      json out = json::array();
      for (unsigned i = random() % 4; i > 0; --i) out.push_back(RandomValue(random, depth + 1));
      return out;
    }
    default: {
      json out = json::object();
      for (unsigned i = random() % 4; i > 0; --i)
        out[RandomText(random)] = RandomValue(random, depth + 1);
      return out;
    }
  }
}

TEST(ToYaml, IsReadBackAsWhatItWas) {
  std::mt19937 random(1);
  for (int i = 0; i < 3000; ++i) {
    const json value = RandomValue(random, 0);
    const std::string text = ToYaml(value);
    ASSERT_EQ(FromYaml(YAML::Load(text)), value) << text << "\n" << PrintJson(value);
  }
}

TEST(ToYaml, LooksAsPeopleWriteIt) {
  EXPECT_EQ(
      ToYaml({{"name", "pandora"}, {"nodes", {{{"a", 1}}, {{"a", "1"}}}}, {"none", json::array()}}),
      "name: pandora\nnodes:\n  -\n    a: 1\n  -\n    a: \"1\"\nnone: []\n");
}

TEST(DisplayWidth, CountsColumnsNotBytes) {
  EXPECT_EQ(DisplayWidth("node1"), 5u);
  EXPECT_EQ(DisplayWidth("Málaga"), 6u);
  EXPECT_EQ(DisplayWidth("東京"), 4u);
  EXPECT_EQ(DisplayWidth("e\u0301"), 1u);
  EXPECT_EQ(DisplayWidth("\xff\xfe"), 2u);
  EXPECT_EQ(DisplayWidth("\xe6"), 1u);
}

TEST(Table, AlignsWideTextAndColoursOnlyWhenAsked) {
  Table table({"SITE", "N"});
  table.Add({{"東京"}, {"1", Colour::kBad}});
  table.Add({{"Málaga"}, {"22"}});
  EXPECT_EQ(table.Print({}), "SITE    N\n東京    1\nMálaga  22\n");
  EXPECT_EQ(table.Print({true}),
            "\x1b[2mSITE\x1b[0m    \x1b[2mN\x1b[0m\n東京    \x1b[1;31m1\x1b[0m\nMálaga  22\n");
}

TEST(Printable, NothingSteersTheTerminal) {
  EXPECT_EQ(Printable("a\x1b[2Jb\nc\x7f"), "a?[2Jb c?");
  EXPECT_EQ(Printable("Málaga 東京"), "Málaga 東京");
  EXPECT_EQ(Printable("x\u202ey\u009bz"), "x?y?z");
}

TEST(ReadMoment, TakesWhatPeopleWrite) {
  const WallTime day(Seconds(1795305600));  // 2026-11-22
  EXPECT_EQ(ReadMoment("2026-11-22"), day);
  EXPECT_EQ(ReadMoment("2026-11-22 17:03"), day + Seconds(61380));
  EXPECT_EQ(ReadMoment("2026-11-22T17:03Z"), day + Seconds(61380));
  EXPECT_EQ(ReadMoment("2026-11-22 17:03:01"), day + Seconds(61381));
  EXPECT_EQ(ReadMoment("2026-11-22T17:03:01.250Z"), day + Milliseconds(61381250));
  for (const char* text : {"", "Z", "yesterday", "2026-11-31", "2026-11-22 25:00", "2026-11-22 17",
                           "2026-11-22T17:03:01+01:00", "22.11.2026"})
    EXPECT_EQ(ReadMoment(text), std::nullopt) << text;
}

TEST(TextOf, IsEmptyForWhatIsMissing) {
  EXPECT_EQ(TextOf({{"a", 1}}, "a"), "1");
  EXPECT_EQ(TextOf({{"a", nullptr}}, "a"), "");
  EXPECT_EQ(TextOf(json::array(), "a"), "");
}

}  // namespace
}  // namespace pandora_ha
