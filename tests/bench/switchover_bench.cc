// What a switchover costs its clients: switchover_bench [FILE.json] [--flavor mariadb|mysql]
// [--runs N] [--writer anew|kept]
//
// A cluster of two real servers with a manager; a client writes through the endpoint as fast as it
// can, over a connection for each row (anew) or over one that it keeps (kept), while the primary is
// moved there and back. Measured is the time without a writer by the client's own clock: from the
// last acknowledgement before to the first one after; rows lost; errors that the client saw.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <mutex>

#include "reconciler/base/log.h"
#include "tests/bench/report.h"
#include "tests/support/test_cluster.h"

namespace pandora_ha::bench {
namespace {

constexpr double kGoalMilliseconds = 100;
constexpr std::uint64_t kRowsAfter = 30;

double MillisecondsOf(Duration duration) {
  return static_cast<double>(duration.count()) / 1e3;
}

// The parts of one switchover as the loop told them: by name, in the order in which they came.
using Parts = std::vector<std::pair<std::string, double>>;

// Sums up every tick of a switchover that is pinned while it lives.
class Recorder {
 public:
  explicit Recorder(const TestCluster& cluster)
      : thread_([this, &cluster](const std::stop_token& stop) {
          Noticeboard::Pinned last;
          while (!stop.stop_requested()) {
            if (auto now = cluster.Last(); now && now != last) {
              last = std::move(now);
              Add(*last);
            }
            usleep(200);
          }
        }) {}

  Parts Take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(parts_, {});
  }

 private:
  void Add(const Snapshot& s) {
    const bool moving = s.decision.memory.promotion || s.decision.plan.ordered;
    if (!moving) return;
    const std::lock_guard lock(mutex_);
    const auto part = [&](const std::string& name, Duration took) {
      parts_.emplace_back(name, MillisecondsOf(took));
    };
    part("looking", s.times.looked - s.times.began);
    part("deciding", s.times.decided - s.times.looked);
    part("storing", s.times.remembered - s.times.decided);
    for (std::size_t i = 0; i < s.report.steps.size(); ++i)
      part(s.report.steps[i].step.substr(0, s.report.steps[i].step.find(" node")),
           s.report.steps[i].took);
    part("telling", s.tick_took - (s.times.acted - s.times.began));
  }

