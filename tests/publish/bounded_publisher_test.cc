// The medium hangs; the caller does not.
#include "reconciler/publish/bounded_publisher.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

namespace pandora_ha {
namespace {

class Hanging final : public Publisher {
 public:
  Status Publish(const PublishedPrimary& primary) override {
    PHA_TRY(Pass());
    const std::lock_guard lock(mutex_);
    seen_ = {primary.node, primary.epoch, ""};
    return Ok();
  }
  Status Drain(Duration, Deadline) override { return Pass(); }
  Status Withdraw() override { return Pass(); }
  Status Renew(Epoch, TimePoint) override { return Pass(); }
  PublicationSeen Current() const override {
    EXPECT_TRUE(Pass().ok());
    const std::lock_guard lock(mutex_);
    return seen_;
  }
  void Hang(bool hangs) {
    const std::lock_guard lock(mutex_);
    hangs_ = hangs;
    freed_.notify_all();
  }
  int calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }

 private:
  Status Pass() const {
    std::unique_lock lock(mutex_);
    ++calls_;
    freed_.wait(lock, [this] { return !hangs_; });
    return Ok();
  }
  mutable std::mutex mutex_;
  mutable std::condition_variable freed_;
  bool hangs_ = false;
  mutable int calls_ = 0;
  PublicationSeen seen_;
};

const PublishedPrimary kPrimary{NodeName("node1"), {"10.0.1.11", 3306}, Epoch(4)};
const PublishedPrimary kNext{NodeName("node2"), {"10.0.1.12", 3306}, Epoch(5)};
constexpr Duration kWithin = Milliseconds(100);

Duration Took(const std::function<void()>& what) {
  const TimePoint began = SystemClock().Now().mono;
  what();
  return SystemClock().Now().mono - began;
}

class BoundedPublisherTest : public ::testing::Test {
 protected:
  ~BoundedPublisherTest() override { inner_->Hang(false); }
  const std::shared_ptr<Hanging> inner_ = std::make_shared<Hanging>();
  BoundedPublisher publisher_{inner_, "/srv/hosts", kWithin, SystemClock()};
};

TEST_F(BoundedPublisherTest, WhatAnswersIsPassedOn) {
  EXPECT_TRUE(publisher_.Publish(kPrimary).ok());
  EXPECT_EQ(publisher_.Current().primary, kPrimary.node);
  EXPECT_EQ(publisher_.Current().epoch, kPrimary.epoch);
  EXPECT_TRUE(publisher_.Current().problem.empty());
  EXPECT_TRUE(publisher_.Withdraw().ok());
  EXPECT_TRUE(publisher_.Renew(Epoch(4), {}).ok());
  EXPECT_TRUE(publisher_.Drain({}, Deadline(SystemClock(), Seconds(1))).ok());
}

TEST_F(BoundedPublisherTest, AHangCostsOneWaitAndIsSaid) {
  ASSERT_TRUE(publisher_.Publish(kPrimary).ok());
  ASSERT_EQ(publisher_.Current().primary, kPrimary.node);
  inner_->Hang(true);
  Status status;
  EXPECT_GE(Took([&] { status = publisher_.Withdraw(); }), kWithin);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kTimeout);
  EXPECT_NE(status.error().message.find("/srv/hosts has not answered for"), std::string::npos)
      << status.error().message;
  const int calls = inner_->calls();
  EXPECT_LT(Took([&] {
              EXPECT_FALSE(publisher_.Publish(kNext).ok());
              EXPECT_FALSE(publisher_.Renew(Epoch(5), {}).ok());
              EXPECT_FALSE(publisher_.Drain({}, Deadline(SystemClock(), Seconds(9))).ok());
              const PublicationSeen seen = publisher_.Current();
              EXPECT_EQ(seen.primary, kPrimary.node) << "as it was last seen";
              EXPECT_FALSE(seen.problem.empty());
            }),
            kWithin);
  EXPECT_EQ(inner_->calls(), calls) << "a thread more with each call would end in thousands";

  inner_->Hang(false);
  const Deadline deadline(SystemClock(), Seconds(10));
  while (!publisher_.Publish(kNext).ok()) ASSERT_FALSE(deadline.passed());
  EXPECT_EQ(publisher_.Current().primary, kNext.node);
  EXPECT_TRUE(publisher_.Current().problem.empty());
}

TEST_F(BoundedPublisherTest, ADrainIsGivenItsOwnTime) {
  inner_->Hang(true);
  const Duration took = Took(
      [&] { EXPECT_FALSE(publisher_.Drain({}, Deadline(SystemClock(), Milliseconds(200))).ok()); });
  EXPECT_GE(took, Milliseconds(290));
}

TEST_F(BoundedPublisherTest, ItMayGoWhileACallHangs) {
  auto publisher = std::make_unique<BoundedPublisher>(inner_, "/srv/hosts", kWithin, SystemClock());
  inner_->Hang(true);
  EXPECT_FALSE(publisher->Publish(kPrimary).ok());
  ASSERT_EQ(inner_->calls(), 1) << "begun in time";
  publisher.reset();
  inner_->Hang(false);
  const Deadline deadline(SystemClock(), Seconds(10));
  while (inner_->Current().primary != kPrimary.node) ASSERT_FALSE(deadline.passed());
}

}  // namespace
}  // namespace pandora_ha
