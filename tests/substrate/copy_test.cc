// How a copy is made: which way is chosen and why, and what the tools of a backup are told. Real
// servers copy in tests/integration/resync_test.cc; Percona XtraBackup, which no distribution
// packages, is here a script in its place, which shows our side of it only.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "reconciler/substrate/local/copy_engines.h"

namespace pandora_ha {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class CopyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::signal(SIGPIPE, SIG_IGN);  // as RunCopier() does
    std::string made = ::testing::TempDir() + "pandora-ha-copy.XXXXXX";
    ASSERT_NE(mkdtemp(made.data()), nullptr);
    directory_ = made;
    for (const char* name : {"/bin", "/usr/bin", "/node1/data", "/node2/data.new", "/node2/tmp"})
      fs::create_directories(directory_ + name);
    std::ofstream(directory_ + "/node1/data/ibdata1") << "rows";
    job_.id = "one";
    job_.program.flavor = Flavor::kMySql;
    job_.program.binary = directory_ + "/bin/mysqld";
    job_.program.root = directory_;  // nothing that is installed here is seen
    job_.directory = directory_ + "/node2";
    job_.source_directory = directory_ + "/node1";
    job_.source = {"127.0.0.1", 3306};
    job_.target = {"127.0.0.2", 3307};
    job_.schema = "pandora";
    job_.admin_user = "ha";
    job_.admin_password = Secret("se\"cret\\");
  }
  void TearDown() override { fs::remove_all(directory_); }

  void Tool(const std::string& name, const std::string& script) const {
    const std::string path = directory_ + "/bin/" + name;
    std::ofstream(path) << "#!/bin/sh\ncd " << directory_ << "\n" << script << "\n";
    ASSERT_EQ(chmod(path.c_str(), 0755), 0);
  }
  void Backup(const std::string& sends = "cat node1/data/ibdata1",
              const std::string& unpacks = "exec cat >\"$3/ibdata1\"") {
    job_.program.root.clear();
    Tool("xtrabackup", "echo \"xtrabackup $*\" >>calls\ncase $* in *--backup*)\ncat >options\n" +
                           sends + "\n;; esac");
    Tool("xbstream", "echo \"xbstream $*\" >>calls\n" + unpacks);
  }
  std::string Text(const std::string& name) const {
    std::ifstream file(directory_ + "/" + name);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::string directory_;
  CopyJob job_;
};

TEST_F(CopyTest, ABackupOfMySqlIsXtraBackupStreamedUnpackedAndPrepared) {
  Backup();
  CopyWork work(job_);
  const Status done = CopyByBackup(work);
  ASSERT_TRUE(done.ok()) << done.error().message << Text("node2/copy.log");
  EXPECT_EQ(Text("node2/data.new/ibdata1"), "rows");
  const std::string calls = Text("calls"), made = directory_ + "/node2/data.new";
  EXPECT_THAT(calls, HasSubstr("xtrabackup --defaults-file=/dev/stdin --backup --stream=xbstream "
                               "--parallel=2 --target-dir=" +
                               directory_ + "/node2/tmp\n"));
  EXPECT_THAT(calls, HasSubstr("xbstream -x -C " + made + "\n"));
  EXPECT_TRUE(calls.ends_with("xtrabackup --prepare --target-dir=" + made + "\n")) << calls;
  EXPECT_EQ(Text("options"), "[xtrabackup]\nuser=\"ha\"\npassword=\"se\\\"cret\\\\\"\nsocket=\"" +
                                 directory_ + "/node1/server.sock\"\ndatadir=\"" + directory_ +
                                 "/node1/data\"\n");
  EXPECT_EQ(calls.find("cret"), std::string::npos) << "no password in arguments";
}

// An end in the middle must not look like the end of the stream.
TEST_F(CopyTest, ABackupThatFailsInTheMiddleIsNotUnpackedAsAWhole) {
  Backup("printf half; exit 3", "cat >/dev/null && echo whole >>calls");
  CopyWork work(job_);
  const Status done = CopyByBackup(work);
  ASSERT_FALSE(done.ok());
  EXPECT_THAT(done.error().message, HasSubstr("xtrabackup failed (exit code 3)"));
  EXPECT_THAT(done.error().message, HasSubstr("copy.log"));
  EXPECT_EQ(Text("calls").find("whole"), std::string::npos);
  EXPECT_EQ(Text("calls").find("--prepare"), std::string::npos);
}

