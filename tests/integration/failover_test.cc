// Real servers, a real manager, a real client through the endpoint.
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <sstream>

#include "tests/support/test_cluster.h"

namespace pandora_ha {
namespace {

std::string FileText(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

class Failover : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    flavor_ = FindFlavor(GetParam());
    if (!flavor_)
      GTEST_SKIP() << "no root folder with " << GetParam() << " is named in the environment";
  }
  std::optional<TestedFlavor> flavor_;
};

INSTANTIATE_TEST_SUITE_P(On, Failover, ::testing::Values("MariaDB", "MySQL", "MariaDB118"),
                         [](const auto& flavor) { return std::string(flavor.param); });

bool WaitAcknowledged(const DemoWriter& writer, std::uint64_t more) {
  const std::uint64_t wanted = writer.Count().acknowledged + more;
  const Deadline deadline(SystemClock(), Seconds(30));
  while (writer.Count().acknowledged < wanted && !deadline.passed()) usleep(1000);
  EXPECT_GE(writer.Count().acknowledged, wanted) << writer.Count().last_error;
  return writer.Count().acknowledged >= wanted;
}

TEST_P(Failover, KillingThePrimaryUnderLoadMovesTheWriterAndLosesNothing) {
  TestCluster cluster(*flavor_);
  cluster.StartManager();
  ASSERT_TRUE(cluster.WaitHealthy());
  EXPECT_EQ(cluster.Primary(), NodeName("node1")) << "the first of masterPreference";
  const auto writer = cluster.NewWriter();
  ASSERT_TRUE(WaitAcknowledged(*writer, 100));
  const Epoch before = cluster.Last()->status.epoch;

  cluster.Signal(NodeName("node1"), SIGKILL);
  ASSERT_TRUE(cluster.WaitFor("node2 is primary", [](const Snapshot& s) {
    return s.status.primary == NodeName("node2") && !s.decision.memory.promotion;
  }));
  ASSERT_TRUE(WaitAcknowledged(*writer, 100));
  EXPECT_GT(cluster.Last()->status.epoch, before);
  EXPECT_EQ(FileText(cluster.directory() + "/data_in/conf/pandora_ha_hosts.conf"),
            cluster.spec().database.nodes[1].address);
  // The old primary is started again and follows.
  ASSERT_TRUE(cluster.WaitHealthy());
  EXPECT_EQ(cluster.Primary(), NodeName("node2"));

  writer->Stop();
  const auto lost = writer->CountLost(Deadline(SystemClock(), Seconds(10)));
  ASSERT_TRUE(lost.ok()) << lost.error().message;
  EXPECT_EQ(*lost, 0u);
  const DemoWriterCount count = writer->Count();
  EXPECT_EQ(count.refused, 0u) << count.last_error;
  EXPECT_LE(count.cut, 1u) << count.last_error;
  std::printf("%s: %llu rows acknowledged, 0 lost, longest pause %s, %llu statements cut\n",
              GetParam(), static_cast<unsigned long long>(count.acknowledged),
              FormatDuration(count.longest_pause).c_str(),
              static_cast<unsigned long long>(count.cut));
}

}  // namespace
}  // namespace pandora_ha
