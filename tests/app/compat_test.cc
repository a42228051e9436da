#include "reconciler/app/compat.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace pandora_ha {
namespace {

using ::testing::HasSubstr;

const nlohmann::json& Status() {
  static const nlohmann::json status = {
      {"primary", "node1"},
      {"nodes",
       {{{"name", "node1"}, {"label", "Madrid"}, {"address", "10.0.1.11:3306"}},
        {{"name", "node2"}, {"label", "node2"}, {"address", "[fd00::2]:3306"}},
        {{"name", "node3"}, {"label", "node3"}, {"address", "db3.example:3306"}}}}};
  return status;
}

TEST(Compat, ANodeIsMeantByNameLabelOrAddress) {
  for (const char* master : {"node1", "Madrid", "10.0.1.11", "10.0.1.11:3306"}) {
    for (const auto& [slave, name] :
         {std::pair{"node2", "node2"}, {"[fd00::2]", "node2"}, {"db3.example", "node3"}}) {
      const auto node = SlaveOf(Status(), master, slave);
      ASSERT_TRUE(node.ok()) << node.error().message;
      EXPECT_EQ(node->text, name);
    }
  }
}

TEST(Compat, OnlyThePrimarysDataIsCopied) {
  const auto other = SlaveOf(Status(), "node2", "node3");
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().code, ErrorCode::kConflict);
  EXPECT_THAT(other.error().message, HasSubstr("node2 is not the primary; node1 is"));
  nlohmann::json without = Status();
  without.erase("primary");
  EXPECT_THAT(SlaveOf(without, "node1", "node2").error().message, HasSubstr("there is none"));
}

TEST(Compat, WhoIsNoNodeIsSaid) {
  for (const auto& [master, slave] : {std::pair{"10.0.1.1", "node2"}, {"node1", "node"}}) {
    const auto node = SlaveOf(Status(), master, slave);
    ASSERT_FALSE(node.ok());
    EXPECT_EQ(node.error().code, ErrorCode::kInvalid);
  }
}

}  // namespace
}  // namespace pandora_ha
