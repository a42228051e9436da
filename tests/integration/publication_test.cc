// What clients are told and what they notice.
#include <atomic>
#include <mutex>
#include <thread>

#include "reconciler/publish/hosts_file.h"
#include "reconciler/publish/sidecar.h"
#include "tests/integration/on_servers.h"

namespace pandora_ha {
namespace {

class Publication : public OnServers {};
ON_SERVERS(Publication, "MariaDB", "MySQL");

constexpr int kLost = 2013;  // the client library's number

// Connects, asks one thing and leaves, again and again.
class Visitors {
 public:
  Visitors(const TestCluster& cluster, int how_many) {
    const SessionOptions to{*cluster.spec().endpoint.listen,
                            cluster.spec().database.credentials.application.user,
                            Secret("application-secret"),
                            {}};
    for (int i = 0; i < how_many; ++i)
      threads_.emplace_back([this, to](std::stop_token stop) { Visit(to, stop); });
  }
  ~Visitors() { Stop(); }
  void Stop() { threads_.clear(); }

  std::uint64_t served() const { return served_; }
  std::uint64_t cut() const { return cut_; }
  std::uint64_t refused() const { return refused_; }
  Duration longest() const { return Duration(longest_us_.load()); }
  std::string last_error() const {
    const std::lock_guard lock(mutex_);
    return last_error_;
  }

 private:
  void Visit(const SessionOptions& to, std::stop_token stop) {
    while (!stop.stop_requested()) {
      const TimePoint began = SystemClock().Now().mono;
      const Deadline deadline(SystemClock(), Seconds(20));
      auto session = Session::Connect(to, deadline);
      if (!session.ok()) {
        // Greeted by a server that then died: cut, as a running statement is.
        Note(session.error(), session.error().number == kLost ? &cut_ : &refused_);
        continue;
      }
      const auto answer = (*session)->Query("SELECT 1", deadline);
      if (!answer.ok()) {
        Note(answer.error(), &cut_);
        continue;
      }
      ++served_;
      const auto took = (SystemClock().Now().mono - began).count();
      for (auto longest = longest_us_.load();
           took > longest && !longest_us_.compare_exchange_weak(longest, took);) {
      }
      usleep(2000);
    }
  }
  void Note(const Error& error, std::atomic<std::uint64_t>* count) {
    ++*count;
    const std::lock_guard lock(mutex_);
    last_error_ = error.message;
  }

  std::atomic<std::uint64_t> served_{0}, cut_{0}, refused_{0};
  std::atomic<Duration::rep> longest_us_{0};
  mutable std::mutex mutex_;
  std::string last_error_;
  std::vector<std::jthread> threads_;
};

void ExpectPublished(const TestCluster& cluster, const NodeName& node) {
  const std::string path = cluster.directory() + "/data_in/conf/pandora_ha_hosts.conf";
  const std::string text = FileText(path);
  EXPECT_EQ(text, FindNode(cluster.spec(), node)->address) << "one host and nothing else";
  const auto sidecar = ParseSidecar(FileText(SidecarName(path)), path);
  ASSERT_TRUE(sidecar.ok()) << sidecar.error().message;
  EXPECT_EQ(sidecar->cluster, cluster.spec().name);
  EXPECT_EQ(sidecar->primary.node, node);
  EXPECT_EQ(sidecar->primary.epoch, cluster.Last()->status.epoch);
  EXPECT_FALSE(sidecar->withdrawn);
  EXPECT_EQ(sidecar->sha256, Sha256(text));
}

TEST_P(Publication, NewClientsWaitDuringAFailoverAndNoneIsRefused) {
  TestCluster cluster(*flavor_);
  cluster.StartManager();
  ASSERT_TRUE(WaitWhole(cluster));
  ExpectPublished(cluster, kNode1);
  Visitors visitors(cluster, 50);
  ASSERT_TRUE(WaitUntil("visits", [&] { return visitors.served() >= 500; }));
  cluster.Signal(kNode1, SIGKILL);
  ASSERT_TRUE(cluster.WaitFor("node2 is primary", [](const Snapshot& s) {
    return s.status.primary == kNode2 && !s.decision.memory.promotion;
  }));
  const std::uint64_t so_far = visitors.served();
  ASSERT_TRUE(WaitUntil("visits", [&] { return visitors.served() >= so_far + 500; }));
  visitors.Stop();
  ExpectPublished(cluster, kNode2);
  std::printf("%s: %llu visits, %llu cut, %llu refused, the longest %s. %s\n", GetParam(),
              static_cast<unsigned long long>(visitors.served()),
              static_cast<unsigned long long>(visitors.cut()),
              static_cast<unsigned long long>(visitors.refused()),
              FormatDuration(visitors.longest()).c_str(), visitors.last_error().c_str());
  EXPECT_EQ(visitors.refused(), 0u) << visitors.last_error();
  EXPECT_LE(visitors.cut(), 50u) << "at most once each; " << visitors.last_error();
  EXPECT_LE(visitors.longest(), Seconds(10));
}

}  // namespace
}  // namespace pandora_ha