TEST_F(CopyTest, OfTwoToolsTheOneThatFailedByItselfIsNamed) {
  Backup("cat /dev/zero", "exit 5");
  CopyWork work(job_);
  const Status done = CopyByBackup(work);
  ASSERT_FALSE(done.ok());
  EXPECT_THAT(done.error().message, HasSubstr("xbstream failed (exit code 5)"));
}

TEST_F(CopyTest, AutoIsTheFastestWayThatTheToolsAllow) {
  ChooseMethod(&job_);
  EXPECT_EQ(job_.method, ResyncMethod::kClone);
  EXPECT_EQ(job_.how, "by CLONE, the fastest way here");

  job_.program.flavor = Flavor::kMariaDb;
  job_.method = ResyncMethod::kAuto;
  ChooseMethod(&job_);
  EXPECT_EQ(job_.method, ResyncMethod::kBackupStream) << "nothing is there, the usual is asked for";
  EXPECT_THAT(CheckCopy(job_).error().message, HasSubstr("mariadb-backup is not installed in "));

  Tool("mariadb-dump", "");
  Tool("mariadb", "");
  job_.method = ResyncMethod::kAuto;
  ChooseMethod(&job_);
  EXPECT_EQ(job_.method, ResyncMethod::kDump);
  EXPECT_EQ(job_.how, "by a dump with mariadb-dump, because mariadb-backup is not installed in " +
                          directory_);

  Tool("mariadb-backup", "");
  Tool("mbstream", "");
  job_.method = ResyncMethod::kAuto;
  ChooseMethod(&job_);
  EXPECT_EQ(job_.how, "by a backup with mariadb-backup, the fastest way here");
  EXPECT_TRUE(CheckCopy(job_).ok());
}

TEST_F(CopyTest, WhatTheDocumentSaysIsDoneOrRefused) {
  job_.method = ResyncMethod::kBackupStream;
  ChooseMethod(&job_);
  EXPECT_EQ(job_.how, "by a backup with xtrabackup");
  EXPECT_THAT(CheckCopy(job_).error().message, HasSubstr("xtrabackup is not installed"));
  job_.method = ResyncMethod::kScript;
  job_.script = directory_ + "/bin/copy";
  ChooseMethod(&job_);
  EXPECT_EQ(job_.how, "by " + job_.script);
  EXPECT_THAT(CheckCopy(job_).error().message,
              HasSubstr("/bin/copy cannot be run (No such file or directory)"));
}

TEST_F(CopyTest, AScriptGetsPandorasArgumentsAndLeavesItsDataWhereItIsTold) {
  Tool("copy",
       "echo \"$# $2 $3\" >arguments\ncat \"$1\" >conf1; cat \"$1\" >conf2\n"
       "cp -a \"$PANDORA_HA_SOURCE_DATA/.\" \"$PANDORA_HA_DATA\"; echo uuid "
       ">\"$PANDORA_HA_DATA/auto.cnf\"");
  job_.script = directory_ + "/bin/copy";
  CopyWork work(job_);
  const Status done = CopyByScript(work);
  ASSERT_TRUE(done.ok()) << done.error().message;
  EXPECT_EQ(Text("arguments"), "3 127.0.0.1 127.0.0.2\n");
  EXPECT_THAT(Text("conf1"), HasSubstr("dbhost 127.0.0.1\ndbport 3306\ndbname pandora\ndbuser "
                                       "ha\ndbpass se\"cret\\\n"));
  EXPECT_EQ(Text("conf1"), Text("conf2")) << "it may read its configuration twice";
  EXPECT_EQ(Text("node2/data.new/ibdata1"), "rows");
  EXPECT_FALSE(fs::exists(job_.directory + "/data.new/auto.cnf")) << "the source's identity";
}

TEST_F(CopyTest, AScriptThatLeavesNothingHasFailedWhateverItSays) {
  Tool("copy", "true");
  job_.script = directory_ + "/bin/copy";
  CopyWork work(job_);
  EXPECT_THAT(CopyByScript(work).error().message, HasSubstr("left no data"));
  Tool("copy", "exit 7");
  EXPECT_THAT(CopyByScript(work).error().message, HasSubstr("exit code 7"));
}

}  // namespace
}  // namespace pandora_ha