  std::mutex mutex_;
  Parts parts_;
  std::jthread thread_;
};

struct Run {
  std::string flavor;
  bool anew = true;
  Sample pauses;                          // ms
  std::map<std::string, Sample> by_part;  // ms, summed within one switchover
  std::uint64_t lost = 0, acknowledged = 0;
  ClientWriterCount count;
  int not_done = 0;
};

bool Whole(TestCluster& cluster) {
  return cluster.WaitFor("Healthy, semiSync in force", [](const Snapshot& s) {
    return s.status.state == ClusterState::kHealthy &&
           s.status.durability_in_force == DurabilityMode::kSemiSync;
  });
}

bool MoveOnce(TestCluster& cluster, const ClientWriter& writer, Recorder& recorder, Run* run) {
  const auto& nodes = cluster.spec().database.nodes;
  const NodeName to = nodes[cluster.Primary() == nodes[0].name ? 1 : 0].name;
  if (!Whole(cluster)) return false;
  recorder.Take();
  const TimePoint asked = SystemClock().Now().mono;
  const auto record = cluster.WaitForEnd(cluster.HandIn(Switchover{to}));
  if (!record) return false;
  const std::uint64_t before = writer.Count().acknowledged;
  const Deadline deadline(SystemClock(), Seconds(30));
  while (writer.Count().acknowledged < before + kRowsAfter && !deadline.passed()) usleep(1000);
  if (record->state != IntentState::kDone) {
    std::printf("%s: not done: %s\n", run->flavor.c_str(), record->says.c_str());
    ++run->not_done;
    return true;
  }
  run->pauses.push_back(MillisecondsOf(writer.LongestPauseSince(asked)));
  std::map<std::string, double> sums;
  for (const auto& [name, took] : recorder.Take()) sums[name] += took;
  for (const auto& [name, took] : sums) run->by_part[name].push_back(took);
  return true;
}

bool Measure(const TestedFlavor& flavor, int runs, Run* run) {
  TestCluster cluster(
      flavor, 2, [](ClusterSpec& spec) { spec.database.detection.interval = Milliseconds(1000); });
  cluster.StartManager();
  if (!Whole(cluster)) return false;
  const auto writer = cluster.NewClient(run->anew);
  Recorder recorder(cluster);
  for (int i = 0; i < runs; ++i) {
    if (!MoveOnce(cluster, *writer, recorder, run)) return false;
  }
  if (!Whole(cluster)) return false;
  const auto lost = cluster.CountLost(*writer);
  if (!lost.ok()) {
    std::printf("%s: %s\n", run->flavor.c_str(), lost.error().message.c_str());
    return false;
  }
  run->lost = *lost;
  run->count = writer->Count();
  return true;
}

void Add(const Run& run, std::vector<Row>* rows) {
  const std::string name = run.anew ? "switchover_anew" : "switchover_kept";
  const auto add = [&](const std::string& what, const std::string& unit, double value,
                       std::size_t n, double p95) {
    rows->push_back({name + what, unit, value, kNone, n, p95, run.flavor});
  };
  const std::size_t n = run.pauses.size();
  add("", "ms", At(run.pauses, 0.5), n, At(run.pauses, 0.95));
  add("_max", "ms", At(run.pauses, 1), n, kNone);
  for (const auto& [part, sample] : run.by_part)
    add("." + part, "ms", At(sample, 0.5), sample.size(), At(sample, 0.95));
  const auto number = [](std::uint64_t value) { return static_cast<double>(value); };
  add("_rows_lost", "rows", number(run.lost), run.count.acknowledged, kNone);
  add("_cut", "errors", number(run.count.cut), n, kNone);
  add("_refused", "errors", number(run.count.refused), n, kNone);
  add("_unconnected", "errors", number(run.count.unconnected), n, kNone);
  add("_not_done", "switchovers", run.not_done, n, kNone);
  const double p95 = At(run.pauses, 0.95);
  std::printf("%s %s: p50 %.1f, p95 %.1f, max %.1f ms; goal: p95 at most %.0f ms: %s; %s\n",
              run.flavor.c_str(), name.c_str(), At(run.pauses, 0.5), p95, At(run.pauses, 1),
              kGoalMilliseconds, p95 <= kGoalMilliseconds ? "met" : "MISSED",
              run.count.last_error.c_str());
}

int Misuse() {
  std::fprintf(stderr,
               "usage: switchover_bench [FILE.json] [--flavor mariadb|mysql] [--runs N] "
               "[--writer anew|kept]\n");
  return 2;
}

int Main(int argc, char** argv) {
  std::string file = PANDORA_HA_BENCH_DIR "/switchover.json", only, only_writer;
  int runs = 50;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--flavor" && i + 1 < argc) {
      only = argv[++i];
    } else if (word == "--writer" && i + 1 < argc) {
      only_writer = argv[++i];
    } else if (word == "--runs" && i + 1 < argc) {
      runs = std::atoi(argv[++i]);
      if (runs < 1) return Misuse();
    } else if (word.starts_with("-")) {
      return Misuse();
    } else {
      file = word;
    }
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  SetLogLevel(LogLevel::kError);
  std::vector<Row> rows;
  bool good = true;
  const std::string load = Load();
  for (const auto& [flavor, name] :
       {std::pair{"mariadb", "MariaDB"}, std::pair{"mysql", "MySQL"}}) {
    const auto found = FindFlavor(name);
    if ((!only.empty() && only != flavor) || !found) continue;
    for (const bool anew : {true, false}) {
      if (!only_writer.empty() && only_writer != (anew ? "anew" : "kept")) continue;
      Run run;
      run.flavor = flavor;
      run.anew = anew;
      good = Measure(*found, runs, &run) && good && run.lost == 0;
      if (!run.pauses.empty()) Add(run, &rows);
    }
  }
  if (rows.empty()) return Misuse();
  std::printf("\n");
  Print(rows);
  std::printf("\nat the beginning %s, at the end %s\n", load.c_str(), Load().c_str());
  return WriteJson(file, rows) && good && !::testing::Test::HasFailure() ? 0 : 1;
}

}  // namespace
}  // namespace pandora_ha::bench

int main(int argc, char** argv) {
  return pandora_ha::bench::Main(argc, argv);
}
