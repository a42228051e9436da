// What many clusters in one process cost, and whether one of them fails over in its own time while
// the others hang: many_bench [FILE.json] [--flavor mariadb|mysql] [--clusters N,N,…] [--runs N]
//
// Real servers, of which a machine carries two pairs and not two hundred. So:
//   - one cluster is whole: servers and supervisors of its own, a writer endpoint, a writer;
//   - the others share the second pair. Each is a cluster of its own for the manager (name, memory,
//     history, connections, threads, looks, decisions, the managers' lock under its own name, the
//     heartbeat row), and all of them act. They may share it because they agree: same document but
//     for the name, same primary, same epoch, so that no plan of one contradicts another's. What
//     they lack against a whole cluster is the endpoint (a thread and a socket) and, as
//     `substrate: hosts` has none, the supervisors' clients (a thread for each node).
// CPU and memory are those of this process alone; the servers have their own. It looks once a
// second. To let the others hang, both servers of the second pair are stopped (SIGSTOP): nobody can
// fence them, so that each cluster keeps asking, which is the most that one can be made to do.
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <sstream>

#include "reconciler/app/clusters.h"
#include "reconciler/base/log.h"
#include "tests/bench/process_cost.h"
#include "tests/bench/report.h"
#include "tests/bench/tight_writer.h"
#include "tests/bench/waiting.h"
#include "tests/support/test_cluster.h"

namespace pandora_ha::bench {
namespace {

constexpr double kGoalCpuPercentOfThousand = 50;
constexpr double kGoalMegabytesOfThousand = 256;
constexpr double kGoalRatio = 2;
constexpr Seconds kMeasured{20};
constexpr Seconds kReadyWithin{120};
const NodeName kNodes[] = {NodeName("node1"), NodeName("node2")};

struct Options {
  std::string file = PANDORA_HA_BENCH_DIR "/many.json", flavor = "mariadb";
  std::vector<int> clusters = {50, 100, 200};
  int runs = 5;
};

class Many {
 public:
  Many(const TestedFlavor& flavor, std::string name)
      : name_(std::move(name)),
        whole_(flavor, 2, Slow),
        shared_(flavor, 2,
                [](ClusterSpec& spec) {
                  Slow(spec);
                  spec.database.configuration["max_connections"] = "8000";
                  spec.endpoint.listen.reset();
                  spec.data_in.reset();
                }),
        clusters_(
            [this](const std::string& cluster) { return shared_.directory() + "/" + cluster; },
            {PANDORA_HA_TEST_SUPERVISOR}, SystemClock()) {}

  bool Run(const Options& options) {
    shared_.StartManager();
    if (!shared_.WaitHealthy()) return false;
    shared_.StopManager();
    const Status started = clusters_.Start({whole_.spec(),
                                            whole_.passwords(),
                                            whole_.directory() + "/state",
                                            {PANDORA_HA_TEST_SUPERVISOR}});
    if (!started.ok()) return Fail(started.error().message);
    if (!FailOvers("alone", options.runs, &alone_)) return false;
    for (const int wanted : options.clusters) {
      if (!Grow(wanted)) return false;
      Measure(wanted);
    }
    AddSlopes(options.clusters);
    return LetOthersHang(options.runs);
  }

  const std::vector<Row>& rows() const { return rows_; }

 private:
  static void Slow(ClusterSpec& spec) {
    spec.name = "whole";
    spec.database.detection.interval = Milliseconds(1000);
    spec.failover_cool_down = Seconds(0);
  }
  bool Fail(const std::string& why) const {
    std::printf("%s: %s\n", name_.c_str(), why.c_str());
    return false;
  }
  void Add(std::string name, std::string unit, double value, double floor = kNone,
           std::size_t n = 1, double p95 = kNone) {
    rows_.push_back({std::move(name), std::move(unit), value, floor, n, p95, name_});
  }
  Noticeboard::Pinned Last(const std::string& name) const {
    return clusters_.noticeboard().Last(name);
  }
  static std::string Called(int number) {
    char text[16];
    std::snprintf(text, sizeof text, "many%04d", number);
    return text;
  }

