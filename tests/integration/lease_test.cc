// What clients see when their manager hangs: real programs, one frozen.
#include <csignal>
#include <filesystem>
#include <fstream>

#include "tests/integration/on_servers.h"
#include "tests/integration/programs.h"

namespace pandora_ha {
namespace {

constexpr Seconds kLease{3};

class PublicationLease : public OnServers {
 protected:
  // For a manager without an endpoint of its own.
  static std::string Document(const TestCluster& cluster, const std::string& policy) {
    DocumentWords words;
    words.policy = policy;
    words.durability = "async";
    words.timeout = 500;
    words.lease = kLease.count();
    words.endpoint = false;
    return DocumentOf(cluster, words);
  }

  // The manager and, apart from it, the endpoint; returns when rows go through.
  void StartPrograms(const std::string& policy) {
    const TestCluster& cluster = cluster_.emplace(*flavor_);
    const std::string& dir = cluster.directory();
    const std::string config = dir + "/cluster.yaml";
    std::ofstream(config) << Document(cluster, policy);
    const std::string log = dir + "/programs.log";
    manager_.emplace(std::vector<std::string>{"run", "--config", config, "--state", dir + "/state",
                                              "--socket", dir + "/api.sock", "--listen",
                                              cluster.spec().endpoint.listen->host + ":8480"},
                     log);
    endpoint_.emplace(
        std::vector<std::string>{"endpoint", "--hosts-file", HostsFilePath(cluster.spec()),
                                 "--listen", ToString(*cluster.spec().endpoint.listen)},
        log);
    writer_ = cluster.NewWriter();
    ASSERT_TRUE(WaitUntil(
        "the first row", [&] { return writer_->Count().acknowledged > 0; }, Seconds(90)))
        << FileText(log);
    ASSERT_TRUE(WaitAcknowledged(*writer_, 100)) << FileText(log);
    at_start_ = writer_->Count();
  }

  // Whether another row is acknowledged within that time.
  bool Writes(Duration within) const {
    const std::uint64_t before = writer_->Count().acknowledged;
    const Deadline deadline(SystemClock(), within);
    while (writer_->Count().acknowledged == before && !deadline.passed()) usleep(1000);
    return writer_->Count().acknowledged > before;
  }

  std::optional<TestCluster> cluster_;  // ends its servers after the programs have gone
  std::optional<Program> manager_, endpoint_;
  std::unique_ptr<DemoWriter> writer_;
  DemoWriterCount at_start_;  // its first attempts found no endpoint yet
};
ON_SERVERS(PublicationLease, "MariaDB", "MySQL");

TEST_P(PublicationLease, AFrozenManagersClientsAreHeldAfterTheLeaseAndGoOnAfterItsThaw) {
  StartPrograms("consistency");
  if (HasFatalFailure()) return;
  manager_->Signal(SIGSTOP);
  const TimePoint frozen = SystemClock().Now().mono;
  TimePoint last = frozen;
  // No row for a second: held.
  while (Writes(Seconds(1)) && last - frozen < kLease * 3) last = SystemClock().Now().mono;
  const Duration forwarded = last - frozen;
  std::printf("%s: rows went through for %s after the freeze\n", GetParam(),
              FormatDuration(forwarded).c_str());
  EXPECT_LE(forwarded, kLease + Milliseconds(200));
  // The last renewal may be a tenth of the lease and a slow look old.
  EXPECT_GE(forwarded, kLease - kLease / 10 - Milliseconds(800));
  EXPECT_FALSE(Writes(Seconds(1)));
  manager_->Signal(SIGCONT);
  EXPECT_TRUE(Writes(Seconds(10))) << FileText(cluster_->directory() + "/programs.log");
  EXPECT_EQ(ExpectNothingLost(GetParam(), *writer_).refused, 0u);
}

TEST_P(PublicationLease, SlowTicksCutNobody) {
  StartPrograms("consistency");
  if (HasFatalFailure()) return;
  // Looks at the replica run out of time, for more than two leases.
  const pid_t replica = cluster_->ServerPid(kNode2);
  cluster_->Signal(kNode2, SIGSTOP);
  const Deadline slow(SystemClock(), kLease * 2 + Seconds(1));
  while (!slow.passed() && Writes(Seconds(1))) continue;
  EXPECT_TRUE(slow.passed());
  kill(replica, SIGCONT);
  // A pause of the manager that is shorter than the lease, too.
  manager_->Signal(SIGSTOP);
  usleep(1500 * 1000);
  manager_->Signal(SIGCONT);
  EXPECT_TRUE(WaitAcknowledged(*writer_, 100));
  const DemoWriterCount count = ExpectNothingLost(GetParam(), *writer_);
  EXPECT_EQ(count.cut + count.refused, at_start_.cut + at_start_.refused) << count.last_error;
}

TEST_P(PublicationLease, UnderAvailabilityThereIsNone) {
  StartPrograms("availability");
  if (HasFatalFailure()) return;
  manager_->Signal(SIGSTOP);
  const Deadline frozen(SystemClock(), kLease + Seconds(2));
  while (!frozen.passed() && Writes(Seconds(1))) continue;
  EXPECT_TRUE(frozen.passed());
  EXPECT_EQ(ExpectNothingLost(GetParam(), *writer_).cut, at_start_.cut);
}

}  // namespace
}  // namespace pandora_ha
