#include "tests/bench/idle.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "reconciler/base/descriptor.h"
#include "tests/bench/process_cost.h"

namespace pandora_ha::bench {
namespace {

std::optional<IdleCost> MeasureHere(const TestedFlavor& flavor, Duration how_long) {
  TestCluster cluster(
      flavor, 2, [](ClusterSpec& spec) { spec.database.detection.interval = Milliseconds(1000); });
  cluster.StartManager();
  if (!cluster.WaitHealthy()) return std::nullopt;
  // As after a restart of the manager: making the servers is no part of a quiet life.
  cluster.StopManager();
  cluster.StartManager();
  if (!cluster.WaitHealthy()) return std::nullopt;
  usleep(3'000'000);
  IdleCost cost;
  const TimePoint began = SystemClock().Now().mono;
  const double used = CpuSeconds();
  const std::uint64_t looks = cluster.Last()->counters.looks;
  usleep(static_cast<useconds_t>(how_long.count()));
  const double seconds = static_cast<double>((SystemClock().Now().mono - began).count()) / 1e6;
  cost.cpu_percent = 100 * (CpuSeconds() - used) / seconds;
  cost.rss_megabytes = RssMegabytes();
  cost.looks = cluster.Last()->counters.looks - looks;
  cost.seconds = seconds;
  return cost;
}

}  // namespace

std::optional<IdleCost> MeasureIdle(const TestedFlavor& flavor, Duration how_long) {
  int ends[2];
  if (pipe(ends) != 0) return std::nullopt;
  const Descriptor from(ends[0]);
  Descriptor to(ends[1]);
  const pid_t child = fork();
  if (child < 0) return std::nullopt;
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    const auto cost = MeasureHere(flavor, how_long);
    if (cost && write(to.get(), &*cost, sizeof *cost) != sizeof *cost) _exit(1);
    _exit(cost ? 0 : 1);
  }
  to.Close();
  IdleCost cost;
  const bool told = read(from.get(), &cost, sizeof cost) == sizeof cost;
  waitpid(child, nullptr, 0);
  return told ? std::optional(cost) : std::nullopt;
}

}  // namespace pandora_ha::bench
