// Supervisors with the installed MariaDB or with programs that only end: what does not depend on
// the server's flavour.
#include "reconciler/substrate/local/supervisor.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "local_server.h"
#include "reconciler/substrate/local/local_cluster.h"
#include "reconciler/substrate/local/process.h"
#include "reconciler/substrate/local/supervisor_socket.h"

namespace pandora_ha {
namespace {

ServerProgram Installed() {
  return *TestedServer("MariaDB");
}

TEST(SupervisorTest, RestartsInPlaceOnceWhereAllowed) {
  const LocalServer server(Installed(), Seconds(60));
  const auto manager = server.NewManager();
  ASSERT_TRUE(manager->Start({}, server.Soon()).ok());
  ASSERT_TRUE(manager->WaitFor(IsRunning, server.Soon()));
  EXPECT_FALSE(manager->Process()->restart_inhibited);
  const std::int64_t first = manager->Process()->pid;
  ASSERT_TRUE(manager->Kill(server.Soon()).ok());
  ASSERT_TRUE(manager->WaitFor(
      [&](const auto& state) { return IsRunning(state) && state->process.pid != first; },
      server.Soon()));
  EXPECT_TRUE(manager->Process()->restart_inhibited) << "the allowance is used up for a minute";
  ASSERT_TRUE(manager->Kill(server.Soon()).ok());
  ASSERT_TRUE(manager->WaitFor(HasEnded, server.Soon()));
  EXPECT_TRUE(manager->Process()->restart_inhibited);
}

TEST(SupervisorTest, ExitCode16IsARestart) {
  const LocalServer server(Installed());
  const auto manager = server.NewManager();
  SupervisorClient client({server.directory(), {PANDORA_HA_TEST_SUPERVISOR}, {}}, SystemClock());
  std::filesystem::create_directory(server.directory() + "/data");
  const std::string script = server.directory() + "/asks-once";
  std::ofstream(script) << "#!/bin/sh\ntest \"$MYSQLD_PARENT_PID\" = $PPID || exit 9\n"
                           "test -e "
                        << script << ".done && exec cat " << script
                        << ".fifo\n"
                           "touch "
                        << script << ".done; exit 16\n";
  ASSERT_EQ(chmod(script.c_str(), 0700), 0);
  ASSERT_EQ(mkfifo((script + ".fifo").c_str(), 0600), 0);
  // A second manager's supervisor would know the directory as it was before.
  const std::int64_t old = SupervisorPid(*manager, server.Soon());
  ASSERT_EQ(kill(static_cast<pid_t>(old), SIGKILL), 0);
  ASSERT_TRUE(client.WaitFor(
      [&](const auto& state) { return state.known() && state->supervisor_pid != old; },
      server.Soon()));
  SupervisorRequest start;
  start.verb = SupervisorVerb::kStart;
  start.serve = start.serve_again = {script};
  start.initialise.argv = {"/bin/false"};
  ASSERT_TRUE(client.Call(start, server.Soon()).ok());
  const std::string done = script + ".done";
  ASSERT_TRUE(client.WaitFor(
      [&](const auto& state) { return IsRunning(state) && std::filesystem::exists(done); },
      server.Soon()));
  SupervisorRequest stop;
  stop.verb = SupervisorVerb::kStop;
  ASSERT_TRUE(client.Call(stop, server.Soon()).ok());
  EXPECT_EQ(client.State()->process.how_ended, "killed by signal 15 (SIGTERM)");
}

TEST(SupervisorTest, AFailedInitialisationSaysWhyAndLeavesNoDataDirectory) {
  ServerProgram program = Installed();
  program.binary = "/bin/false";
  const LocalServer server(program);
  const auto manager = server.NewManager();
  ASSERT_TRUE(manager->Start({}, server.Soon()).ok()) << "the order is accepted";
  ASSERT_TRUE(manager->WaitFor(HasEnded, server.Soon()));
  const Seen<ProcessState> seen = manager->Process();
  EXPECT_NE(seen->how_ended.find("exit code 1"), std::string::npos) << seen->how_ended;
  EXPECT_FALSE(seen->starting);
  EXPECT_TRUE(seen->restart_inhibited);
  EXPECT_FALSE(std::filesystem::exists(server.directory() + "/data"));
}

// A program that takes for ever to make its data directory.
TEST(SupervisorTest, AStartIsAcceptedAtOnceAndAFenceEndsItAtOnce) {
  ServerProgram program = Installed();
  const LocalServer server(program);
  const auto manager = server.NewManager();
  SupervisorPid(*manager, server.Soon());
  SupervisorClient client({server.directory(), {PANDORA_HA_TEST_SUPERVISOR}, {}}, SystemClock());
  SupervisorRequest start;
  start.serve = start.serve_again = {"/bin/false"};
  start.initialise.argv = {"/bin/sleep", "1000"};
  const auto took = [](const auto& call) {
    const TimePoint before = SystemClock().Now().mono;
    call();
    return SystemClock().Now().mono - before;
  };
  EXPECT_LT(took([&] { EXPECT_TRUE(client.Call(start, server.Soon()).ok()); }), Milliseconds(500));
  EXPECT_TRUE(client.State()->process.starting);
  EXPECT_FALSE(client.State()->process.restart_inhibited);
  EXPECT_TRUE(client.Call(start, server.Soon()).ok()) << "the same order twice";
  EXPECT_LT(took([&] { EXPECT_TRUE(manager->Fence(server.Soon()).ok()); }), Milliseconds(500));
  ASSERT_TRUE(client.WaitFor(HasEnded, server.Soon()));
  EXPECT_FALSE(client.State()->process.starting);
  EXPECT_TRUE(client.State()->process.fenced);
}

// Invariant 9: a manager that was frozen and replaced must not kill or start a server when it
// thaws.
TEST(SupervisorTest, WhoeverClaimedLastIsObeyedAndTheOthersAreRefused) {
  const LocalServer server(Installed());
  const auto first = server.NewManager(), second = server.NewManager();
  EXPECT_FALSE(first->Claimed());
  ASSERT_TRUE(first->Claim(server.Soon()).ok());
  EXPECT_TRUE(first->Claimed());
  ASSERT_TRUE(first->Start({}, server.Soon()).ok());
  ASSERT_TRUE(first->WaitFor(IsRunning, server.Soon()));
  ASSERT_TRUE(second->WaitFor([](const auto& state) { return state.known(); }, server.Soon()));
  ASSERT_TRUE(second->Claim(server.Soon()).ok());
  ASSERT_TRUE(first->WaitFor([](const auto& state) { return !state->claimed; }, server.Soon()));
  for (const Status& status :
       {first->Fence(server.Soon()), first->Kill(server.Soon()), first->Start({}, server.Soon())}) {
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code, ErrorCode::kConflict) << status.error().message;
  }
  EXPECT_EQ(first->Process()->phase, ProcessState::Phase::kRunning) << "it still sees";
  const auto third = server.NewManager();
  ASSERT_TRUE(third->WaitFor([](const auto& state) { return state.known(); }, server.Soon()));
  ASSERT_TRUE(first->Claim(server.Soon()).ok());
  EXPECT_FALSE(second->Fence(server.Soon()).ok());
  EXPECT_FALSE(third->Fence(server.Soon()).ok());
  EXPECT_TRUE(first->Fence(server.Soon()).ok());
}

// Kills the supervisor and waits for the next one's first word.
void ReplaceSupervisor(const LocalHost& manager, const LocalServer& server) {
  const std::int64_t old = SupervisorPid(manager, server.Soon());
  ASSERT_EQ(kill(static_cast<pid_t>(old), SIGKILL), 0);
  ASSERT_TRUE(manager.WaitFor(
      [&](const auto& state) { return state.known() && state->supervisor_pid != old; },
      server.Soon()));
}

// Invariant 1: a backup of this server is not this server, and its end would prove nothing.
TEST(SupervisorTest, AToolWithTheServersOptionFileIsNotAdopted) {
  const LocalServer server(Installed());
  auto manager = server.NewManager();
  ASSERT_TRUE(manager->Start({}, server.Soon()).ok());
  ASSERT_TRUE(server.WaitAnswers().ok());
  SpawnOptions backup;
  backup.argv = {"/bin/sh", "-c", "sleep 30; true", "mariadb-backup",
                 "--defaults-file=" + server.directory() + "/my.cnf"};
  backup.new_session = true;
  const auto tool = Spawn(backup);
  ASSERT_TRUE(tool.ok());
  const std::int64_t supervisor = SupervisorPid(*manager, server.Soon());
  const auto pid = static_cast<pid_t>(manager->Process()->pid);
  const Descriptor process = *OpenProcess(*IdentifyProcess(pid));
  manager.reset();  // or it would start the next supervisor too soon
  ASSERT_EQ(kill(static_cast<pid_t>(supervisor), SIGKILL), 0);
  ASSERT_EQ(kill(pid, SIGKILL), 0);
  pollfd wait{process.get(), POLLIN, 0};
  ASSERT_EQ(poll(&wait, 1, 10000), 1);
  manager = server.NewManager();
  ASSERT_TRUE(manager->WaitFor([](const auto& state) { return state.known(); }, server.Soon()));
  EXPECT_EQ(manager->Process()->phase, Phase::kEnded);
  EXPECT_TRUE(manager->Fence(server.Soon()).ok());
  EXPECT_TRUE(IdentifyProcess(*tool).ok()) << "the fence killed somebody else";
  kill(-*tool, SIGKILL);
  waitpid(*tool, nullptr, 0);
}

// Invariant 1: where it cannot be told whether a server runs, no supervisor says that it ended.
TEST(SupervisorTest, OneThatCannotTellWhoHoldsTheDataDoesNotBegin) {
  const LocalServer server(Installed());
  auto manager = server.NewManager();
  const std::int64_t supervisor = SupervisorPid(*manager, server.Soon());
  manager.reset();  // or it would start the next supervisor too soon
  ASSERT_EQ(kill(static_cast<pid_t>(supervisor), SIGKILL), 0);
  std::filesystem::create_directory(server.directory() + "/data");
  std::ofstream(server.directory() + "/started") << "\n";
  Descriptor data(
      open((server.directory() + "/data/ibdata1").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  struct flock lock {};
  lock.l_type = F_WRLCK;
  ASSERT_EQ(fcntl(data.get(), F_OFD_SETLK, &lock), 0) << "a lock whose holder has no number";
  manager = server.NewManager();
  ASSERT_TRUE(manager->WaitFor(
      [](const auto& state) {
        return !state.known() && state.why_unknown().find("supervisor.log") != std::string::npos;
      },
      server.Soon()));
  EXPECT_FALSE(manager->Process().known());
  data.Close();
  ASSERT_TRUE(manager->WaitFor(HasEnded, server.Soon())) << "now it can";
}

TEST(SupervisorTest, WhoeverHoldsTheDataIsTheServerWhateverItsCommandLine) {
  const LocalServer server(Installed());
  const auto manager = server.NewManager();
  ASSERT_TRUE(manager->Start({}, server.Soon()).ok());
  ASSERT_TRUE(server.WaitAnswers().ok());
  ASSERT_TRUE(manager->Kill(server.Soon()).ok());
  SupervisorClient client({server.directory(), {PANDORA_HA_TEST_SUPERVISOR}, {}}, SystemClock());
  SupervisorRequest start;
  start.serve = start.serve_again = {Installed().binary,
                                     "--defaults-file=" + server.directory() + "/./my.cnf"};
  start.initialise.argv = {"/bin/false"};
  ASSERT_TRUE(client.Call(start, server.Soon()).ok());
  ASSERT_TRUE(server.WaitAnswers().ok());
  const std::int64_t pid = client.State()->process.pid;
  ReplaceSupervisor(*manager, server);
  EXPECT_EQ(manager->Process()->phase, Phase::kRunning);
  EXPECT_EQ(manager->Process()->pid, pid);
}

// Invariant 3: a failover must not wait for a clean stop that does not end.
TEST(SupervisorTest, ASupervisorThatIsEndingStillFences) {
  const LocalServer server(Installed());
  const auto manager = server.NewManager();
  ASSERT_TRUE(manager->Start({}, server.Soon()).ok());
  ASSERT_TRUE(server.WaitAnswers().ok());
  const std::int64_t supervisor = SupervisorPid(*manager, server.Soon());
  const auto pid = static_cast<pid_t>(manager->Process()->pid);
  ASSERT_EQ(kill(pid, SIGSTOP), 0);
  ASSERT_EQ(kill(static_cast<pid_t>(supervisor), SIGTERM), 0);
  SupervisorRequest start;
  SupervisorClient client({server.directory(), {PANDORA_HA_TEST_SUPERVISOR}, {}}, SystemClock());
  start.serve = start.serve_again = start.initialise.argv = {"/bin/false"};
  Status refused = Ok();
  const Deadline deadline = server.Soon();
  while (refused.ok() && !deadline.passed()) refused = client.Call(start, deadline);
  EXPECT_EQ(refused.error().code, ErrorCode::kConflict) << "the supervisor is ending";
  const Status fenced = manager->Fence(server.Soon());
  EXPECT_TRUE(fenced.ok()) << fenced.error().message;
  EXPECT_EQ(IdentifyProcess(pid).error().code, ErrorCode::kNotFound);
}

// A server whose data directory is made by a script in the place of the copier.
class CopyTest : public ::testing::Test {
 protected:
  CopyTest() : server_(Installed()), manager_(server_.NewManager()) {
    SupervisorPid(*manager_, server_.Soon());
    client_ = std::make_unique<SupervisorClient>(
        SupervisorClientOptions{server_.directory(), {PANDORA_HA_TEST_SUPERVISOR}, {}},
        SystemClock());
    std::filesystem::create_directory(At("/data"));
    std::ofstream(At("/data/old")) << "rows";
    Restart();
  }
  std::string At(const std::string& name) const { return server_.directory() + name; }
  void Restart() const { ReplaceSupervisor(*manager_, server_); }

  // `makes`: what the shell does in the new directory.
  Status Copy(const std::string& id, const std::string& makes, bool set_aside = false) {
    SupervisorRequest start;
    start.serve = start.serve_again = {"/bin/sleep", "1000"};
    start.initialise.argv = {"/bin/sh", "-c", "cd " + At("/data.new") + "; " + makes,
                             "--datadir=" + At("/data.new")};
    start.copy_id = id;
    start.set_aside = set_aside;
    return client_->Call(start, server_.Soon());
  }
  bool WaitPhase(CopySeen::Phase phase) const {
    return client_->WaitFor(
        [phase](const Seen<SupervisorState>& state) {
          return state.known() && state->process.copy && state->process.copy->phase == phase;
        },
        server_.Soon());
  }
  bool Has(const std::string& name) const { return std::filesystem::exists(At(name)); }

  const LocalServer server_;
  const std::unique_ptr<LocalHost> manager_;
  std::unique_ptr<SupervisorClient> client_;
};

TEST_F(CopyTest, ReplacesTheDataWhenItIsWholeAndTheOldIsKeptUntilItIsDiscarded) {
  ASSERT_TRUE(Copy("first", "touch new; echo first > pandora_ha_copy").ok());
  ASSERT_TRUE(WaitPhase(CopySeen::Phase::kInPlace));
  ASSERT_TRUE(client_->WaitFor(IsRunning, server_.Soon()));
  EXPECT_TRUE(Has("/data/new"));
  EXPECT_TRUE(Has("/data.old/old"));
  EXPECT_TRUE(client_->State()->process.old_copy);
  EXPECT_TRUE(Copy("first", "false").ok()) << "the same order twice";
  EXPECT_TRUE(Has("/data/new"));
  SupervisorRequest discard;
  discard.verb = SupervisorVerb::kDiscardOld;
  ASSERT_TRUE(client_->Call(discard, server_.Soon()).ok());
  EXPECT_FALSE(client_->State()->process.old_copy);
  EXPECT_FALSE(Has("/data.old"));
  Restart();
  EXPECT_EQ(manager_->Process()->copy->id, "first") << "known from the directory";
}

TEST_F(CopyTest, OneThatIsNotWholeReplacesNothing) {
  for (const std::string makes : {"touch new", "echo other > pandora_ha_copy",
                                  "echo bad > pandora_ha_copy; exit 3", "kill -9 $$"}) {
    ASSERT_TRUE(Copy("bad", makes).ok());
    ASSERT_TRUE(WaitPhase(CopySeen::Phase::kFailed)) << makes;
    EXPECT_NE(client_->State()->process.copy->why, "");
    EXPECT_TRUE(Has("/data/old")) << makes;
    Restart();
    EXPECT_TRUE(Has("/data/old")) << makes;
  }
}

TEST_F(CopyTest, KilledBetweenTheTwoRenamesNothingIsLost) {
  std::filesystem::rename(At("/data"), At("/data.old"));
  std::filesystem::create_directory(At("/data.new"));
  Restart();
  EXPECT_TRUE(Has("/data/old")) << "half a copy is none";
  std::filesystem::rename(At("/data"), At("/data.old"));
  std::ofstream(At("/data.new/pandora_ha_copy")) << "whole\n";
  Restart();
  EXPECT_EQ(manager_->Process()->copy->id, "whole");
  EXPECT_TRUE(Has("/data/pandora_ha_copy"));
  EXPECT_TRUE(Has("/data.old/old"));
}

// The first attempt's data was a copy, too; what it replaced is still all that the node had.
TEST_F(CopyTest, ASecondCopyKeepsTheOldestData) {
  ASSERT_TRUE(Copy("first", "echo first > pandora_ha_copy").ok());
  ASSERT_TRUE(client_->WaitFor(IsRunning, server_.Soon()));
  const std::int64_t pid = client_->State()->process.pid;
  ASSERT_TRUE(Copy("second", "touch new; echo second > pandora_ha_copy").ok());
  ASSERT_TRUE(client_->WaitFor(
      [pid](const auto& state) { return IsRunning(state) && state->process.pid != pid; },
      server_.Soon()));
  EXPECT_TRUE(Has("/data/new"));
  EXPECT_TRUE(Has("/data.old/old"));
}

TEST_F(CopyTest, WhatIsSetAsideIsNeverDiscarded) {
  ASSERT_TRUE(Copy("first", "echo first > pandora_ha_copy", true).ok());
  ASSERT_TRUE(WaitPhase(CopySeen::Phase::kInPlace));
  EXPECT_FALSE(client_->State()->process.old_copy);
  EXPECT_TRUE(Has("/data.aside-first/old"));
}

// Invariant 3: whoever needs the node down must not wait for a copy, nor for its children.
TEST_F(CopyTest, AFenceEndsItWithAllItsChildrenAtOnce) {
  ASSERT_TRUE(Copy("long", "sleep 1000 & echo $! > ../child; wait").ok());
  const Deadline soon = server_.Soon();
  std::string child;
  while (child.empty() && !soon.passed()) std::getline(std::ifstream(At("/child")), child);
  ASSERT_TRUE(manager_->Fence(server_.Soon()).ok());
  ASSERT_TRUE(WaitPhase(CopySeen::Phase::kFailed));
  EXPECT_TRUE(client_->State()->process.fenced);
  // Killed with the copier; the kernel may take a moment more for it.
  const auto gone = [&] {
    const auto found = IdentifyProcess(std::stoi(child));
    return !found.ok() && found.error().code == ErrorCode::kNotFound;
  };
  while (!gone() && !soon.passed()) usleep(1000);
  EXPECT_TRUE(gone());
  EXPECT_TRUE(Has("/data/old"));
}

TEST(SupervisorTest, MalformedInputIsAnsweredAndHarmsNobody) {
  const LocalServer server(Installed());
  const auto manager = server.NewManager();
  const std::int64_t pid = SupervisorPid(*manager, server.Soon());
  const auto say = [&](const std::string& text) {
    auto socket = ConnectToSupervisor(server.directory());
    EXPECT_TRUE(socket.ok());
    std::string heard;
    EXPECT_GT(send(socket->get(), text.data(), text.size(), MSG_NOSIGNAL), 0);
    pollfd wait{socket->get(), POLLIN, 0};
    while (heard.find("error") == std::string::npos && poll(&wait, 1, 10000) == 1) {
      char bytes[4096];
      const ssize_t got = recv(socket->get(), bytes, sizeof bytes, 0);
      if (got <= 0) break;
      heard.append(bytes, static_cast<std::size_t>(got));
    }
    return heard;
  };
  for (const std::string& text :
       {std::string("hello\n"), std::string("{\"id\":1}\n"), std::string(70000, 'x'),
        std::string("\0\n", 2), std::string("{\"id\":1,\"do\":\"start\"}\n"),
        "{\"a\":" + std::string(60000, '[') + "\n"}) {
    EXPECT_NE(say(text).find("error"), std::string::npos) << text.substr(0, 40);
  }
  EXPECT_EQ(SupervisorPid(*manager, server.Soon()), pid) << "the supervisor has not been replaced";
}

TEST(SupervisorTest, ADirectoryHasOneSupervisor) {
  const LocalServer server(Installed());
  const auto manager = server.NewManager();
  const std::int64_t pid = SupervisorPid(*manager, server.Soon());
  SpawnOptions second;
  second.argv = {PANDORA_HA_TEST_SUPERVISOR, server.directory()};
  const auto refused = RunToEnd(second, server.Soon());
  ASSERT_TRUE(refused.ok());
  EXPECT_EQ(DescribeExit(refused->exit_status),
            "exit code " + std::to_string(kSupervisorAlreadyThere));
  EXPECT_EQ(SupervisorPid(*manager, server.Soon()), pid);
}

TEST(SupervisorTest, StopLocalServersEndsWhatAnEarlierProgramLeft) {
  const LocalServer server(Installed());
  {
    const auto manager = server.NewManager();
    ASSERT_TRUE(manager->Start({}, server.Soon()).ok());
    ASSERT_TRUE(server.WaitAnswers().ok());
  }
  const std::string parent = server.directory() + ".cluster";
  std::filesystem::create_directory(parent);
  std::filesystem::create_directory_symlink(server.directory(), parent + "/node1");
  const Status stopped =
      StopLocalServers(parent, {PANDORA_HA_TEST_SUPERVISOR}, SystemClock(), server.Soon());
  EXPECT_TRUE(stopped.ok()) << stopped.error().message;
  EXPECT_TRUE(FindProcesses("--defaults-file=" + server.directory() + "/my.cnf")->empty());
  EXPECT_TRUE(FindProcesses(server.directory())->empty()) << "the supervisor ended too";
  std::filesystem::remove_all(parent);
}

}  // namespace
}  // namespace pandora_ha
