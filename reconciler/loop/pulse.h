// Whether this process has run without a pause that is long enough to be replaced in.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "reconciler/base/clock.h"

namespace pandora_ha {

// A process that is stopped, or whose machine is, does not notice: it thaws in the middle of what
// it did. A thread that beats all the time leaves a gap then. Thread-safe.
class Pulse {
 public:
  // `longest`: a longer gap counts. `clock` must outlive it.
  Pulse(const Clock& clock, Duration longest);
  ~Pulse();

  // A gap has ended after `since`, or goes on right now, as it does when a thawed process asks
  // before the thread has beaten again.
  bool MissedSince(TimePoint since);

 private:
  void Beat();

  const Clock& clock_;
  const Duration longest_;
  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;
  TimePoint last_;
  TimePoint gap_ended_{};
  std::thread thread_;
};

}  // namespace pandora_ha
