#include "reconciler/loop/intent_inbox.h"

#include <gtest/gtest.h>

#include <thread>

namespace pandora_ha {
namespace {

Intent Wanted(const std::string& id, Wish wish = Acknowledge{}) {
  Intent intent;
  intent.id = id;
  intent.wish = std::move(wish);
  return intent;
}

TEST(IntentInbox, TheSameIntentTwiceIsOne) {
  IntentInbox inbox;
  EXPECT_TRUE(inbox.Add(Wanted("first-one")).ok());
  EXPECT_TRUE(inbox.Add(Wanted("first-one")).ok());
  EXPECT_TRUE(inbox.Add(Wanted("second-one")).ok());
  EXPECT_EQ(inbox.All(), (std::vector{Wanted("first-one"), Wanted("second-one")}));
  const Status other = inbox.Add(Wanted("first-one", Resume{}));
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().code, ErrorCode::kConflict);
  inbox.Drop("first-one");
  inbox.Drop("unknown");
  EXPECT_EQ(inbox.All(), std::vector{Wanted("second-one")});
}

TEST(IntentInbox, IsBoundedAlsoWhenManyAskAtOnce) {
  IntentInbox inbox;
  std::vector<std::jthread> askers;
  for (int asker = 0; asker < 4; ++asker) {
    askers.emplace_back([&inbox, asker] {
      for (int i = 0; i < 10; ++i) {
        const Status added =
            inbox.Add(Wanted("asker-" + std::to_string(asker) + "-" + std::to_string(i)));
        if (!added.ok()) {
          EXPECT_EQ(added.error().code, ErrorCode::kConflict);
        }
      }
    });
  }
  askers.clear();
  EXPECT_EQ(inbox.All().size(), kMostPendingIntents);
  EXPECT_NE(inbox.Add(Wanted("one-more")).error().message.find("16 intents wait"),
            std::string::npos);
}

TEST(IntentInbox, ClosedItForgetsAndSaysWhy) {
  IntentInbox inbox;
  EXPECT_TRUE(inbox.Add(Wanted("first-one")).ok());
  inbox.Close("Another manager acts.");
  EXPECT_TRUE(inbox.All().empty());
  EXPECT_EQ(inbox.Add(Wanted("first-one")).error().message, "Another manager acts.");
  inbox.Close("");
  EXPECT_TRUE(inbox.All().empty());
  EXPECT_TRUE(inbox.Add(Wanted("first-one")).ok());
}

}  // namespace
}  // namespace pandora_ha
