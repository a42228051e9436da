#include "reconciler/app/declared.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/app/documents.h"

namespace pandora_ha {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Files = std::map<std::string, DocumentFile>;

Files Lie(const std::map<std::string, std::string>& texts) {
  Files files;
  for (const auto& [path, text] : texts) files[path] = {path, text, ""};
  return files;
}

// What would run once these documents had been taken up.
std::map<std::string, InForce> Running(const std::map<std::string, std::string>& texts) {
  std::map<std::string, InForce> running;
  for (const auto& [name, good] : Judge(Lie(texts), {}).clusters)
    running[name] = {good.file, *good.loaded.spec};
  return running;
}

std::vector<std::string> Names(const Declared& declared) {
  std::vector<std::string> names;
  for (const auto& [name, good] : declared.clusters) names.push_back(name + " by " + good.file);
  return names;
}

std::string Refused(const Declared& declared) {
  std::string all;
  for (const auto& [file, problems] : declared.refused) {
    for (const Problem& problem : problems) all += FormatProblem(problem) + "\n";
  }
  return all;
}

TEST(DeclaredTest, EachDocumentIsACluster) {
  const Declared declared = Judge(Lie({{"a", DocumentOf("x", 1)}, {"b", DocumentOf("w", 2)}}), {});
  EXPECT_THAT(Names(declared), ElementsAre("w by b", "x by a"));
  EXPECT_EQ(Refused(declared), "");
}

TEST(DeclaredTest, ABadDocumentStopsNoOther) {
  const Declared declared =
      Judge(Lie({{"a", "kind: Nothing\n"}, {"b", DocumentOf("w", 2)}, {"c", ""}}), {});
  EXPECT_THAT(Names(declared), ElementsAre("w by b"));
  EXPECT_THAT(Refused(declared), HasSubstr("a:1:7: kind: "));
  EXPECT_THAT(Refused(declared), HasSubstr("c: the file is empty"));
  EXPECT_THAT(declared.kept, IsEmpty());
}

TEST(DeclaredTest, OfTwoWithOneNameNoneCounts) {
  const Declared declared = Judge(Lie({{"a", DocumentOf("x", 1)}, {"b", DocumentOf("x", 2)}}), {});
  EXPECT_THAT(Names(declared), IsEmpty());
  EXPECT_EQ(
      Refused(declared),
      "a:3:18: metadata.name: a cluster of this name is declared in b, too; remove one of the "
      "two documents, or give this one another name\n"
      "b:3:18: metadata.name: a cluster of this name is declared in a, too; remove one of the "
      "two documents, or give this one another name\n");
}

TEST(DeclaredTest, TheOneInForceIsNotHeldUpByACopy) {
  const auto running = Running({{"b", DocumentOf("x", 1)}});
  const Declared declared = Judge(
      Lie({{"a", DocumentOf("x", 1)}, {"b", DocumentOf("x", 1, "  suspend: true\n")}}), running);
  EXPECT_THAT(Names(declared), ElementsAre("x by b"));
  EXPECT_TRUE(declared.clusters.at("x").loaded.spec->suspend);
  EXPECT_THAT(Refused(declared), HasSubstr("a:3:18: metadata.name"));
  EXPECT_THAT(declared.kept, IsEmpty());
}

TEST(DeclaredTest, ARenamedFileIsTheSameCluster) {
  const auto running = Running({{"a", DocumentOf("x", 1)}});
  EXPECT_THAT(Names(Judge(Lie({{"z", DocumentOf("x", 1)}}), running)), ElementsAre("x by z"));
  const Declared two = Judge(Lie({{"y", DocumentOf("x", 1)}, {"z", DocumentOf("x", 1)}}), running);
  EXPECT_THAT(Names(two), IsEmpty());
  EXPECT_EQ(two.kept.count("x"), 1u) << "which one is meant is not known; the last good one stays";
}

TEST(DeclaredTest, AMissingDocumentLetsItsClusterGo) {
  const auto running = Running({{"a", DocumentOf("x", 1)}, {"b", DocumentOf("w", 2)}});
  const Declared declared = Judge(Lie({{"b", DocumentOf("w", 2)}}), running);
  EXPECT_THAT(Names(declared), ElementsAre("w by b"));
  EXPECT_THAT(declared.kept, IsEmpty());
}

TEST(DeclaredTest, ABrokenEditKeepsTheLastGoodOne) {
  const auto running = Running({{"a", DocumentOf("x", 1)}});
  Declared declared = Judge(Lie({{"a", DocumentOf("x", 1, "  suspnd: true\n")}}), running);
  EXPECT_THAT(Names(declared), IsEmpty());
  EXPECT_EQ(declared.kept.at("x"), "a");
  EXPECT_THAT(Refused(declared), HasSubstr("a:15:3: spec.suspnd"));
  Files unreadable;
  unreadable["a"] = {"a", "", "cannot be read: No such file or directory"};
  declared = Judge(unreadable, running);
  EXPECT_EQ(declared.kept.at("x"), "a");
  EXPECT_EQ(Refused(declared), "a: cannot be read: No such file or directory\n");
}

TEST(DeclaredTest, WhatIsFixedStaysAlsoInAnotherFile) {
  const auto running = Running({{"a", DocumentOf("x", 1)}});
  std::string changed = DocumentOf("x", 1);
  changed.replace(changed.find("serverId: 2"), 11, "serverId: 3");
  for (const char* file : {"a", "b"}) {
    const Declared declared = Judge(Lie({{file, changed}}), running);
    EXPECT_THAT(Names(declared), IsEmpty());
    EXPECT_EQ(declared.kept.at("x"), file);
    EXPECT_THAT(Refused(declared), HasSubstr("[ServerIdIsFixed]"));
  }
}

TEST(DeclaredTest, AnotherNameIsNoChange) {
  const auto running = Running({{"a", DocumentOf("x", 1)}});
  const Declared declared = Judge(Lie({{"a", DocumentOf("renamed", 1)}}), running);
  EXPECT_THAT(Names(declared), IsEmpty());
  EXPECT_EQ(declared.kept.at("x"), "a");
  EXPECT_THAT(Refused(declared), HasSubstr("a:3:18: metadata.name: it was 'x'"));
  // Unless the cluster is declared elsewhere now.
  const Declared moved =
      Judge(Lie({{"a", DocumentOf("renamed", 3)}, {"b", DocumentOf("x", 1)}}), running);
  EXPECT_THAT(Names(moved), ElementsAre("renamed by a", "x by b"));
  EXPECT_EQ(Refused(moved), "");
}

TEST(DeclaredTest, OnePlaceHasOneCluster) {
  std::string other = DocumentOf("w", 2);
  other.replace(other.find("127.9.2.3"), 9, "127.9.1.3");
  Declared declared = Judge(Lie({{"a", DocumentOf("x", 1)}, {"b", other}}), {});
  EXPECT_THAT(Names(declared), ElementsAre("x by a"));
  EXPECT_THAT(Refused(declared), HasSubstr("b:14:22: spec.endpoint.listen: the writer endpoint "
                                           "127.9.1.3:3306 belongs to the cluster x"));
  // The one that runs has it, whatever the files are called.
  declared = Judge(Lie({{"a", DocumentOf("x", 1)}, {"b", other}}), Running({{"b", other}}));
  EXPECT_THAT(Names(declared), ElementsAre("w by b"));
  EXPECT_THAT(Refused(declared), HasSubstr("a:14:22: spec.endpoint.listen"));
  // A server, too.
  other = DocumentOf("w", 2);
  other.replace(other.find("127.9.2.1"), 9, "127.9.1.2");
  declared = Judge(Lie({{"a", DocumentOf("x", 1)}, {"b", other}}), {});
  EXPECT_THAT(Names(declared), ElementsAre("x by a"));
  EXPECT_THAT(Refused(declared), HasSubstr("spec.database.nodes[node1].address: the server "
                                           "127.9.1.2:3306 belongs to the cluster x"));
}

TEST(DescribeChangeTest, SaysWhatIsNewGoneAndDifferent) {
  const auto change = [](const std::string& before, const std::string& after) {
    return DescribeChange(LoadSpecText("x", before).fields, LoadSpecText("x", after).fields);
  };
  const std::string text = DocumentOf("x", 1);
  EXPECT_THAT(change(text, text), IsEmpty());
  EXPECT_THAT(change(text, "# a comment\n" + text), IsEmpty());
  EXPECT_THAT(change(text, DocumentOf("x", 1, "  suspend: true\n")),
              ElementsAre("spec.suspend is 'true' and was 'false'"));
  std::string third = text;
  third.replace(third.find("    credentials"), 0,
                "    - {name: node3, address: 127.9.1.4, serverId: 3, label: Lyon}\n");
  EXPECT_THAT(change(text, third), ElementsAre("spec.database.nodes[node3] is new"));
  EXPECT_THAT(change(third, text), ElementsAre("spec.database.nodes[node3] is gone"));
  std::string secret = text;
  secret.replace(secret.find("file: /tmp/p"), 12, "file: /tmp/q");
  ASSERT_EQ(change(text, secret).size(), 1u);
  EXPECT_THAT(change(text, secret)[0], HasSubstr("credentials.admin.passwordFrom.file is another"));
  EXPECT_THAT(change(text, secret)[0], testing::Not(HasSubstr("/tmp/q")));
}

}  // namespace
}  // namespace pandora_ha
