// Several clusters in one process: none delays another.
#include <gmock/gmock.h>

#include <csignal>
#include <filesystem>

#include "tests/integration/run_directory.h"

namespace pandora_ha {
namespace {

using testing::HasSubstr;

TestCluster::Adjust Called(const std::string& name) {
  return [name](ClusterSpec& spec) {
    spec.name = name;
    spec.failover_cool_down = Seconds(0);
    spec.database.detection.interval = Milliseconds(1000);
  };
}

class ManyClusters : public OnServers {};
ON_SERVERS(ManyClusters, "MariaDB", "MySQL");

TEST_P(ManyClusters, DocumentsComeAndGo) {
  TestCluster first(*flavor_, 2, Called("first")), second(*flavor_, 2, Called("second"));
  RunDirectory run(first);
  run.Write("first.yaml", DocumentOf(first, true));
  run.Start();
  ASSERT_TRUE(run.WaitHealthy("first"));
  const auto writer = first.NewWriter();
  ASSERT_TRUE(WaitAcknowledged(*writer, 50));
  const DemoWriterCount before = writer->Count();

  run.Write("bad.yaml", "kind: Nothing\n");
  run.Write("second.yaml", DocumentOf(second, true));
  ASSERT_TRUE(run.WaitHealthy("second"));
  EXPECT_THAT(run.Get("").dump(), HasSubstr("bad.yaml:1:1: apiVersion"));
  {
    const auto other = second.NewWriter();
    EXPECT_TRUE(WaitAcknowledged(*other, 50));
    ExpectNothingLost(GetParam(), *other);
  }
  const pid_t server = second.ServerPid(kNode1);

  std::filesystem::remove(run.At("second.yaml"));
  std::filesystem::remove(run.At("bad.yaml"));
  ASSERT_TRUE(WaitUntil("second is let go", [&] { return run.Status("second").empty(); }));
  EXPECT_EQ(run.Get("").at("clusters").size(), 1u);
  EXPECT_THAT(run.Log(), HasSubstr("its servers go on without a manager"));
  EXPECT_EQ(kill(server, 0), 0);
  EXPECT_EQ(second.Value(kNode1, "SELECT 1"), "1");

  // And back: it is the same cluster, with its memory.
  run.Write("again.yaml", DocumentOf(second, true));
  ASSERT_TRUE(run.WaitHealthy("second"));
  EXPECT_EQ(run.Status("second").at("epoch"), 1);
  EXPECT_EQ(second.ServerPid(kNode1), server);
  EXPECT_EQ(writer->Count().cut, before.cut) << "nothing of this touches the other cluster";
  EXPECT_EQ(writer->Count().refused, before.refused);
  ExpectNothingLost(GetParam(), *writer);
}

TEST_P(ManyClusters, OneFailsOverInItsTimeWhileTheOtherHangs) {
  TestCluster quick(*flavor_, 2, Called("quick")), hanging(*flavor_, 2, Called("hanging"));
  RunDirectory run(quick);
  run.Write("quick.yaml", DocumentOf(quick, true));
  run.Start();
  ASSERT_TRUE(run.WaitHealthy("quick"));
  bool follows = false;
  const auto fail_over = [&](const NodeName& from, const std::string& to) {
    const auto writer = quick.NewWriter();
    EXPECT_TRUE(WaitAcknowledged(*writer, 50));
    quick.Signal(from, SIGKILL);
    EXPECT_TRUE(WaitUntil(to, [&] { return run.Primary("quick") == to; }));
    EXPECT_TRUE(WaitAcknowledged(*writer, 50));
    follows = run.WaitFollows("quick", from.text) && run.WaitHealthy("quick");
    return ExpectNothingLost(GetParam(), *writer).longest_pause;
  };
  const Duration alone = fail_over(kNode1, "node2");
  if (!follows) return;

  run.Write("hanging.yaml", DocumentOf(hanging, true));
  ASSERT_TRUE(run.WaitHealthy("hanging"));
  // Its supervisors, too: nothing about it can be found out, and nobody can be fenced.
  std::vector<pid_t> stopped;
  for (const NodeName& node : {kNode1, kNode2}) stopped.push_back(hanging.ServerPid(node));
  for (const pid_t pid : stopped) kill(pid, SIGSTOP);
  usleep(500'000);
  const Duration beside = fail_over(kNode2, "node1");
  std::printf("%s: a failover took %s alone and %s beside a cluster that hangs\n", GetParam(),
              FormatDuration(alone).c_str(), FormatDuration(beside).c_str());
  EXPECT_LE(beside, 2 * alone + Milliseconds(300));
  for (const pid_t pid : stopped) kill(pid, SIGCONT);
  ASSERT_TRUE(run.WaitHealthy("hanging"));
}

// Without any server.
class RunExits : public testing::Test {
 protected:
  int Run(const std::string& config) {
    log_ = directory_ + "/log";
    Program program({"run", "--config", config, "--state", directory_ + "/state", "--socket",
                     directory_ + "/api.sock", "--listen", "127.0.0.1:0"},
                    log_);
    return program.WaitForEnd(Seconds(20));
  }
  RunExits() {
    char made[] = "/tmp/pha-run-XXXXXX";
    directory_ = mkdtemp(made);
    std::filesystem::create_directories(directory_ + "/documents");
  }
  ~RunExits() override { std::filesystem::remove_all(directory_); }

  std::string directory_, log_;
};

TEST_F(RunExits, WithTwoWhenNoDocumentIsGood) {
  EXPECT_EQ(Run(directory_ + "/documents"), 2);
  EXPECT_THAT(FileText(log_), HasSubstr("holds no document"));
  EXPECT_EQ(Run(directory_ + "/missing.yaml"), 2);
  EXPECT_THAT(FileText(log_), HasSubstr("missing.yaml: cannot be read"));
  const std::string bad = directory_ + "/documents/bad.yaml";
  std::ofstream(bad) << "kind: Nothing\n";
  EXPECT_EQ(Run(bad), 2);
  EXPECT_EQ(Run(directory_ + "/documents"), 2);
  EXPECT_THAT(FileText(log_), HasSubstr("bad.yaml:1:7: kind"));
}

}  // namespace
}  // namespace pandora_ha
