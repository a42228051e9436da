// A document that is edited while its cluster runs.
#include <gmock/gmock.h>

#include <csignal>
#include <filesystem>

#include "tests/integration/run_directory.h"

namespace pandora_ha {
namespace {

using testing::HasSubstr;

class Reload : public OnServers {
 protected:
  // The first two of three nodes are declared.
  void SetUp() override {
    OnServers::SetUp();
    if (IsSkipped()) return;
    servers_ = std::make_unique<TestCluster>(*flavor_, 3);
    third_ = servers_->spec().database.nodes.back();
    servers_->spec().database.nodes.pop_back();
    run_ = std::make_unique<RunDirectory>(*servers_);
    Write();
    run_->Start();
    ASSERT_TRUE(run_->WaitHealthy("test"));
    writer_ = servers_->NewWriter();
    ASSERT_TRUE(WaitAcknowledged(*writer_, 50));
    before_ = writer_->Count();
  }
  void Write() { run_->Write("test.yaml", DocumentOf(*servers_, true)); }

  // The newest of them, once there are so many.
  std::string Change(std::size_t number) {
    WaitUntil("change " + std::to_string(number),
              [&] { return run_->Events("test", "DocumentChanged").size() >= number; });
    const auto all = run_->Events("test", "DocumentChanged");
    return all.empty() ? "" : all.back();
  }
  void ExpectNobodyNoticed() {
    const DemoWriterCount now = writer_->Count();
    EXPECT_EQ(now.cut, before_.cut) << now.last_error;
    EXPECT_EQ(now.refused, before_.refused) << now.last_error;
    EXPECT_GT(now.acknowledged, before_.acknowledged);
  }

