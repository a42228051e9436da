#include "reconciler/model/gtid.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

namespace pandora_ha {
namespace {

constexpr char kA[] = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
constexpr char kB[] = "4e11fa47-71ca-11e1-9e33-c80aa9429562";

GtidSet My(const std::string& text) {
  auto set = GtidSet::Parse(Flavor::kMySql, text);
  EXPECT_TRUE(set.ok()) << (set.ok() ? "" : set.error().message);
  return set.ok() ? *set : GtidSet();
}

GtidSet Maria(const std::string& text) {
  auto set = GtidSet::Parse(Flavor::kMariaDb, text);
  EXPECT_TRUE(set.ok()) << (set.ok() ? "" : set.error().message);
  return set.ok() ? *set : GtidSet();
}

TEST(GtidMySql, PrintsWhatItReadInCanonicalForm) {
  EXPECT_EQ(My("").ToString(), "");
  EXPECT_EQ(My(std::string(kA) + ":3:1-2:9-12").ToString(), std::string(kA) + ":1-3:9-12");
  EXPECT_EQ(My("3E11FA47-71CA-11E1-9E33-C80AA9429562:1-5,\n" + std::string(kB) + ":7").ToString(),
            std::string(kA) + ":1-5," + kB + ":7");
}

TEST(GtidMySql, ReadsTagsAsSourcesOfTheirOwn) {
  const GtidSet set = My(std::string(kA) + ":1-5:blue:2-3:red:9");
  EXPECT_EQ(set.sources().size(), 3u);
  EXPECT_EQ(set.ToString(), std::string(kA) + ":1-5:blue:2-3:red:9");
  EXPECT_FALSE(My(std::string(kA) + ":1-5").Contains(set));
  EXPECT_EQ(set.CountMissingIn(My(std::string(kA) + ":1-5")), 3u);
}

TEST(GtidMySql, RefusesWhatIsNoSet) {
  for (const char* text :
       {"x", "3e11fa47-71ca-11e1-9e33-c80aa9429562", "3e11fa47-71ca-11e1-9e33-c80aa9429562:0",
        "3e11fa47-71ca-11e1-9e33-c80aa9429562:5-3", "3e11fa47-71ca-11e1-9e33-c80aa9429562:1,",
        "3e11fa47-71ca-11e1-9e33-c80aa9429562:blue",
        "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-99999999999999999999", "0-1-5"}) {
    EXPECT_FALSE(GtidSet::Parse(Flavor::kMySql, text).ok()) << text;
  }
}

TEST(GtidMariaDb, JoinsEntriesAndKeepsTheLastNumberOfEachServer) {
  EXPECT_EQ(Maria("0-2-12,0-1-9,0-1-7").ToString(), "0-1-9,0-2-12");
  EXPECT_EQ(Maria("0-1-0").ToString(), "");
  for (const char* text : {"0-1", "0-1-x", "a-1-1", "0-1-1-1", "4294967296-1-1", "0-1-1,,0-2-2"}) {
    EXPECT_FALSE(GtidSet::Parse(Flavor::kMariaDb, text).ok()) << text;
  }
}

TEST(GtidMariaDb, TellsDivergedHistoriesOfEqualLengthApart) {
  // Both sides wrote one transaction after 0-1-8: the numbers look alike, the histories are not.
  const GtidSet loser = Maria("0-1-9");
  const GtidSet winner = Maria("0-1-8,0-2-9");
  EXPECT_FALSE(winner.Contains(loser));
  EXPECT_FALSE(loser.Contains(winner));
  EXPECT_EQ(loser.CountMissingIn(winner), 1u);
}

TEST(GtidMariaDb, CountsOnlyWhatLiesBehindTheFork) {
  // Server 1 wrote 1-5, server 2 wrote 6-8, server 1 wrote 9: one transaction is missing, not four.
  EXPECT_EQ(Maria("0-1-9,0-2-8").CountMissingIn(Maria("0-1-5,0-2-8")), 1u);
  EXPECT_EQ(Maria("0-1-9,1-1-4").CountMissingIn(Maria("0-1-9")), 4u);
  EXPECT_EQ(Maria("0-1-9").CountMissingIn(Maria("0-1-9,0-2-12")), 0u);
}

TEST(Gtid, TellsWhatOneServerWrote) {
  const std::string uuid = "00000001-0000-0000-0000-000000000001";
  const std::string other = "00000002-0000-0000-0000-000000000002";
  EXPECT_EQ(My(uuid + ":1-5:tag:1-2," + other + ":7").WrittenBy(uuid).ToString(),
            My(uuid + ":1-5:tag:1-2").ToString());
  EXPECT_EQ(Maria("0-1-9,0-12-11,3-2-4").WrittenBy("2").ToString(), "3-2-4");
  EXPECT_TRUE(Maria("0-1-9").WrittenBy("").empty());
  EXPECT_TRUE(GtidSet().WrittenBy("1").empty());
}

TEST(Gtid, FamiliesDoNotMix) {
  const GtidSet mysql = My(std::string(kA) + ":1-5");
  const GtidSet mariadb = Maria("0-1-5");
  EXPECT_FALSE(mysql.Contains(mariadb));
  EXPECT_FALSE(mariadb.Contains(mysql));
  EXPECT_TRUE(mysql.Contains(GtidSet()));
  EXPECT_TRUE(mysql.Subtract(mariadb) == mysql);
}

// The algebra against a naive set of (source, number).
TEST(Gtid, AgreesWithNaiveSetsOnRandomInput) {
  std::mt19937 random(20261122);
  const auto pick = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
  for (int round = 0; round < 2000; ++round) {
    std::set<std::pair<int, unsigned>> naive[2];
    GtidSet sets[2];
    for (int side = 0; side < 2; ++side) {
      std::string text;
      for (unsigned i = 0, n = pick(5); i < n; ++i) {
        const int source = static_cast<int>(pick(2));
        const unsigned first = 1 + pick(20);
        const unsigned last = first + pick(6);
        for (unsigned k = first; k <= last; ++k) naive[side].insert({source, k});
        text += (text.empty() ? "" : ",") + std::string(source == 0 ? kA : kB) + ":" +
                std::to_string(first) + "-" + std::to_string(last);
      }
      sets[side] = My(text);
      EXPECT_TRUE(My(sets[side].ToString()) == sets[side]);
    }
    std::set<std::pair<int, unsigned>> missing;
    for (const auto& id : naive[1]) {
      if (!naive[0].contains(id)) missing.insert(id);
    }
    ASSERT_EQ(sets[0].Contains(sets[1]), missing.empty())
        << sets[0].ToString() << " / " << sets[1].ToString();
    ASSERT_EQ(sets[1].CountMissingIn(sets[0]), missing.size());
    ASSERT_TRUE(sets[0].Union(sets[1]).Contains(sets[0]));
    ASSERT_TRUE(sets[0].Union(sets[1]) == sets[1].Union(sets[0]));
    ASSERT_TRUE(sets[1].Subtract(sets[0]).Union(sets[0]) == sets[0].Union(sets[1]));
  }
}

}  // namespace
}  // namespace pandora_ha
