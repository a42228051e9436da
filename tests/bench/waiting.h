// Time in a benchmark: milliseconds as numbers, and waiting.
#pragma once

#include <unistd.h>

#include <functional>

#include "reconciler/base/clock.h"

namespace pandora_ha::bench {

inline double MillisecondsBetween(TimePoint from, TimePoint to) {
  return static_cast<double>((to - from).count()) / 1e3;
}

// Asks every 100 us.
inline bool WaitUntil(Duration at_most, const std::function<bool()>& holds) {
  const Deadline deadline(SystemClock(), at_most);
  while (!holds()) {
    if (deadline.passed()) return false;
    usleep(100);
  }
  return true;
}

}  // namespace pandora_ha::bench
