// A long work beside a server: it is told, watched, ended, and known by its result.
#include "reconciler/substrate/local/job.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "reconciler/substrate/local/merger.h"
#include "reconciler/substrate/local/process.h"
#include "reconciler/substrate/local/verifier.h"

namespace pandora_ha {
namespace {

namespace fs = std::filesystem;
using Phase = JobSeen::Phase;

class JobTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string made = ::testing::TempDir() + "pandora-ha-job.XXXXXX";
    ASSERT_NE(mkdtemp(made.data()), nullptr);
    directory_ = made;
    run_ = NewRun();
  }
  void TearDown() override {
    run_.reset();
    fs::remove_all(directory_);
  }
  // Its result is a file with the order's name and the amount in it.
  std::unique_ptr<JobRun> NewRun() {
    return std::make_unique<JobRun>(
        "sums", directory_, SystemClock(),
        [this](const std::string& id) -> std::optional<std::int64_t> {
          std::int64_t amount = 0;
          if (!(std::ifstream(directory_ + "/" + id) >> amount)) return std::nullopt;
          return amount;
        },
        [this] { ++changes_; });
  }
  // What a job does, instead of the program.
  InitialiseCommand Does(const std::string& script, const std::string& order = "") {
    InitialiseCommand command = JobCommand("/bin/sh", "sums", directory_, order);
    command.argv = {"/bin/sh", "-c", "cd " + directory_ + "; " + script, command.argv.back()};
    return command;
  }
  void WaitForEnd() {
    pollfd end{run_->watch_descriptor(), POLLIN, 0};
    ASSERT_EQ(poll(&end, 1, 10000), 1);
    run_->OnProcessEnd();
    EXPECT_FALSE(run_->busy());
  }

  std::string directory_;
  int changes_ = 0;
  std::unique_ptr<JobRun> run_;
};

TEST_F(JobTest, EndedByAnOrderItMayGoLater) {
  ASSERT_TRUE(run_->Start("first", Does("sleep 100")).ok());
  run_->End("another");
  EXPECT_TRUE(run_->busy()) << "that one does not run";
  run_->End("first");
  EXPECT_FALSE(run_->busy());
  EXPECT_EQ(run_->seen()->phase, JobSeen::Phase::kFailed);
  EXPECT_TRUE(run_->seen()->not_now);
  EXPECT_NE(run_->seen()->why, "");
  // Done at the last moment, and not told yet.
  ASSERT_TRUE(run_->Start("second", Does("echo 7 > second")).ok());
  pollfd end{run_->watch_descriptor(), POLLIN, 0};
  ASSERT_EQ(poll(&end, 1, 10000), 1);
  run_->End("second");
  EXPECT_EQ(run_->seen()->phase, JobSeen::Phase::kDone);
}

TEST_F(JobTest, IsDoneWhenItsResultIsThere) {
  ASSERT_TRUE(run_->Start("a", Does("cat > a", "12")).ok());
  EXPECT_EQ(run_->seen()->phase, Phase::kWorking);
  EXPECT_EQ(changes_, 1);
  WaitForEnd();
  EXPECT_EQ(run_->seen()->phase, Phase::kDone) << run_->seen()->why;
  EXPECT_EQ(run_->seen()->all, 12);
  EXPECT_EQ(changes_, 2);
  EXPECT_TRUE(run_->Start("a", Does("exit 1")).ok()) << "the same order again changes nothing";
  EXPECT_FALSE(run_->busy());
}

TEST_F(JobTest, AProcessThatEndsWithoutAResultHasFailedWhateverItsExitCode) {
  ASSERT_TRUE(run_->Start("a", Does("exit 0")).ok());
  WaitForEnd();
  EXPECT_EQ(run_->seen()->phase, Phase::kFailed);
  EXPECT_EQ(run_->seen()->why, "its process ended (exit code 0); see " + directory_ + "/sums.log");
  ASSERT_TRUE(run_->Start("a", Does("echo 3 > a")).ok()) << "it may be tried again";
  WaitForEnd();
  EXPECT_EQ(run_->seen()->phase, Phase::kDone);
}

TEST_F(JobTest, TellsHowFarItIsAndWhyItFailed) {
  JobProgress progress("sums", directory_);
  ASSERT_TRUE(run_->Start("a", Does("while :; do sleep 0.2; done")).ok());
  progress.Tell(3, 8);
  run_->LookAtProgress();
  EXPECT_EQ(run_->seen()->done, 3);
  EXPECT_EQ(run_->seen()->all, 8);
  EXPECT_EQ(run_->Start("b", Does("true")).error().code, ErrorCode::kConflict);
  run_->Stop();

  for (const ErrorCode code :
       {ErrorCode::kConflict, ErrorCode::kInvalid, ErrorCode::kUnsupported}) {
    const std::string id = std::to_string(static_cast<int>(code));
    ASSERT_TRUE(run_->Start(id, Does("read line; exit 1")).ok());
    progress.Fail({code, "so it is", 0});
    WaitForEnd();
    EXPECT_EQ(run_->seen()->phase, Phase::kFailed);
    EXPECT_EQ(run_->seen()->why, "so it is");
    EXPECT_EQ(run_->seen()->not_now, code == ErrorCode::kConflict);
    EXPECT_EQ(run_->seen()->never, code == ErrorCode::kUnsupported);
    EXPECT_EQ(run_->seen()->done, 3);
  }
}