  std::unique_ptr<TestCluster> servers_;
  DatabaseNodeSpec third_;
  std::unique_ptr<RunDirectory> run_;  // ends before its servers
  std::unique_ptr<DemoWriter> writer_;
  DemoWriterCount before_;
};
ON_SERVERS(Reload, "MariaDB", "MySQL");

TEST_P(Reload, AnEditIsTakenUpAndNoSessionIsCut) {
  ClusterSpec& spec = servers_->spec();
  spec.database.detection.interval = Milliseconds(100);
  spec.database.detection.timeout = Milliseconds(2000);
  spec.database.replication.max_lag = Seconds(30);
  spec.database.nodes[0].label = "Sevilla";
  spec.endpoint.hold = Seconds(15);
  Write();
  const std::string change = Change(1);
  for (const char* words : {"maxLagSeconds is '30' and was '60'", "label is 'Sevilla'",
                            "intervalMilliseconds is '100'", "holdSeconds is '15'"})
    EXPECT_THAT(change, HasSubstr(words));
  EXPECT_THAT(run_->Status("test").dump(), HasSubstr("Sevilla"));
  ASSERT_TRUE(WaitAcknowledged(*writer_, 50));

  // A third node, and away with it.
  spec.database.nodes.push_back(third_);
  Write();
  EXPECT_THAT(Change(2), HasSubstr("spec.database.nodes[node3] is new"));
  ASSERT_TRUE(WaitUntil(
      "node3 follows", [&] { return servers_->ServerPid(kNode3) > 0 && run_->WaitHealthy("test"); },
      Seconds(90)));
  EXPECT_THAT(run_->Status("test").dump(), HasSubstr("node3"));
  const pid_t third = servers_->ServerPid(kNode3);
  spec.database.nodes.pop_back();
  Write();
  EXPECT_THAT(Change(3), HasSubstr("spec.database.nodes[node3] is gone"));
  ASSERT_TRUE(run_->WaitHealthy("test"));
  EXPECT_EQ(kill(third, 0), 0) << "its server goes on";
  ExpectNobodyNoticed();

  // What is in force now is what a failover goes by.
  servers_->Signal(kNode1, SIGKILL);
  ASSERT_TRUE(WaitUntil("node2 is primary", [&] { return run_->Primary("test") == "node2"; }));
  ASSERT_TRUE(WaitAcknowledged(*writer_, 50));
  run_->WaitFollows("test", "node1");
  ExpectNothingLost(GetParam(), *writer_);
}

TEST_P(Reload, ABrokenEditIsRefusedWithItsPlaceUntilItIsMended) {
  const std::string good = DocumentOf(*servers_, true);
  std::string broken = good;
  broken.replace(broken.find("maxLagSeconds: 60"), 17, "maxLagSeconds: no");
  broken.replace(broken.find("substrate"), 9, "substrat");
  run_->Write("test.yaml", broken);
  ASSERT_TRUE(
      WaitUntil("a finding", [&] { return !run_->Finding("test", "DocumentRefused").empty(); }));
  const std::string says = run_->Finding("test", "DocumentRefused");
  EXPECT_THAT(says, HasSubstr("test.yaml:5:3: spec"));
  EXPECT_THAT(says, HasSubstr("more problem"));
  EXPECT_THAT(says, HasSubstr("the document of before stays in force"));
  EXPECT_EQ(run_->State("test"), "Degraded");
  EXPECT_THAT(run_->Get("").dump(), HasSubstr("test.yaml:5:3"));
  ExpectNobodyNoticed();

  // The last good document is in force in every way.
  servers_->Signal(kNode1, SIGKILL);
  ASSERT_TRUE(WaitUntil("node2 is primary", [&] { return run_->Primary("test") == "node2"; }));
  ASSERT_TRUE(WaitAcknowledged(*writer_, 50));

  run_->Write("test.yaml", good);
  ASSERT_TRUE(
      WaitUntil("no finding", [&] { return run_->Finding("test", "DocumentRefused").empty(); }));
  run_->WaitFollows("test", "node1");
  EXPECT_TRUE(run_->Events("test", "DocumentChanged").empty()) << "nothing has changed";
  ExpectNothingLost(GetParam(), *writer_);
}

TEST_P(Reload, WhatMayNotBeChangedIsRefused) {
  const auto refused = [&](const std::string& text) {
    run_->Write("test.yaml", text);
    run_->program().Signal(SIGHUP);
    WaitUntil("a finding", [&] { return !run_->Finding("test", "DocumentRefused").empty(); });
    const std::string says = run_->Finding("test", "DocumentRefused");
    Write();
    run_->program().Signal(SIGHUP);
    WaitUntil("no finding", [&] { return run_->Finding("test", "DocumentRefused").empty(); });
    return says;
  };
  const std::string good = DocumentOf(*servers_, true);
  const auto with = [&](const std::string& was, const std::string& is) {
    std::string text = good;
    text.replace(text.find(was), was.size(), is);
    return text;
  };
  EXPECT_THAT(refused(with("name: test", "name: other")),
              HasSubstr("metadata.name: it was 'test'"));
  EXPECT_THAT(refused(with("serverId: 2", "serverId: 9")), HasSubstr("[ServerIdIsFixed]"));
  EXPECT_THAT(refused(with("/nodes\"", "/elsewhere\"")), HasSubstr("[LocalIsFixed]"));
  const std::string node1 =
      good.substr(good.find("    - {name: node1"),
                  good.find("    - {name: node2") - good.find("    - {name: node1"));
  const std::string node3 = "    - {name: node3, address: " + third_.address + ", serverId: 3}\n";
  EXPECT_THAT(refused(with(node1, node3)), HasSubstr("node1 is the primary"));
  const std::string address = FindNode(servers_->spec(), kNode2)->address;
  EXPECT_THAT(refused(with(address, third_.address)), HasSubstr("its server listens there"));
  const std::string port = ToString(*servers_->spec().endpoint.listen);
  EXPECT_THAT(refused(with("listen: \"" + port, "listen: \"" + address + ":3306")),
              HasSubstr("spec.endpoint.listen"))
      << "a server listens there";
  ExpectNobodyNoticed();
}

TEST_P(Reload, TheEndpointMovesWithItsAddress) {
  const Address was = *servers_->spec().endpoint.listen;
  const Address is{was.host, static_cast<std::uint16_t>(was.port + 1)};
  servers_->spec().endpoint.listen = is;
  Write();
  ASSERT_THAT(Change(1), HasSubstr("spec.endpoint.listen"));
  const auto there = servers_->NewWriter();
  EXPECT_TRUE(WaitAcknowledged(*there, 50));
  EXPECT_EQ(ExpectNothingLost(GetParam(), *there).refused, 0u);
  const std::uint64_t written = writer_->Count().acknowledged;
  usleep(300'000);
  EXPECT_LE(writer_->Count().acknowledged, written + 1) << "nobody listens at the old one";
}

}  // namespace
}  // namespace pandora_ha
