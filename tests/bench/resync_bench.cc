// What making a replica anew costs: resync_bench [FILE.json] [--flavor mariadb|mysql] [--runs N]
// [--gib N]
//
// A pair of real servers whose primary holds N GiB. In turns, so that a slow moment of the disk
// hits each of them: `resync` (order to caught up, and the copy alone), a plain copy of the same
// files through a pipe with tar (the floor: nothing that reads and writes all bytes can beat it),
// and, on MariaDB, what people do by hand: back up to a directory, prepare, copy that to the
// replica.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "reconciler/base/log.h"
#include "reconciler/substrate/local/process.h"
#include "tests/bench/report.h"
#include "tests/bench/waiting.h"
#include "tests/support/test_cluster.h"

namespace pandora_ha::bench {
namespace {

namespace fs = std::filesystem;

constexpr double kGoal = 0.8;  // of what the pipe and the disk allow
constexpr Seconds kLongest{3600};
const NodeName kNode1("node1"), kNode2("node2");

struct Options {
  std::string file = PANDORA_HA_BENCH_DIR "/resync.json", flavor;
  int runs = 5, gib = 2;
};

struct Run {
  Sample resync, copy, floor, by_hand;
};

TimePoint Now() {
  return SystemClock().Now().mono;
}

bool Whole(TestCluster& cluster) {
  return cluster.WaitFor(
      "Healthy", [](const Snapshot& s) { return s.status.state == ClusterState::kHealthy; },
      Seconds(120));
}

// Rows that nothing compresses, not replicated: the copies bring them.
bool Fill(const TestCluster& cluster, int gib) {
  const auto session = cluster.Connect(kNode1);
  if (!session.ok()) return false;
  const Deadline deadline(SystemClock(), kLongest);
  const auto run = [&](const std::string& sql) {
    const Status done = (*session)->Execute(sql, deadline);
    if (!done.ok()) std::printf("%s\n", done.error().message.c_str());
    return done.ok();
  };
  if (!run("SET SESSION sql_log_bin=0") ||
      !run("CREATE TABLE pandora.filling (id INT AUTO_INCREMENT PRIMARY KEY, bytes BLOB)")) {
    return false;
  }
  std::string rows;
  for (int i = 0; i < 256; ++i) rows += (i == 0 ? "" : ",") + std::string("(RANDOM_BYTES(1000))");
  if (!run("INSERT INTO pandora.filling (bytes) VALUES " + rows)) return false;
  for (std::int64_t bytes = 256 * 1000; bytes < (std::int64_t{gib} << 30); bytes *= 2) {
    if (!run("INSERT INTO pandora.filling (bytes) SELECT bytes FROM pandora.filling")) return false;
  }
  return true;
}

bool Shell(const std::string& command, double* milliseconds) {
  const TimePoint began = Now();
  SpawnOptions shell;
  shell.argv = {"/bin/sh", "-ec", command};
  const auto done = RunToEnd(shell, Deadline(SystemClock(), kLongest));
  *milliseconds = MillisecondsBetween(began, Now());
  const bool good = done.ok() && done->exit_status == 0;
  if (!good) std::printf("%s\n", done.ok() ? done->output.c_str() : done.error().message.c_str());
  return good;
}

class Bench {
 public:
  Bench(const TestedFlavor& flavor, const Options& options)
      : flavor_(flavor), options_(options), cluster_(flavor, 2, [](ClusterSpec& spec) {
          spec.database.configuration["innodb_buffer_pool_size"] = "256M";
        }) {}

  bool Measure(Run* run) {
    cluster_.StartManager();
    if (!Whole(cluster_) || !Fill(cluster_, options_.gib)) return false;
    for (int i = 0; i < options_.runs; ++i) {
      const bool good = i % 2 == 0 ? Resync(run) && Plain(run) && ByHand(run)
                                   : ByHand(run) && Plain(run) && Resync(run);
      if (!good) return false;
    }
    return true;
  }

 private:
  std::string Data(const NodeName& node) const {
    return cluster_.spec().local->directory + "/" + node.text;
  }

