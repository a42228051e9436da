// What a failover costs against the least that any program could do, and what a quiet cluster
// costs: failover_bench [FILE.json] [--flavor mariadb|mysql|mariadb-11.8] [--runs N]
//
// Real servers; in one run, alternating, on the same servers with the same settings: the floor (no
// manager: a broken socket, then the promotion's SQL), our failover as a client of the writer
// endpoint sees it, and as a client of the hosts file sees it; beside them a primary that hangs,
// and one whose death is known only from outside. Each from the signal to the first acknowledged
// write, while a client writes as fast as it can. MySQL and MariaDB 11.8 are measured when
// PANDORA_HA_TEST_MYSQL_ROOT and PANDORA_HA_TEST_MARIADB118_ROOT name their root folders.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <map>

#include "reconciler/base/log.h"
#include "tests/bench/failover_runs.h"
#include "tests/bench/idle.h"

namespace pandora_ha::bench {
namespace {

constexpr double kGoalRatio = 3;
constexpr double kGoalAfterBudget = 100, kGoalAfterBudgetMariaDb = 250;  // ms
constexpr double kGoalIdlePercent = 1;
constexpr double kGoalIdleMegabytes = 30;
constexpr Seconds kIdle{30};

struct Measured {
  std::string flavor;  // as the command line says it
  TestedFlavor tested;
  double noisy_above;  // ms: the floor on a machine that does little else
};

std::vector<Measured> Available(const std::string& only) {
  std::vector<Measured> all;
  for (const auto& [flavor, name, noisy] :
       {std::tuple{"mariadb", "MariaDB", 25.0}, std::tuple{"mysql", "MySQL", 120.0},
        std::tuple{"mariadb-11.8", "MariaDB118", 25.0}}) {
    if (!only.empty() && only != flavor) continue;
    if (const auto found = FindFlavor(name)) {
      all.push_back({flavor, *found, noisy});
    } else {
      std::printf("%s: neither installed nor named in the environment; not measured\n", flavor);
    }
  }
  return all;
}

const char* NameOf(Way way) {
  switch (way) {
    case Way::kFloor:
      return "failover_floor";
    case Way::kEndpoint:
      return "failover_endpoint";
    case Way::kHostsFile:
      return "failover_hosts_file";
    case Way::kHung:
      return "failover_hung";
    case Way::kOutside:
      return "failover_outside";
  }
  return "";
}

class Figures {
 public:
  Figures(Measured measured, std::vector<Row>* rows)
      : measured_(std::move(measured)), rows_(*rows) {}

  // False when something did not come about or a row was lost.
  bool MeasureFailovers(int runs);
  bool MeasureQuiet();

 private:
  void Add(std::string name, std::string unit, double value, double floor, std::size_t n,
           double p95) {
    rows_.push_back({std::move(name), std::move(unit), value, floor, n, p95, measured_.flavor});
  }
  // The most that the median may be, in ms, with its reason.
  std::pair<double, std::string> GoalOf(Way way) const;
  void AddTotals(Way way);
  void AddPhases(Way way);
  void PrintTimeline(Way way) const;

