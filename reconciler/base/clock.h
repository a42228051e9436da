// Time, given from outside.
//
// Decisions measure with a clock that no administrator and no NTP daemon can move; people read wall
// time. Both come in one Instant so that no code compares the one with the other. Nothing outside
// base/ reads a clock of its own (tests/layering checks it).
#pragma once

#include <chrono>
#include <string>

namespace pandora_ha {

using Milliseconds = std::chrono::milliseconds;
using Microseconds = std::chrono::microseconds;
using Seconds = std::chrono::seconds;

// Counts from the machine's start, goes on while the machine sleeps (CLOCK_BOOTTIME), and means
// nothing on another machine or after a reboot.
struct MonotonicClock {
  using duration = Microseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonotonicClock, duration>;
  static constexpr bool is_steady = true;
};

using TimePoint = MonotonicClock::time_point;
using Duration = MonotonicClock::duration;
using WallTime = std::chrono::sys_time<Milliseconds>;

// One moment on both clocks.
struct Instant {
  TimePoint mono{};
  WallTime wall{};

  bool operator==(const Instant&) const = default;
};

// Thread-safe. The real one is SystemClock(); tests bring their own.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant Now() const = 0;
  // Names the machine's present run. A TimePoint kept in a file is comparable only while this is
  // unchanged.
  virtual std::string BootId() const = 0;
};

// Lives as long as the program.
const Clock& SystemClock();

// "2026-11-22T17:03:01.250Z"
std::string FormatWallTime(WallTime time);

// Nothing on a malformed text; accepts what FormatWallTime prints.
bool ParseWallTime(const std::string& text, WallTime* out);

// "850 ms", "12 s", "3 min", "2 h 5 min": for people.
std::string FormatDuration(Duration duration);

// A moment by which something must be over. Passed down, never extended.
class Deadline {
 public:
  Deadline(const Clock& clock, Duration budget) : clock_(&clock), at_(clock.Now().mono + budget) {}

  TimePoint at() const { return at_; }
  bool passed() const { return left() <= Duration::zero(); }
  // Never negative.
  Duration left() const {
    const Duration left = at_ - clock_->Now().mono;
    return left > Duration::zero() ? left : Duration::zero();
  }
  // Rounded up, for poll(2): a deadline that has not passed never gives 0.
  int poll_milliseconds() const {
    return static_cast<int>(std::chrono::ceil<Milliseconds>(left()).count());
  }
  // The same moment or `budget` from now, whichever is sooner.
  Deadline Within(Duration budget) const {
    Deadline sooner(*clock_, budget);
    if (at_ < sooner.at_) sooner.at_ = at_;
    return sooner;
  }

 private:
  const Clock* clock_;
  TimePoint at_;
};

}  // namespace pandora_ha
