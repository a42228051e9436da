// What one quiet cluster costs.
#pragma once

#include <optional>

#include "reconciler/base/clock.h"
#include "tests/support/test_cluster.h"

namespace pandora_ha::bench {

struct IdleCost {
  double cpu_percent = 0;  // of one core
  double rss_megabytes = 0;
  std::uint64_t looks = 0;  // in the time measured
  double seconds = 0;
};

// A manager in a process of its own, over two real servers in theirs, looks once a second. Forks:
// call it while this process has one thread.
std::optional<IdleCost> MeasureIdle(const TestedFlavor& flavor, Duration how_long);

}  // namespace pandora_ha::bench
