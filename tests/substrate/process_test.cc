// What may be taken for a process's end, and what only looks like one.
#include "reconciler/substrate/local/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <vector>

#include "reconciler/substrate/local/disk_writes.h"

namespace pandora_ha {
namespace {

// Takes every descriptor that this process may have.
class NoDescriptorsLeft {
 public:
  NoDescriptorsLeft() {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit few = before_;
    few.rlim_cur = 64;
    setrlimit(RLIMIT_NOFILE, &few);
    for (int fd; (fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) taken_.emplace_back(fd);
  }
  ~NoDescriptorsLeft() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
  std::vector<Descriptor> taken_;
};

class ProcessTest : public ::testing::Test {
 protected:
  void SetUp() override {
    child_ = fork();
    if (child_ == 0) {
      for (;;) pause();
    }
  }
  void TearDown() override {
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }

  pid_t child_ = 0;
};

TEST_F(ProcessTest, OneThatHasEndedIsNotFoundEvenBeforeItIsReaped) {
  const auto process = IdentifyProcess(child_);
  ASSERT_TRUE(process.ok()) << process.error().message;
  const auto watched = OpenProcess(*process);
  ASSERT_TRUE(watched.ok()) << watched.error().message;
  SignalProcess(*watched, SIGKILL);
  pollfd end{watched->get(), POLLIN, 0};
  ASSERT_EQ(poll(&end, 1, 10000), 1);
  EXPECT_EQ(IdentifyProcess(child_).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(OpenProcess(*process).error().code, ErrorCode::kNotFound);
  ProcessId later = *IdentifyProcess(getpid());
  ++later.start_ticks;
  EXPECT_EQ(OpenProcess(later).error().code, ErrorCode::kNotFound) << "the number's next owner";
}

// Invariant 1: a machine that cannot look has not seen an end.
TEST_F(ProcessTest, WithoutDescriptorsNothingIsTakenForAnEnd) {
  const auto process = IdentifyProcess(child_);
  ASSERT_TRUE(process.ok());
  const NoDescriptorsLeft none;
  for (const Error& error :
       {IdentifyProcess(child_).error(), OpenProcess(*process).error(),
        FindProcesses("--no-such-word").error(), HolderOfLock("/proc/self/exe").error()}) {
    EXPECT_EQ(error.code, ErrorCode::kIo) << error.message;
    EXPECT_EQ(error.number, EMFILE) << error.message;
  }
}

// A supervisor outlives its manager: with the manager's listening socket it would keep the port.
TEST_F(ProcessTest, AChildHasNothingOfWhatItsCallerHasOpen) {
  const Descriptor inherited(open("/dev/null", O_RDONLY));  // as Asio opens: without O_CLOEXEC
  ASSERT_GT(inherited.get(), STDERR_FILENO);
  SpawnOptions list;
  list.argv = {"/bin/sh", "-c", "ls /proc/$$/fd; exit 7"};
  const auto ended = RunToEnd(list, Deadline(SystemClock(), Seconds(10)));
  ASSERT_TRUE(ended.ok());
  EXPECT_EQ(ended->output, "0\n1\n2\n");
  EXPECT_EQ(DescribeExit(ended->exit_status), "exit code 7");
}

TEST_F(ProcessTest, ALockIsHeldByNobodyByANamedProcessOrByOneThatCannotBeNamed) {
  const std::string path = ::testing::TempDir() + "pandora-ha-lock." + std::to_string(getpid());
  EXPECT_FALSE(*HolderOfLock(path)) << "no such file";
  const Descriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  EXPECT_FALSE(*HolderOfLock(path));
  struct flock lock {};
  lock.l_type = F_WRLCK;
  // A lock of the open file, not of a process: the kernel names nobody.
  ASSERT_EQ(fcntl(file.get(), F_OFD_SETLK, &lock), 0);
  const auto holder = HolderOfLock(path);
  ASSERT_FALSE(holder.ok());
  EXPECT_NE(holder.error().code, ErrorCode::kNotFound) << holder.error().message;
  std::filesystem::remove(path);
}

TEST(KernelHoldsTest, NeitherOneThatRunsNorOneThatHasGone) {
  EXPECT_FALSE(OnlyTheKernelHolds(getpid()));
  EXPECT_FALSE(OnlyTheKernelHolds(4194305));
}

// On a filesystem without a device of its own nothing is known, and that is said, too.
TEST(DiskWritesTest, WhatReachesADiskMoves) {
  const std::string directory =
      std::filesystem::temp_directory_path() / ("disk-writes-test-" + std::to_string(getpid()));
  std::filesystem::create_directories(directory);
  const std::string pid_file = directory + "/server.pid", data = directory + "/data";
  EXPECT_EQ(DiskWrites(pid_file), "") << "there is no such file";
  std::ofstream(pid_file) << getpid() << "\n";
  const Descriptor file(open(data.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_TRUE(file.open());
  const std::string before = DiskWrites(pid_file);
  const std::string megabyte(1 << 20, 'x');
  ASSERT_EQ(write(file.get(), megabyte.data(), megabyte.size()), 1 << 20);
  ASSERT_EQ(fsync(file.get()), 0);
  const std::string after = DiskWrites(pid_file);
  std::ofstream(pid_file) << "4194305\n";
  EXPECT_EQ(DiskWrites(pid_file), "") << "there is no such process";
  std::filesystem::remove_all(directory);
  if (before.empty()) GTEST_SKIP() << directory << " has no block device of its own";
  EXPECT_NE(before, after);
}

}  // namespace
}  // namespace pandora_ha
