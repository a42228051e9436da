// A primary and its replica, provisioned and replicating, of either flavor.
#pragma once

#include <gtest/gtest.h>

#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

#include "tests/mysql/server_fixture.h"

namespace pandora_ha {

// Found by the namespace of the type.
inline void PrintTo(Flavor flavor, std::ostream* out) {
  *out << ToString(flavor);
}

}  // namespace pandora_ha

namespace pandora_ha::testing {

#define EXPECT_OK(expression)                                                                  \
  do {                                                                                         \
    const auto status_of_it = (expression);                                                    \
    EXPECT_TRUE(status_of_it.ok()) << (status_of_it.ok() ? "" : status_of_it.error().message); \
  } while (false)

class OnBoth : public ::testing::TestWithParam<Flavor> {
 protected:
  void SetUp() override {
    const std::string why = WhyUnavailable(GetParam());
    if (!why.empty()) GTEST_SKIP() << why;
  }
  bool mariadb() const { return GetParam() == Flavor::kMariaDb; }
};

inline std::string FlavorName(const ::testing::TestParamInfo<Flavor>& info) {
  return std::string(ToString(info.param));
}

#define ON_BOTH_SERVERS(Suite)                                                                  \
  INSTANTIATE_TEST_SUITE_P(Servers, Suite, ::testing::Values(Flavor::kMariaDb, Flavor::kMySql), \
                           FlavorName)

inline DatabaseState StateOf(DatabaseNode& node) {
  const Look look = node.Observe(In(Seconds(10)));
  EXPECT_EQ(look.contact, Contact::kAnswered) << look.error;
  return look.state.value_or(DatabaseState{});
}

inline Epoch MarkerSeenBy(DatabaseNode& node) {
  const DatabaseState state = StateOf(node);
  return state.heartbeat ? state.heartbeat->epoch : Epoch(0);
}

inline Status Mark(DatabaseNode& node, std::uint64_t epoch, Milliseconds budget = Seconds(10)) {
  return node.WriteMarker(Epoch(epoch), NodeName("node1"), SystemClock().Now().wall, In(budget));
}

class Pair {
 public:
  explicit Pair(Flavor flavor, std::vector<std::string> arguments = {})
      : one(flavor, 1, 1, arguments),
        two(flavor, 2, 2, arguments),
        a(NodeFor(one)),
        b(NodeFor(two)) {
    EXPECT_OK(a->Provision(TestSpec(), TestPasswords(), In(Seconds(10))));
    EXPECT_OK(a->OpenWritable(In(Seconds(5))));
    EXPECT_OK(Mark(*a, 1));
    Follow(*b, one);
    const bool up =
        WaitUntil(Seconds(20), [&] { return Receiving(*b) && MarkerSeenBy(*b) == Epoch(1); });
    if (!up) throw std::runtime_error("the replica does not follow: " + one.directory());
  }

  static bool Receiving(DatabaseNode& node) {
    const DatabaseState state = StateOf(node);
    return state.replication && state.replication->io == ThreadState::kRunning;
  }

  void Follow(DatabaseNode& replica, const TestServer& source) {
    EXPECT_OK(replica.ReplicateFrom(source.address(), TestSpec().database.credentials.replication,
                                    TestPasswords().replication, In(Seconds(10))));
  }
  std::string StopApplier() const {
    return one_is_mariadb() ? "STOP SLAVE SQL_THREAD" : "STOP REPLICA SQL_THREAD";
  }
  bool one_is_mariadb() const {
    return one.Admin()->server_version().find("MariaDB") != std::string::npos;
  }

  TestServer one, two;
  std::unique_ptr<DatabaseNode> a, b;
};

}  // namespace pandora_ha::testing
