// The end of a server whose disk does not answer.
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <thread>

#include "local_server.h"
#include "tests/support/stalling_disk.h"

namespace pandora_ha {
namespace {

// A server whose disk does not answer cannot end; a fence need not wait for it, but for every disk
// that only takes its time.
class FenceOnADisk : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string mount = server_.directory() + "/mounted";
    std::filesystem::create_directories(mount);
    auto disk = StallingDisk::Mount(server_.directory() + "/disk", mount);
    if (!disk.ok()) GTEST_SKIP() << disk.error().message;
    disk_ = *std::move(disk);
    std::filesystem::create_directory(server_.directory() + "/data");
    manager_ = server_.NewManager();  // its supervisor sees the mount
    SupervisorPid(*manager_, server_.Soon());
    SupervisorClient client({server_.directory(), {PANDORA_HA_TEST_SUPERVISOR}, {}}, SystemClock());
    SupervisorRequest start;
    start.serve = start.serve_again = {"/bin/sh", "-c", "while : > " + mount + "/file; do :; done"};
    start.initialise.argv = {"/bin/false"};
    const Status started = client.Call(start, server_.Soon());
    ASSERT_TRUE(started.ok()) << started.error().message;
    ASSERT_TRUE(client.WaitFor(IsRunning, server_.Soon()));
    pid_ = static_cast<pid_t>(client.State()->process.pid);
    ASSERT_TRUE(disk_->Freeze().ok());
    usleep(100'000);  // it writes all the time
  }
  void TearDown() override {
    if (!disk_) return;
    disk_->Thaw();
    EXPECT_TRUE(manager_->Fence(server_.Soon()).ok());
    disk_.reset();
  }

  const LocalServer server_{*TestedServer("MariaDB")};
  std::unique_ptr<LocalHost> manager_;
  std::unique_ptr<StallingDisk> disk_;
  pid_t pid_ = 0;
};

TEST_F(FenceOnADisk, ThatDoesNotAnswerIsDone) {
  EXPECT_TRUE(manager_->Fence(server_.Soon()).ok());
  EXPECT_EQ(kill(pid_, 0), 0) << "the kernel holds it";
}

TEST_F(FenceOnADisk, ThatTakesItsTimeIsDoneWhenTheServerHasEnded) {
  std::thread thaw([this] {
    usleep(200'000);
    disk_->Thaw();
  });
  EXPECT_TRUE(manager_->Fence(server_.Soon()).ok());
  EXPECT_NE(kill(pid_, 0), 0);
  thaw.join();
}

}  // namespace
}  // namespace pandora_ha
