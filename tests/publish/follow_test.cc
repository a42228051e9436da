#include "reconciler/publish/follow.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <filesystem>

#include "reconciler/publish/hosts_file.h"
#include "tests/publish/peers.h"

namespace pandora_ha {
namespace {

namespace fs = std::filesystem;
using test::EchoServer;
using test::Peer;
using test::WaitUntil;

class FollowTest : public testing::Test {
 protected:
  FollowTest() {
    std::string pattern = (fs::temp_directory_path() / "pandora-ha-follow-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    options_.path = (directory_ / "conf" / "pandora_ha_hosts.conf").string();
    options_.cluster = "pandora";
    fs::create_directory(directory_ / "conf");
    EndpointOptions listen;
    listen.listen = {"127.0.0.1", 0};
    endpoint_ = std::move(*Endpoint::Start(listen, SystemClock()));
  }
  ~FollowTest() override {
    follower_.reset();
    fs::remove_all(directory_);
  }
  void Follow() {
    follower_ = std::move(*Follower::Start(options_.path, *endpoint_, SystemClock()));
  }
  Status Publish(HostsFile& file, const char* node, const Address& address, std::uint64_t epoch) {
    return file.Publish({NodeName(node), address, Epoch(epoch)});
  }
  bool Shows(const std::optional<NodeName>& node, std::uint64_t epoch,
             Duration limit = Seconds(5)) {
    return WaitUntil(
        [&] {
          const PublicationSeen seen = endpoint_->Current();
          return seen.primary == node && seen.epoch == Epoch(epoch);
        },
        limit);
  }

  EchoServer a_{'A'}, b_{'B'};
  fs::path directory_;
  HostsFileOptions options_;
  std::unique_ptr<Endpoint> endpoint_;
  std::unique_ptr<Follower> follower_;
};

TEST_F(FollowTest, FollowsPublicationsAtOnce) {
  HostsFile file(options_, SystemClock());
  Follow();
  ASSERT_TRUE(WaitUntil([&] { return !follower_->Problem().empty(); }));
  EXPECT_THAT(follower_->Problem(), testing::HasSubstr("no manager has published"));
  Peer early = Peer::ConnectTo(endpoint_->listen());
  ASSERT_TRUE(Publish(file, "node1", a_.address(), 1).ok());
  EXPECT_EQ(early.Receive(1), "A");
  // By inotify: well before the reading that happens once a second anyway.
  const TimePoint start = SystemClock().Now().mono;
  ASSERT_TRUE(Publish(file, "node2", b_.address(), 2).ok());
  EXPECT_EQ(early.WaitForEnd(), Peer::End::kReset);
  EXPECT_LT(SystemClock().Now().mono - start, Milliseconds(500));
  EXPECT_EQ(Peer::ConnectTo(endpoint_->listen()).Receive(1), "B");
  ASSERT_TRUE(file.Withdraw().ok());
  EXPECT_TRUE(Shows(std::nullopt, 2));
  EXPECT_TRUE(WaitUntil([&] { return follower_->Problem().empty(); }));
}

TEST_F(FollowTest, KeepsTheLastTruthWhenTheSidecarCannotBeBelieved) {
  HostsFile file(options_, SystemClock());
  ASSERT_TRUE(Publish(file, "node1", a_.address(), 3).ok());
  const std::string sidecar = (directory_ / "conf" / "pandora_ha_hosts.json").string();
  const auto kept = ParseSidecar(PrintSidecar({"pandora",
                                               {NodeName("evil"), b_.address(), Epoch(2)},
                                               false,
                                               {},
                                               Milliseconds(0),
                                               "",
                                               {}}),
                                 sidecar);
  ASSERT_TRUE(kept.ok());
  Follow();
  ASSERT_TRUE(Shows(NodeName("node1"), 3));
  const auto directory = OpenDirectory((directory_ / "conf").string());
  const auto put = [&](const std::string& text, mode_t mode) {
    ASSERT_TRUE(ReplaceFile(*directory, "pandora_ha_hosts.json", text, {geteuid(), getegid(), mode},
                            Durability::kCacheOnly)
                    .ok());
  };
  const auto complains = [&](const char* of) {
    return WaitUntil([&] { return follower_->Problem().find(of) != std::string::npos; });
  };
  put("{\"half", 0640);
  EXPECT_TRUE(complains("not what a manager wrote"));
  Sidecar lower = *kept;
  put(PrintSidecar(lower), 0640);
  EXPECT_TRUE(complains("refuses evil"));
  lower.primary.epoch = Epoch(9);
  put(PrintSidecar(lower), 0666);
  EXPECT_TRUE(complains("by everybody"));
  fs::remove(sidecar);
  EXPECT_TRUE(complains("is not there"));
  EXPECT_TRUE(Shows(NodeName("node1"), 3));
  EXPECT_EQ(Peer::ConnectTo(endpoint_->listen()).Receive(1), "A");
}

TEST_F(FollowTest, StopsForwardingWhenNobodyRenewsTheLease) {
  options_.lease = Milliseconds(200);
  HostsFile file(options_, SystemClock());
  ASSERT_TRUE(Publish(file, "node1", a_.address(), 1).ok());
  Follow();
  ASSERT_TRUE(Shows(NodeName("node1"), 1));
  Peer client = Peer::ConnectTo(endpoint_->listen());
  ASSERT_EQ(client.Receive(1), "A");
  // Renewed for more than two leases the session lives; left alone it is cut.
  const Deadline renewing(SystemClock(), Milliseconds(500));
  while (!renewing.passed()) {
    ASSERT_TRUE(file.Renew(Epoch(1), SystemClock().Now().mono).ok());
    poll(nullptr, 0, 30);
  }
  ASSERT_TRUE(client.Send("ping"));
  EXPECT_EQ(client.Receive(4), "ping");
  EXPECT_EQ(client.WaitForEnd(), Peer::End::kReset);
  EXPECT_TRUE(Shows(std::nullopt, 1));
  ASSERT_TRUE(file.Renew(Epoch(1), SystemClock().Now().mono).ok());
  EXPECT_TRUE(Shows(NodeName("node1"), 1));
}

TEST_F(FollowTest, DoesNotBelieveAStaleLeaseAtItsStart) {
  options_.lease = Milliseconds(30);
  HostsFile file(options_, SystemClock());
  ASSERT_TRUE(Publish(file, "node1", a_.address(), 1).ok());
  const Deadline stale(SystemClock(), Milliseconds(40));
  ASSERT_TRUE(WaitUntil([&] { return stale.passed(); }));
  Follow();
  ASSERT_TRUE(WaitUntil([&] { return !follower_->Problem().empty(); }));
  EXPECT_THAT(follower_->Problem(), testing::HasSubstr("no manager renews it"));
  EXPECT_EQ(endpoint_->Statistics().sessions_total, 0u);
  EXPECT_EQ(endpoint_->Current().primary, std::nullopt);
}

TEST_F(FollowTest, DrainsWhenTheSidecarSaysSoAndTheManagerIsToldWhenItIsDone) {
  HostsFile file(options_, SystemClock());
  const auto in = [](Duration time) { return Deadline(SystemClock(), time); };
  ASSERT_TRUE(Publish(file, "node1", a_.address(), 1).ok());
  TimePoint start = SystemClock().Now().mono;
  EXPECT_TRUE(file.Drain(Milliseconds(10), in(Seconds(2))).ok()) << "nobody follows";
  EXPECT_LT(SystemClock().Now().mono - start, Milliseconds(200));
  ASSERT_TRUE(Publish(file, "node1", a_.address(), 1).ok());
  Follow();
  Peer client = Peer::ConnectTo(endpoint_->listen());
  ASSERT_EQ(client.Receive(1), "A");
  start = SystemClock().Now().mono;
  EXPECT_TRUE(file.Drain(Milliseconds(300), in(Seconds(5))).ok());
  EXPECT_GE(SystemClock().Now().mono - start, Milliseconds(300));
  EXPECT_EQ(client.WaitForEnd(), Peer::End::kFin);
  EXPECT_EQ(endpoint_->Statistics().sessions_drained, 1u);
  EXPECT_TRUE(Shows(std::nullopt, 1));
  // Taken back: the next ones go through again.
  ASSERT_TRUE(Publish(file, "node1", a_.address(), 1).ok());
  EXPECT_EQ(Peer::ConnectTo(endpoint_->listen()).Receive(1), "A");
  // A follower that hangs in it delays no longer than the deadline.
  const auto present = OpenDirectory((directory_ / "conf").string());
  ASSERT_EQ(flock(present->get(), LOCK_SH), 0);
  const Status drained = file.Drain(Milliseconds(0), in(Milliseconds(100)));
  ASSERT_FALSE(drained.ok());
  EXPECT_EQ(drained.error().code, ErrorCode::kTimeout);
}

TEST_F(FollowTest, ADrainWhoseManagerDiedIsOverAtItsEnd) {
  HostsFile file(options_, SystemClock());
  ASSERT_TRUE(Publish(file, "node1", a_.address(), 1).ok());
  Follow();
  ASSERT_TRUE(Shows(NodeName("node1"), 1));
  ASSERT_TRUE(file.Drain(Milliseconds(0), Deadline(SystemClock(), Milliseconds(300))).ok());
  EXPECT_TRUE(Shows(std::nullopt, 1));
  // Nobody withdraws: who waits goes on to the same primary.
  const TimePoint start = SystemClock().Now().mono;
  EXPECT_EQ(Peer::ConnectTo(endpoint_->listen()).Receive(1), "A");
  EXPECT_GT(SystemClock().Now().mono - start, Milliseconds(500));
  EXPECT_LT(SystemClock().Now().mono - start, Milliseconds(1800));
}

TEST_F(FollowTest, WaitsForADirectoryThatIsNotThereYet) {
  fs::remove_all(directory_ / "conf");
  Follow();
  ASSERT_TRUE(WaitUntil([&] { return !follower_->Problem().empty(); }));
  fs::create_directory(directory_ / "conf");
  HostsFile file(options_, SystemClock());
  ASSERT_TRUE(Publish(file, "node1", a_.address(), 1).ok());
  EXPECT_TRUE(Shows(NodeName("node1"), 1));
}

}  // namespace
}  // namespace pandora_ha
