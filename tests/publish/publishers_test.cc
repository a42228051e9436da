#include "reconciler/publish/publishers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pandora_ha {
namespace {

class Recorder final : public Publisher {
 public:
  Status Publish(const PublishedPrimary& primary) override {
    ++published;
    if (fails) return Error{code, "broken."};
    seen.primary = primary.node;
    seen.epoch = primary.epoch;
    return Ok();
  }
  Status Drain(Duration grace, Deadline) override {
    drained += grace;
    return fails ? Status(Error{code, "broken."}) : Ok();
  }
  Status Withdraw() override {
    ++withdrawn;
    seen.primary.reset();
    return fails ? Status(Error{code, "broken."}) : Ok();
  }
  Status Renew(Epoch, TimePoint) override {
    ++renewed;
    return fails ? Status(Error{code, "broken."}) : Ok();
  }
  PublicationSeen Current() const override { return seen; }

  bool fails = false;
  ErrorCode code = ErrorCode::kIo;
  int published = 0, withdrawn = 0, renewed = 0;
  Duration drained{};
  PublicationSeen seen;
};

const PublishedPrimary kPrimary{NodeName("node1"), {"10.0.1.11", 3306}, Epoch(4)};

TEST(Publishers, TellsEveryPartEvenAfterAFailure) {
  Recorder first, second, third;
  first.fails = third.fails = true;
  first.code = ErrorCode::kConflict;
  Publishers all({&first, &second, &third});
  const Status status = all.Publish(kPrimary);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kConflict);
  EXPECT_EQ(status.error().message, "broken. Also: broken.");
  EXPECT_EQ(second.published, 1);
  EXPECT_FALSE(all.Withdraw().ok());
  EXPECT_EQ(second.withdrawn, 1);
  EXPECT_EQ(third.withdrawn, 1);
  EXPECT_FALSE(all.Drain(Milliseconds(7), Deadline(SystemClock(), Seconds(1))).ok());
  EXPECT_EQ(third.drained, Milliseconds(7));
  EXPECT_FALSE(all.Renew(Epoch(4), {}).ok());
  EXPECT_EQ(third.renewed, 1);
}

TEST(Publishers, ShowsTheWorst) {
  Recorder first, second;
  Publishers all({&first, &second});
  EXPECT_EQ(all.Current(), PublicationSeen{});
  ASSERT_TRUE(all.Publish(kPrimary).ok());
  EXPECT_EQ(all.Current(), (PublicationSeen{NodeName("node1"), Epoch(4), ""}));
  second.seen.epoch = Epoch(3);
  EXPECT_EQ(all.Current().epoch, Epoch(3));
  EXPECT_NE(all.Current().problem, "");
  second.seen = first.seen;
  second.seen.primary = NodeName("node2");
  EXPECT_EQ(all.Current().primary, std::nullopt);
  EXPECT_NE(all.Current().problem, "");
  first.seen.problem = "one";
  second.seen.problem = "two";
  EXPECT_EQ(all.Current().problem, "one; two");
  EXPECT_EQ(Publishers({}).Current(), PublicationSeen{});
}

}  // namespace
}  // namespace pandora_ha
