#include "reconciler/spec/yaml_reader.h"

#include <gmock/gmock.h>

#include "reconciler/spec/scalars.h"
#include "tests/spec/files.h"

namespace pandora_ha {
namespace {

NodeKind KindOf(const std::string& text) {
  return ResolvePlain(text).kind;
}

TEST(Scalars, AreTypedAsInJson) {
  for (const char* text : {"", "~", "null", "NULL"})
    EXPECT_EQ(KindOf(text), NodeKind::kNull) << text;
  for (const char* text : {"true", "False", "TRUE"})
    EXPECT_EQ(KindOf(text), NodeKind::kBoolean) << text;
  for (const char* text : {"0", "-1", "4294967295", "-0"})
    EXPECT_EQ(KindOf(text), NodeKind::kInteger) << text;
  for (const char* text : {"1.5", "-0.1", ".5", "1.", ".inf", "-.inf", ".nan"})
    EXPECT_EQ(KindOf(text), NodeKind::kFloat) << text;
  for (const char* text : {"node1", "10.0.1.11", "4096M", "127.0.0.1:3306", "2026-11-22", "12:345",
                           "e5", "-", "0xZZ", "1:60:x", "tRue", "yEs", "a_1", "-x", "."}) {
    EXPECT_EQ(KindOf(text), NodeKind::kString) << text;
  }
}

TEST(Scalars, RefuseWhatReadersOfYamlDisputeAbout) {
  for (const char* text :
       {"yes",  "No",   "on",  "OFF",  "y",        "N",   "0123",   "-010", "+5",    "1_000",
        "0x1F", "0o17", "0b1", "1:30", "12:30:45", "1e3", "1.5E-3", "+1.5", "1_0.5", "<<"}) {
    EXPECT_EQ(KindOf(text), NodeKind::kUnusable) << text;
    EXPECT_NE(ResolvePlain(text).remedy, "") << text;
  }
}

TEST(Reader, KnowsWhereEverythingStands) {
  const ReadTree read =
      ReadYaml("x", "a:\n  ñandú: \"uno\"\n  list:\n  - b: 1\r\n    c: [x, {d: e}]\n");
  ASSERT_TRUE(read.whole);
  EXPECT_EQ(Locate(read.root, "a"), (Position{1, 1}));
  EXPECT_EQ(Locate(read.root, "a.ñandú"), (Position{2, 3}));
  EXPECT_EQ(read.root.Find("a")->Find("ñandú")->at, (Position{2, 10}));
  EXPECT_EQ(Locate(read.root, "a.list[0]"), (Position{4, 5}));
  EXPECT_EQ(Locate(read.root, "a.list[0].c[1].d"), (Position{5, 13}));
  EXPECT_EQ(Locate(read.root, "a.list[7].c"), (Position{3, 3}));
  EXPECT_EQ(Locate(read.root, "nothing.here"), (Position{1, 1}));
}

TEST(Reader, QuotedIsText) {
  const ReadTree read = ReadYaml("x", "a: '1'\nb: \"yes\"\nc: |\n  12\nd: >-\n  on\n");
  ASSERT_TRUE(read.problems.empty());
  for (const char* key : {"a", "b", "c", "d"})
    EXPECT_EQ(read.root.Find(key)->kind, NodeKind::kString) << key;
}

TEST(Reader, ReadsTabsInsideJson) {
  const ReadTree read = ReadYaml("x", "{\n\t\"a\": {\n\t\t\"b\":1\n\t}\n}\n");
  ASSERT_TRUE(read.problems.empty()) << FormatProblem(read.problems[0]);
  EXPECT_EQ(read.root.Find("a")->Find("b")->integer, 1);
}

TEST(Reader, AllowsMarkersAroundOneDocument) {
  EXPECT_TRUE(ReadYaml("x", "%YAML 1.2\n---\na: 1\n...\n").problems.empty());
  EXPECT_TRUE(ReadYaml("x", "---\na: 1\n---\n").problems.empty());
  EXPECT_FALSE(ReadYaml("x", "---\na: 1\n---\nb: 2\n").problems.empty());
}

// yaml-cpp 0.7 gives empty documents without end at a token that begins nothing.
TEST(Reader, EndsAtATokenThatBeginsNothing) {
  for (const char* text : {", a", "a: 1\n,", "[a] ,", "] a", "}", "{a: b}}", "- a\nb"}) {
    const ReadTree read = ReadYaml("x", text);
    EXPECT_TRUE(!read.whole || read.root.kind != NodeKind::kNull) << text;
  }
  EXPECT_FALSE(ReadYaml("x", ", a").problems.empty());
}

TEST(Reader, CollectsProblemsOfEveryKind) {
  const ReadTree read =
      ReadYaml("x", "a: &x 1\nb: *x\nc: !t 2\nd: yes\nd: 3\n<<: {}\n? [k]\n: v\n");
  EXPECT_TRUE(read.whole);
  EXPECT_EQ(read.problems.size(), 7u);
}

TEST(Nearest, IsCloseOrNothing) {
  const std::vector<std::string> words = {"masterPreference", "nodes", "semiSync", "port"};
  EXPECT_EQ(Nearest("masterPreferance", words), "masterPreference");
  EXPECT_EQ(Nearest("MASTERPREFERENCE", words), "masterPreference");
  EXPECT_EQ(Nearest("noeds", words), "nodes");
  EXPECT_EQ(Nearest("prot", words), "port");
  EXPECT_EQ(Nearest("sharding", words), "");
  EXPECT_EQ(Nearest("", words), "");
}

}  // namespace
}  // namespace pandora_ha
