// What is counted as a loss, and what nobody misses.
#include "reconciler/binlog/account.h"

#include <gtest/gtest.h>

#include "reconciler/model/own_tables.h"

namespace pandora_ha {
namespace {

class AccountantTest : public testing::Test {
 protected:
  // A transaction that inserts a row into each of `tables`.
  void Write(const std::vector<std::string>& tables) {
    const auto gtid = GtidSet::Parse(Flavor::kMariaDb, "0-2-" + std::to_string(++number_));
    ASSERT_TRUE(gtid.ok());
    ASSERT_TRUE(*accountant_.Begin({*gtid, {}}));
    for (const std::string& table : tables)
      ASSERT_TRUE(accountant_.Changed({"pandora", table, {}}, {}).ok());
    ASSERT_TRUE(accountant_.Committed().ok());
  }

  Accountant accountant_{{{}, std::nullopt}, "pandora"};
  int number_ = 0;
};

TEST_F(AccountantTest, OurOwnTablesHoldMarks) {
  Write({kHeartbeatTable});
  Write({kGuardsTable});
  Write({kMergedTable, kMergedEventTable});
  Write({kRewoundTable});
  EXPECT_EQ(accountant_.Sum().transactions, 4u);
  EXPECT_TRUE(accountant_.Sum().OnlyMarks());
  EXPECT_EQ(accountant_.Sum().rows().all(), 0u);
}

// The demonstration's table has our name and is not ours.
TEST_F(AccountantTest, ARowOfTheDemonstrationIsALoss) {
  Write({kHeartbeatTable});
  Write({"pandora_ha_demo"});
  EXPECT_EQ(accountant_.Sum().marks, 1u);
  EXPECT_FALSE(accountant_.Sum().OnlyMarks());
  EXPECT_EQ(accountant_.Sum().tables.at("pandora.pandora_ha_demo"), (RowCounts{1, 0, 0}));
}

TEST_F(AccountantTest, AMarkInTheTransactionOfARowHidesNothing) {
  Write({kHeartbeatTable, "tevento"});
  EXPECT_EQ(accountant_.Sum().marks, 0u);
  EXPECT_EQ(accountant_.Sum().rows().inserted, 1u);
}

}  // namespace
}  // namespace pandora_ha