// Files beside the server may be anything; a supervisor does not end by reading them.
TEST_F(JobTest, WhatCannotBeReadIsNeitherProgressNorAnAccount) {
  ASSERT_TRUE(run_->Start("a", Does("while :; do sleep 0.2; done")).ok());
  for (const char* text : {"", "7", "[1]", "{\"done\":\"x\",\"all\":2}", "{\"done\":1}", "{"}) {
    std::ofstream(directory_ + "/sums.progress") << text;
    run_->LookAtProgress();
    EXPECT_EQ(run_->seen()->all, 0) << text;
    EXPECT_EQ(run_->seen()->phase, Phase::kWorking);
  }
  const std::string rows = R"("rows":{"merged":1,"alreadyThere":2,"rejected":3,"statements":4})";
  for (const std::string& text :
       {std::string("{}"), "{" + rows + "}", R"({"id":7,"transactions":1,)" + rows + "}",
        R"({"id":"a","transactions":"x",)" + rows + "}", std::string(R"({"rows":[]})")}) {
    std::ofstream(directory_ + kMergeAccount) << text;
    EXPECT_FALSE(ReadMergeAccount(directory_).ok()) << text;
  }
  std::ofstream(directory_ + kMergeAccount) << R"({"id":"a@1.0","transactions":5,)" + rows + "}";
  const auto account = ReadMergeAccount(directory_);
  ASSERT_TRUE(account.ok()) << account.error().message;
  EXPECT_EQ(account->rows, (MergedRows{1, 2, 3, 4}));
  EXPECT_EQ(ArchiveOfOrder("a@1.0"), "a");
}

TEST_F(JobTest, AnOrderOfAComparisonAndItsAccountSurviveTheirFiles) {
  const VerifyOrder order{"verify-1.0",
                          directory_,
                          "pandora",
                          NodeName("node2"),
                          NodeName("node1"),
                          {{"10.0.0.2", 3306}, "ha", Secret("p"), {}},
                          {{"10.0.0.1", 3307}, "ha", Secret("p"), {}}};
  const InitialiseCommand command = VerifyCommand("/usr/bin/pandora-ha", order);
  EXPECT_EQ(command.argv.at(1), "verify-job");
  const auto read = ParseVerifyOrder(command.before);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->node, order.node);
  EXPECT_EQ(read->primary_login.address, order.primary_login.address);
  EXPECT_FALSE(ReadVerifyAccount(directory_).ok());
  ASSERT_TRUE(WriteVerifyAccount(directory_, {"verify-1.0", 7, "t: 1 row only on node1", false},
                                 {{"tables", 3}})
                  .ok());
  const auto account = ReadVerifyAccount(directory_);
  ASSERT_TRUE(account.ok());
  EXPECT_EQ(account->id, "verify-1.0");
  EXPECT_EQ(account->rows, 7);
  EXPECT_EQ(account->differs, "t: 1 row only on node1");
  EXPECT_FALSE(account->settled);
  std::ofstream(directory_ + kVerifyAccount) << R"({"id":"a","rows":"x"})";
  EXPECT_FALSE(ReadVerifyAccount(directory_).ok());
}

// The next supervisor: what runs is not its child, and what was made is there.
TEST_F(JobTest, ASuccessorEndsWhatRunsAndTakesWhatWasMade) {
  ASSERT_TRUE(run_->Start("a", Does("while :; do sleep 0.2; done")).ok());
  const int running = run_->watch_descriptor();
  // Its command line can be read a moment after its start.
  const Deadline soon(SystemClock(), Seconds(10));
  while (FindProcesses("--sums-of=" + directory_)->empty()) ASSERT_FALSE(soon.passed());
  std::ofstream(directory_ + "/b") << 7;
  const auto next = NewRun();
  ASSERT_TRUE(next->Adopt("b").ok());
  pollfd end{running, POLLIN, 0};
  EXPECT_EQ(poll(&end, 1, 0), 1) << "ended";
  EXPECT_EQ(next->seen()->id, "b");
  EXPECT_EQ(next->seen()->phase, Phase::kDone);
  EXPECT_EQ(next->seen()->all, 7);
}

}  // namespace
}  // namespace pandora_ha