  const Measured measured_;
  std::vector<Row>& rows_;
  std::map<Way, std::vector<Killing>> killings_;
  DetectionSpec detection_;
  double floor_ = kNone;
};

Sample Totals(const std::vector<Killing>& killings) {
  Sample totals;
  for (const Killing& one : killings) totals.push_back(one.total);
  return totals;
}

bool Figures::MeasureFailovers(int runs) {
  FailoverRuns cluster(measured_.tested);
  std::uint64_t lost = 0, acknowledged = 0;
  bool complete = true;
  for (int run = 0; run < runs; ++run) {
    for (std::size_t turn = 0; turn < kWays.size(); ++turn) {
      // Each round begins with another way, so that none always follows the same neighbour.
      const Way way = kWays[(turn + static_cast<std::size_t>(run)) % kWays.size()];
      auto killing = cluster.Kill(way);
      if (!killing.ok()) {
        std::printf("%s %s: %s\n", measured_.flavor.c_str(), NameOf(way),
                    killing.error().message.c_str());
        complete = false;
        continue;
      }
      std::printf("%s run %d %-20s %8.2f ms  %llu of %llu rows lost\n", measured_.flavor.c_str(),
                  run + 1, NameOf(way), killing->total,
                  static_cast<unsigned long long>(killing->lost),
                  static_cast<unsigned long long>(killing->acknowledged));
      lost += killing->lost;
      acknowledged += killing->acknowledged;
      killings_[way].push_back(*std::move(killing));
    }
  }
  if (killings_[Way::kFloor].empty()) return false;
  floor_ = At(Totals(killings_[Way::kFloor]), 0.5);
  detection_ = cluster.detection();
  for (const Way way : kWays) {
    if (killings_[way].empty()) continue;
    AddTotals(way);
    AddPhases(way);
    PrintTimeline(way);
  }
  Add("failover_acknowledged_rows_lost", "rows", static_cast<double>(lost), kNone, acknowledged,
      kNone);
  if (cluster.rebuilt() > 0)
    std::printf("%s: %d clusters were made anew\n", measured_.flavor.c_str(), cluster.rebuilt());
  if (floor_ > measured_.noisy_above)
    std::printf(
        "%s: the machine is too noisy: the floor is %.1f ms, and %.0f ms at most is usual\n",
        measured_.flavor.c_str(), floor_, measured_.noisy_above);
  return complete && lost == 0;
}

std::pair<double, std::string> Figures::GoalOf(Way way) const {
  const auto milliseconds = [](Duration d) { return static_cast<double>(d.count()) / 1e3; };
  switch (way) {
    case Way::kFloor:
    case Way::kEndpoint:
    case Way::kHostsFile:
      break;
    case Way::kOutside:
      // The second look follows at once, the others a timeout apart.
      return {milliseconds((detection_.connect_retries - 1) * Duration(detection_.timeout)) +
                  kGoalRatio * floor_,
              "the declared retries and 3 x the floor"};
    case Way::kHung: {
      const bool mariadb = measured_.tested.flavor == Flavor::kMariaDb;
      return {milliseconds(detection_.Budget()) +
                  (mariadb ? kGoalAfterBudgetMariaDb : kGoalAfterBudget),
              "the detection budget and " + std::string(mariadb ? "250" : "100") + " ms"};
    }
  }
  return {kGoalRatio * floor_, "3 x the floor"};
}

void Figures::AddTotals(Way way) {
  const Sample totals = Totals(killings_[way]);
  const double median = At(totals, 0.5);
  const std::string name = NameOf(way);
  Add(name, "ms", median, floor_, totals.size(), At(totals, 0.95));
  Add(name + "_max", "ms", At(totals, 1), At(Totals(killings_[Way::kFloor]), 1), totals.size(),
      kNone);
  if (way == Way::kFloor) return;
  const auto [goal, because] = GoalOf(way);
  Add(name + "_goal", "ms", goal, floor_, 1, kNone);
  std::printf("%s %s: %.1f ms, the floor is %.1f ms; goal: at most %.1f ms, %s: %s\n",
              measured_.flavor.c_str(), name.c_str(), median, floor_, goal, because.c_str(),
              median <= goal ? "met" : "MISSED");
}

void Figures::AddPhases(Way way) {
  std::vector<std::pair<std::string, Sample>> phases;
  for (const Killing& one : killings_[way]) {
    for (std::size_t i = 0; i < one.phases.size(); ++i) {
      if (phases.size() == i) phases.push_back({one.phases[i].first, {}});
      phases[i].second.push_back(one.phases[i].second);
    }
  }
  for (const auto& [name, sample] : phases) {
    Add(std::string(NameOf(way)) + "." + name, "ms", At(sample, 0.5), kNone, sample.size(),
        At(sample, 0.95));
  }
}

// The one whose total is the median: the ordinary one, not the best.
void Figures::PrintTimeline(Way way) const {
  const auto& killings = killings_.at(way);
  const double median = At(Totals(killings), 0.5);
  for (const Killing& one : killings) {
    if (one.total != median || one.timeline.empty()) continue;
    std::printf("\n%s %s, one failover in microseconds since the kill:\n", measured_.flavor.c_str(),
                NameOf(way));
    for (const Moment& moment : one.timeline)
      std::printf("%9.0f  %s\n", moment.at, moment.what.c_str());
    std::printf("\n");
    return;
  }
}

bool Figures::MeasureQuiet() {
  const auto cost = MeasureIdle(measured_.tested, kIdle);
  if (!cost) {
    std::printf("%s: the quiet cluster could not be measured\n", measured_.flavor.c_str());
    return false;
  }
  const auto looks = static_cast<std::size_t>(cost->looks);
  Add("idle_cpu", "% of a core", cost->cpu_percent, kNone, looks, kNone);
  Add("idle_rss", "MiB", cost->rss_megabytes, kNone, 1, kNone);
  std::printf(
      "%s quiet cluster, %.0f s, %llu looks: %.2f %% of a core (goal: %.0f %%: %s), "
      "%.1f MiB (goal: %.0f: %s)\n",
      measured_.flavor.c_str(), cost->seconds, static_cast<unsigned long long>(cost->looks),
      cost->cpu_percent, kGoalIdlePercent, cost->cpu_percent <= kGoalIdlePercent ? "met" : "MISSED",
      cost->rss_megabytes, kGoalIdleMegabytes,
      cost->rss_megabytes <= kGoalIdleMegabytes ? "met" : "MISSED");
  return true;
}

int Misuse() {
  std::fprintf(stderr,
               "usage: failover_bench [FILE.json] [--flavor mariadb|mysql|mariadb-11.8] "
               "[--runs N] [--no-idle]\n");
  return 2;
}

int Main(int argc, char** argv) {
  std::string file = PANDORA_HA_BENCH_DIR "/failover.json", only;
  int runs = 10;
  bool idle = true;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--no-idle") {
      idle = false;
    } else if (word == "--flavor" && i + 1 < argc) {
      only = argv[++i];
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
  const std::vector<Measured> all = Available(only);
  if (all.empty()) return Misuse();
  const std::string load = Load();
  // The quiet ones first: their processes are forked from this one while it has one thread.
  for (const Measured& measured : all) {
    if (idle) good = Figures(measured, &rows).MeasureQuiet() && good;
  }
  for (const Measured& measured : all)
    good = Figures(measured, &rows).MeasureFailovers(runs) && good;
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