  bool Resync(Run* run) {
    const TimePoint began = Now();
    const std::string id = cluster_.HandIn(pandora_ha::Resync{kNode2});
    // By the copier's own mark: the loop looks once a second.
    const bool copied = WaitUntil(kLongest, [&] {
      std::string made;
      std::getline(std::ifstream(Data(kNode2) + "/data/pandora_ha_copy"), made);
      return made == id;
    });
    run->copy.push_back(MillisecondsBetween(began, Now()));
    const auto record = cluster_.WaitForEnd(id, kLongest);
    run->resync.push_back(MillisecondsBetween(began, Now()));
    return copied && record && record->state == IntentState::kDone && Whole(cluster_);
  }

  bool Plain(Run* run) {
    const std::string to = cluster_.directory() + "/plain";
    fs::create_directories(to);
    const bool good =
        Shell("tar -C " + Data(kNode1) +
                  "/data --exclude='binlog.*' --exclude='relay*' --exclude='ib_logfile*' "
                  "--exclude='#innodb_redo' --exclude='ibtmp*' -cf - . | tar -xf - -C " +
                  to + "; sync -f " + to,
              &run->floor.emplace_back());
    fs::remove_all(to);
    return good;
  }

  bool ByHand(Run* run) {
    if (flavor_.flavor == Flavor::kMySql || !flavor_.server_root.empty()) return true;
    const std::string at = cluster_.directory() + "/by-hand";
    fs::create_directories(at + "/backup");
    std::ofstream(at + "/cnf") << "[mariadb-backup]\nuser=root\npassword="
                               << cluster_.passwords().admin.Reveal() << "\nsocket=" << Data(kNode1)
                               << "/server.sock\ndatadir=" << Data(kNode1) << "/data\n";
    const bool good =
        Shell("chmod 600 " + at + "/cnf; mariadb-backup --defaults-file=" + at +
                  "/cnf --backup --target-dir=" + at + "/backup 2>" + at +
                  "/log; mariadb-backup --prepare --target-dir=" + at + "/backup 2>>" + at +
                  "/log; cp -a " + at + "/backup " + at + "/replica; sync -f " + at,
              &run->by_hand.emplace_back());
    fs::remove_all(at);
    return good;
  }

  const TestedFlavor flavor_;
  const Options options_;
  TestCluster cluster_;
};

void Add(const std::string& flavor, const Run& run, std::vector<Row>* rows) {
  const double floor = At(run.floor, 0.5);
  const auto add = [&](const std::string& name, const Sample& sample) {
    if (sample.empty()) return;
    rows->push_back({name, "ms", At(sample, 0.5), floor, sample.size(), At(sample, 0.95), flavor});
  };
  add("resync", run.resync);
  add("resync.copy", run.copy);
  add("plain_copy", run.floor);
  add("backup_prepare_copy", run.by_hand);
  const double reached = floor / At(run.copy, 0.5);
  std::printf("%s: the copy reaches %.0f %% of a plain one; goal: %.0f %%: %s\n", flavor.c_str(),
              100 * reached, 100 * kGoal, reached >= kGoal ? "met" : "MISSED");
}

int Main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--flavor" && i + 1 < argc) {
      options.flavor = argv[++i];
    } else if (word == "--runs" && i + 1 < argc) {
      options.runs = std::atoi(argv[++i]);
    } else if (word == "--gib" && i + 1 < argc) {
      options.gib = std::atoi(argv[++i]);
    } else if (word.starts_with("-")) {
      std::fprintf(
          stderr,
          "usage: resync_bench [FILE.json] [--flavor mariadb|mysql] [--runs N] [--gib N]\n");
      return 2;
    } else {
      options.file = word;
    }
  }
  SetLogLevel(LogLevel::kError);
  std::vector<Row> rows;
  bool good = true;
  for (const auto& [flavor, name] :
       {std::pair{"mariadb", "MariaDB"}, std::pair{"mysql", "MySQL"}}) {
    const auto found = FindFlavor(name);
    if ((!options.flavor.empty() && options.flavor != flavor) || !found) continue;
    Run run;
    good = Bench(*found, options).Measure(&run) && good;
    if (!run.copy.empty() && !run.floor.empty()) Add(flavor, run, &rows);
  }
  Print(rows);
  std::printf("%s\n", Load().c_str());
  return good && WriteJson(options.file, rows) ? 0 : 1;
}

}  // namespace
}  // namespace pandora_ha::bench

int main(int argc, char** argv) {
  return pandora_ha::bench::Main(argc, argv);
}
