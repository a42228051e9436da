// The local substrate with real servers and real supervisors.
#include "reconciler/substrate/local/local_host.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "local_server.h"
#include "reconciler/substrate/local/local_cluster.h"
#include "reconciler/substrate/local/process.h"
#include "reconciler/substrate/local/supervisor.h"
#include "reconciler/substrate/local/supervisor_socket.h"

namespace pandora_ha {
namespace {

std::string WholeFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class LocalHostTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const auto program = TestedServer(GetParam());
    if (!program) GTEST_SKIP() << "no root folder is given for " << GetParam();
    program_ = *program;
    server_.emplace(program_);
    manager_ = server_->NewManager([this] { last_change_ = SystemClock().Now().mono; });
  }

  bool IsMySql() const { return program_.flavor == Flavor::kMySql; }
  Deadline Soon() const { return server_->Soon(); }
  std::int64_t Pid() const { return manager_->Process()->pid; }
  void StartAndAnswer() {
    const Status started = manager_->Start({}, Soon());
    ASSERT_TRUE(started.ok()) << started.error().message
                              << WholeFile(server_->directory() + "/supervisor.log");
    const Status answers = server_->WaitAnswers();
    ASSERT_TRUE(answers.ok()) << answers.error().message
                              << WholeFile(server_->directory() + "/server.err");
  }

  ServerProgram program_;
  std::optional<LocalServer> server_;
  std::atomic<TimePoint> last_change_{};
  std::unique_ptr<LocalHost> manager_;
};

TEST_P(LocalHostTest, AFreshServerBootsReadOnlyWithAnEmptyHistoryAndAPassword) {
  ASSERT_TRUE(manager_->WaitFor([](const auto& state) { return state.known(); }, Soon()));
  EXPECT_EQ(manager_->Process()->phase, Phase::kNeverStarted);
  EXPECT_FALSE(manager_->Process()->initialised);
  StartAndAnswer();

  EXPECT_TRUE(manager_->Process()->initialised);
  EXPECT_TRUE(manager_->Process()->restart_inhibited);
  EXPECT_EQ(server_->Ask("SELECT @@global.read_only"), "1");
  if (IsMySql()) {
    EXPECT_EQ(server_->Ask("SELECT @@global.super_read_only"), "1");
    EXPECT_EQ(server_->Ask("SELECT @@global.gtid_executed"), "");
    EXPECT_EQ(server_->Ask("SELECT @@global.rpl_semi_sync_replica_enabled"), "1");
    EXPECT_EQ(server_->Ask("SELECT @@global.rpl_semi_sync_source_enabled"), "0");
  } else {
    EXPECT_EQ(
        server_->Ask("SELECT CONCAT(@@gtid_binlog_pos, @@gtid_current_pos, @@gtid_slave_pos)"), "");
    EXPECT_EQ(server_->Ask("SELECT @@global.gtid_strict_mode"), "1");
    EXPECT_EQ(server_->Ask("SELECT @@global.rpl_semi_sync_slave_enabled"), "1");
    EXPECT_EQ(server_->Ask("SELECT @@global.rpl_semi_sync_master_enabled"), "0");
  }
  EXPECT_EQ(server_->Ask("SELECT CONCAT(@@sync_binlog, @@innodb_flush_log_at_trx_commit)"), "11");
  EXPECT_EQ(server_->Ask("SELECT COUNT(*) FROM mysql.user WHERE user='root' AND host NOT IN "
                         "('localhost','127.0.0.0/255.0.0.0')"),
            "0");
  EXPECT_NE(server_->Ask("SELECT 1", "").find("denied"), std::string::npos);
  EXPECT_NE(server_->Ask("SELECT 1", "wrong").find("denied"), std::string::npos);
}

