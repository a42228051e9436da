// What the tests on whole clusters share.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/support/test_cluster.h"

namespace pandora_ha {

inline const NodeName kNode1("node1"), kNode2("node2"), kNode3("node3");
inline constexpr char kDemoTable[] = "pandora.pandora_ha_demo";

class OnServers : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    flavor_ = FindFlavor(GetParam());
    if (!flavor_)
      GTEST_SKIP() << GetParam() << " is neither installed nor named in the environment";
  }
  bool mysql() const { return flavor_->flavor == Flavor::kMySql; }
  // A killed primary may have had a client's row and our heartbeat in flight, which nobody
  // acknowledged. MariaDB takes them back when it is started; with them a MySQL waits as diverged.
  void ExpectFollowsOrIsDiverged(TestCluster& cluster, const NodeName& killed, bool* follows) const;

  std::optional<TestedFlavor> flavor_;
};

#define ON_SERVERS(Suite, ...)                                        \
  INSTANTIATE_TEST_SUITE_P(On, Suite, ::testing::Values(__VA_ARGS__), \
                           [](const auto& flavor) { return std::string(flavor.param); })

std::string FileText(const std::string& path);

bool HasFinding(const Snapshot& snapshot, FindingCode code, const NodeName& about);
// Another manager acts.
bool StandsBy(const Snapshot& snapshot);
bool HasBlock(const Snapshot& snapshot, BlockReason reason);
// Since the manager started; no snapshot in between is missed.
std::uint64_t Raised(const TestCluster& cluster, FindingCode code);
bool HasEvent(const TestCluster& cluster, const std::string& reason);

// Waits until `condition` holds; fails the test otherwise.
bool WaitUntil(const std::string& what, const std::function<bool()>& condition,
               Seconds at_most = Seconds(30));
bool WaitAcknowledged(const DemoWriter& writer, std::uint64_t more);

// Healthy, with the durability that was declared in force.
bool WaitWhole(TestCluster& cluster);
// Stops the writer; no acknowledged row may be missing. Prints what the test cost the writer.
DemoWriterCount ExpectNothingLost(const char* flavor, DemoWriter& writer);
// Waits until all nodes hold the same rows.
void ExpectSameRows(const TestCluster& cluster);

// Kills the primary node1 while node2 must not be promoted: node1 has to come back in place.
void ExpectBroughtBackInPlace(TestCluster& cluster, const DemoWriter& writer,
                              const std::string& why_not_node2);

}  // namespace pandora_ha