  bool Grow(int wanted) {
    ClusterSpec spec = shared_.spec();
    spec.substrate = SubstrateKind::kHosts;
    spec.local.reset();
    for (; others_ < wanted - 1; ++others_) {
      spec.name = Called(others_);
      const Status started =
          clusters_.Start({spec, shared_.passwords(), shared_.directory() + "/" + spec.name, {}});
      if (!started.ok()) return Fail(started.error().message);
    }
    const bool ready = WaitUntil(kReadyWithin, [&] {
      for (int i = 0; i < others_; ++i) {
        const auto last = Last(Called(i));
        if (!last || !last->status.primary || last->status.nodes.size() != 2 ||
            last->status.state != ClusterState::kHealthy)
          return false;
      }
      return true;
    });
    if (ready) return true;
    for (int i = 0; i < others_; ++i) {
      const auto last = Last(Called(i));
      if (last && last->status.state != ClusterState::kHealthy)
        return Fail(last->status.name + " is not Healthy: " + last->status.verdict);
    }
    return Fail("a cluster has not been looked at");
  }

  std::uint64_t Looks() const {
    std::uint64_t looks = 0;
    for (const auto& snapshot : clusters_.noticeboard().All()) looks += snapshot->counters.looks;
    return looks;
  }

  void Measure(int clusters) {
    usleep(3'000'000);
    const double used = CpuSeconds();
    const std::uint64_t looks = Looks();
    const TimePoint began = SystemClock().Now().mono;
    usleep(static_cast<useconds_t>(Microseconds(kMeasured).count()));
    const double seconds = MillisecondsBetween(began, SystemClock().Now().mono) / 1e3;
    const double percent = 100 * (CpuSeconds() - used) / seconds;
    const double megabytes = RssMegabytes();
    const double rate = static_cast<double>(Looks() - looks) / seconds;
    cpu_.push_back(percent);
    rss_.push_back(megabytes);
    const std::string many = std::to_string(clusters);
    std::printf("%s: %d clusters: %.1f %% of a core, %.1f MB, %.0f looks/s, %zu pool threads\n",
                name_.c_str(), clusters, percent, megabytes, rate, clusters_.threads());
    Add("many_cpu_" + many, "% of a core", percent);
    Add("many_rss_" + many, "MB", megabytes);
    Add("many_looks_per_second_" + many, "1/s", rate, static_cast<double>(clusters));
    Add("many_pool_threads_" + many, "threads", static_cast<double>(clusters_.threads()));
  }

  // Between the first and the last number of clusters.
  void AddSlopes(const std::vector<int>& clusters) {
    if (clusters.size() < 2) return;
    const double more = clusters.back() - clusters.front();
    const double cpu = (cpu_.back() - cpu_.front()) / more;
    const double megabytes = (rss_.back() - rss_.front()) / more;
    const double cpu_thousand = cpu_.back() + cpu * (1000 - clusters.back());
    const double rss_thousand = rss_.back() + megabytes * (1000 - clusters.back());
    Add("many_cpu_per_cluster", "% of a core", cpu);
    Add("many_rss_per_cluster", "KB", megabytes * 1024);
    Add("many_cpu_1000_extrapolated", "% of a core", cpu_thousand, kGoalCpuPercentOfThousand);
    Add("many_rss_1000_extrapolated", "MB", rss_thousand, kGoalMegabytesOfThousand);
    std::printf(
        "%s: 1,000 clusters, on the line through these: %.0f %% of a core (goal %.0f: %s), "
        "%.0f MB (goal %.0f: %s)\n",
        name_.c_str(), cpu_thousand, kGoalCpuPercentOfThousand,
        cpu_thousand <= kGoalCpuPercentOfThousand ? "met" : "MISSED", rss_thousand,
        kGoalMegabytesOfThousand, rss_thousand <= kGoalMegabytesOfThousand ? "met" : "MISSED");
  }

  bool WholeIsReady(NodeName* primary) {
    return WaitUntil(kReadyWithin, [&] {
      const auto last = Last("whole");
      if (!last || last->status.state != ClusterState::kHealthy || !last->status.primary ||
          last->status.durability_in_force != DurabilityMode::kSemiSync)
        return false;
      *primary = *last->status.primary;
      return true;
    });
  }