TEST_P(LocalHostTest, NoFileOrCommandLineHoldsThePassword) {
  StartAndAnswer();
  struct stat info {};
  ASSERT_EQ(stat(server_->directory().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700U);
  for (const auto& entry : std::filesystem::directory_iterator(server_->directory())) {
    if (!entry.is_regular_file()) continue;
    EXPECT_EQ(WholeFile(entry.path()).find("right"), std::string::npos) << entry.path();
  }
  for (const std::int64_t pid : {Pid(), SupervisorPid(*manager_, Soon())}) {
    for (const char* file : {"/cmdline", "/environ"}) {
      EXPECT_EQ(WholeFile("/proc/" + std::to_string(pid) + file).find("right"), std::string::npos);
    }
  }
}

TEST_P(LocalHostTest, AKilledServerIsReportedAtOnce) {
  StartAndAnswer();
  constexpr int kTimes = 20;
  std::vector<double> report_ms;
  for (int i = 0; i < kTimes; ++i) {
    ASSERT_TRUE(manager_->Start({}, Soon()).ok());
    ASSERT_TRUE(manager_->WaitFor(IsRunning, Soon()));
    const std::int64_t pid = Pid();
    const Descriptor process = *OpenProcess(*IdentifyProcess(static_cast<pid_t>(pid)));
    ASSERT_TRUE(process.open());
    const TimePoint before = SystemClock().Now().mono;
    ASSERT_EQ(kill(static_cast<pid_t>(pid), SIGKILL), 0);
    pollfd wait{process.get(), POLLIN, 0};
    ASSERT_EQ(poll(&wait, 1, 10000), 1);
    const TimePoint kernel = SystemClock().Now().mono;
    ASSERT_TRUE(manager_->WaitFor(HasEnded, Soon()));
    const Seen<ProcessState> seen = manager_->Process();
    EXPECT_EQ(seen->how_ended, "killed by signal 9 (SIGKILL)");
    EXPECT_TRUE(seen->restart_inhibited);
    EXPECT_FALSE(seen->fenced);
    EXPECT_GE(seen->ended_at, before);
    report_ms.push_back(static_cast<double>((seen.at() - kernel).count()) / 1000);
  }
  std::sort(report_ms.begin(), report_ms.end());
  std::printf("the manager's news after the kernel's end: median %.3f ms, max %.3f ms (n=%d)\n",
              report_ms[kTimes / 2], report_ms.back(), kTimes);
  const TimePoint asked = SystemClock().Now().mono;
  ASSERT_TRUE(manager_->Fence(Soon()).ok());
  std::printf("fencing the dead: %lld us\n",
              static_cast<long long>((SystemClock().Now().mono - asked).count()));
  // The median, because another program may hold both processors for a while.
  EXPECT_LT(report_ms[kTimes / 2], 1.0);
}

TEST_P(LocalHostTest, AFenceOutlivesTheSupervisorAndOnlyAManagersStartLiftsIt) {
  StartAndAnswer();
  const auto pid = static_cast<pid_t>(Pid());
  const TimePoint asked = SystemClock().Now().mono;
  ASSERT_TRUE(manager_->Fence(Soon()).ok());
  std::printf("fenced in %lld us\n",
              static_cast<long long>((SystemClock().Now().mono - asked).count()));
  EXPECT_EQ(IdentifyProcess(pid).error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(manager_->Process()->fenced);
  EXPECT_EQ(manager_->Process()->phase, Phase::kEnded);
  ASSERT_TRUE(manager_->Fence(Soon()).ok()) << "a second fence changes nothing";

  const std::int64_t first = SupervisorPid(*manager_, Soon());
  ASSERT_EQ(kill(static_cast<pid_t>(first), SIGKILL), 0);
  ASSERT_TRUE(manager_->WaitFor(
      [&](const auto& state) { return state.known() && state->supervisor_pid != first; }, Soon()));
  EXPECT_TRUE(manager_->Process()->fenced);

  SupervisorClient other({server_->directory(), {PANDORA_HA_TEST_SUPERVISOR}, {}}, SystemClock());
  SupervisorRequest start;
  start.verb = SupervisorVerb::kStart;
  start.serve = start.serve_again = ServeCommand(program_, server_->directory(), false);
  start.initialise.argv = {"/bin/false"};
  const Status refused = other.Call(start, Soon());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kRefused);
  EXPECT_EQ(manager_->Process()->phase, Phase::kEnded);

  ASSERT_TRUE(manager_->Start({}, Soon()).ok());
  EXPECT_EQ(manager_->Process()->phase, Phase::kRunning);
  EXPECT_FALSE(manager_->Process()->fenced);
}

TEST_P(LocalHostTest, AServerOutlivesItsSupervisorAndItsManager) {
  StartAndAnswer();
  const std::int64_t pid = Pid();
  const std::int64_t first = SupervisorPid(*manager_, Soon());
  ASSERT_EQ(kill(static_cast<pid_t>(first), SIGKILL), 0);
  ASSERT_TRUE(manager_->WaitFor(
      [&](const auto& state) { return state.known() && state->supervisor_pid != first; }, Soon()));
  EXPECT_EQ(manager_->Process()->phase, Phase::kRunning);
  EXPECT_EQ(Pid(), pid);
  EXPECT_EQ(server_->Ask("SELECT 'alive'"), "alive");

  manager_.reset();
  EXPECT_EQ(server_->Ask("SELECT 'alive'"), "alive");
  manager_ = server_->NewManager();
  ASSERT_TRUE(manager_->WaitFor(IsRunning, Soon()));
  EXPECT_EQ(Pid(), pid);

  // The end of an adopted process is seen too, though not how it came.
  ASSERT_EQ(kill(static_cast<pid_t>(pid), SIGKILL), 0);
  ASSERT_TRUE(manager_->WaitFor(HasEnded, Soon()));
  EXPECT_NE(manager_->Process()->how_ended.find("not known"), std::string::npos);
}

TEST_P(LocalHostTest, AServerThatEndedUnwatchedIsEndedForTheNextSupervisor) {
  StartAndAnswer();
  const std::int64_t first = SupervisorPid(*manager_, Soon());
  const auto pid = static_cast<pid_t>(Pid());
  manager_.reset();  // or it would start the next supervisor too soon
  ASSERT_EQ(kill(static_cast<pid_t>(first), SIGKILL), 0);
  const Descriptor process = *OpenProcess(*IdentifyProcess(pid));
  ASSERT_EQ(kill(pid, SIGKILL), 0);
  pollfd wait{process.get(), POLLIN, 0};
  ASSERT_EQ(poll(&wait, 1, 10000), 1);
  manager_ = server_->NewManager();
  ASSERT_TRUE(manager_->WaitFor(HasEnded, Soon()));
  EXPECT_NE(manager_->Process()->how_ended.find("no supervisor"), std::string::npos);
}

TEST_P(LocalHostTest, AServerThatAsksForItsRestartGetsIt) {
  if (!IsMySql()) return;  // MariaDB has no such statement
  StartAndAnswer();
  const std::int64_t pid = Pid();
  EXPECT_EQ(server_->Ask("RESTART"), "");
  ASSERT_TRUE(manager_->WaitFor(
      [&](const auto& state) { return IsRunning(state) && state->process.pid != pid; }, Soon()));
  EXPECT_TRUE(server_->WaitAnswers().ok());
}

TEST_P(LocalHostTest, StartsWithDiscardingWhereTheServerCanAndNeverRepeatsIt) {
  StartAndAnswer();
  ASSERT_TRUE(manager_->Kill(Soon()).ok());
  const auto role = [&] {
    const std::string words = WholeFile("/proc/" + std::to_string(Pid()) + "/cmdline");
    return words.find("--init-rpl-role=SLAVE") != std::string::npos;
  };
  ASSERT_TRUE(manager_->Start({.discard_unacknowledged = true}, Soon()).ok());
  // Until it answers, the process may still be on its way from the supervisor's program to its own.
  ASSERT_TRUE(server_->WaitAnswers().ok());
  EXPECT_EQ(role(), !IsMySql());
  EXPECT_EQ(server_->Ask("SELECT @@global.read_only"), "1");
  ASSERT_TRUE(manager_->Kill(Soon()).ok());
  ASSERT_TRUE(manager_->Start({}, Soon()).ok());
  ASSERT_TRUE(server_->WaitAnswers().ok());
  EXPECT_FALSE(role());
}

TEST_P(LocalHostTest, ACleanStopIsNoCrash) {
  StartAndAnswer();
  ASSERT_TRUE(manager_->Stop(Soon()).ok());
  EXPECT_EQ(manager_->Process()->how_ended, "exit code 0");
}

INSTANTIATE_TEST_SUITE_P(Real, LocalHostTest, testing::Values("MariaDB", "MariaDB118", "MySQL"),
                         [](const auto& server) { return server.param; });

}  // namespace
}  // namespace pandora_ha