  // From kill -9 to the first acknowledged write through the endpoint.
  bool FailOvers(const char* when, int runs, Sample* took) {
    for (int run = 0; run < runs; ++run) {
      NodeName primary;
      if (!WholeIsReady(&primary)) return Fail("the whole cluster does not become healthy");
      const auto made = whole_.Ask(primary, std::string("CREATE TABLE IF NOT EXISTS ") + kTable +
                                                " (id BIGINT UNSIGNED PRIMARY KEY)");
      if (!made.ok()) return Fail(made.error().message);
      const Credentials& accounts = whole_.spec().database.credentials;
      const SessionOptions to{*whole_.spec().endpoint.listen,
                              accounts.application.user,
                              whole_.passwords().application,
                              {}};
      next_id_ += 10'000'000;
      TightWriter writer([to](Deadline deadline) { return Session::Connect(to, deadline); },
                         next_id_);
      if (!WaitUntil(kReadyWithin, [&] { return writer.acknowledged() >= 200; }))
        return Fail("nothing is acknowledged");
      const TimePoint killed = SystemClock().Now().mono;
      whole_.Signal(primary, SIGKILL);
      if (!WaitUntil(kReadyWithin, [&] { return writer.back_at() > killed; }))
        return Fail("no write was acknowledged after the kill");
      took->push_back(MillisecondsBetween(killed, writer.back_at()));
      std::printf("%s: run %d, %s: %.2f ms\n", name_.c_str(), run + 1, when, took->back());
    }
    return true;
  }

  bool LetOthersHang(int runs) {
    for (const NodeName& node : kNodes) shared_.Signal(node, SIGSTOP);
    // Beyond the detection budget: each of them has found out, and goes on asking.
    usleep(8'000'000);
    const double used = CpuSeconds();
    const TimePoint began = SystemClock().Now().mono;
    const bool done = FailOvers("beside clusters that hang", runs, &beside_);
    const double seconds = MillisecondsBetween(began, SystemClock().Now().mono) / 1e3;
    Add("many_cpu_while_hanging", "% of a core", 100 * (CpuSeconds() - used) / seconds);
    Add("many_pool_threads_while_hanging", "threads", static_cast<double>(clusters_.threads()));
    for (const NodeName& node : kNodes) shared_.Signal(node, SIGCONT);
    if (!done) return false;
    const double alone = At(alone_, 0.5), beside = At(beside_, 0.5);
    Add("many_failover_alone", "ms", alone, kNone, alone_.size(), At(alone_, 0.95));
    Add("many_failover_while_others_hang", "ms", beside, alone, beside_.size(), At(beside_, 0.95));
    std::printf(
        "%s: a failover took %.1f ms alone and %.1f ms beside %d clusters that hang: %.2f x "
        "(goal: at most %.0f: %s)\n",
        name_.c_str(), alone, beside, others_, beside / alone, kGoalRatio,
        beside <= kGoalRatio * alone ? "met" : "MISSED");
    return true;
  }

  const std::string name_;
  TestCluster whole_, shared_;
  Clusters clusters_;
  int others_ = 0;
  std::uint64_t next_id_ = 0;
  Sample alone_, beside_, cpu_, rss_;
  std::vector<Row> rows_;
};

int Misuse() {
  std::fprintf(stderr,
               "usage: many_bench [FILE.json] [--flavor mariadb|mysql] [--clusters N,N,…] "
               "[--runs N]\n");
  return 2;
}

int Main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const bool has_value = i + 1 < argc;
    if (word == "--flavor" && has_value) {
      options.flavor = argv[++i];
    } else if (word == "--runs" && has_value) {
      options.runs = std::atoi(argv[++i]);
    } else if (word == "--clusters" && has_value) {
      options.clusters.clear();
      std::stringstream list(argv[++i]);
      for (std::string number; std::getline(list, number, ',');)
        options.clusters.push_back(std::atoi(number.c_str()));
    } else if (word.starts_with("-")) {
      return Misuse();
    } else {
      options.file = word;
    }
  }
  if (options.runs < 1 || options.clusters.empty() || options.clusters.front() < 2) return Misuse();
  const auto flavor = FindFlavor(options.flavor == "mysql" ? "MySQL" : "MariaDB");
  if (!flavor) return Misuse();
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  SetLogLevel(LogLevel::kError);
  const std::string load = Load();
  std::printf(
      "One whole cluster; the others act on one shared pair of servers, on which they agree: see "
      "tests/bench/many_bench.cc.\n");
  Many many(*flavor, options.flavor);
  const bool good = many.Run(options);
  std::printf("\n");
  Print(many.rows());
  std::printf("\nat the beginning %s, at the end %s\n", load.c_str(), Load().c_str());
  return WriteJson(options.file, many.rows()) && good && !::testing::Test::HasFailure() ? 0 : 1;
}

}  // namespace
}  // namespace pandora_ha::bench

int main(int argc, char** argv) {
  return pandora_ha::bench::Main(argc, argv);
}
