#include "reconciler/base/clock.h"

#include <cstdio>
#include <ctime>
#include <fstream>

namespace pandora_ha {
namespace {

class RealClock final : public Clock {
 public:
  RealClock() {
    std::ifstream file("/proc/sys/kernel/random/boot_id");
    std::getline(file, boot_id_);
  }

  Instant Now() const override {
    timespec boot{};
    timespec wall{};
    clock_gettime(CLOCK_BOOTTIME, &boot);
    clock_gettime(CLOCK_REALTIME, &wall);
    return {TimePoint(Seconds(boot.tv_sec) +
                      std::chrono::duration_cast<Duration>(std::chrono::nanoseconds(boot.tv_nsec))),
            WallTime(Seconds(wall.tv_sec) + std::chrono::duration_cast<Milliseconds>(
                                                std::chrono::nanoseconds(wall.tv_nsec)))};
  }

  std::string BootId() const override { return boot_id_; }

 private:
  std::string boot_id_;
};

}  // namespace

const Clock& SystemClock() {
  static const RealClock clock;
  return clock;
}

std::string FormatWallTime(WallTime time) {
  const auto whole = std::chrono::floor<Seconds>(time);
  const auto fraction = static_cast<int>((time - whole).count());
  const std::time_t seconds = whole.time_since_epoch().count();
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900,
                parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                fraction);
  return text;
}

bool ParseWallTime(const std::string& text, WallTime* out) {
  std::tm parts{};
  int fraction = 0;
  int used = 0;
  if (std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &parts.tm_year, &parts.tm_mon,
                  &parts.tm_mday, &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &fraction,
                  &used) != 7 ||
      static_cast<std::size_t>(used) != text.size()) {
    return false;
  }
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  const WallTime time(Seconds(timegm(&parts)) + Milliseconds(fraction));
  if (FormatWallTime(time) != text) return false;  // the 31st of June, a minute 99
  *out = time;
  return true;
}

std::string FormatDuration(Duration duration) {
  const auto ms = std::chrono::duration_cast<Milliseconds>(duration).count();
  if (ms < 1000) return std::to_string(ms) + " ms";
  const auto seconds = ms / 1000;
  if (seconds < 120) return std::to_string(seconds) + " s";
  const auto minutes = seconds / 60;
  if (minutes < 120) return std::to_string(minutes) + " min";
  return std::to_string(minutes / 60) + " h " + std::to_string(minutes % 60) + " min";
}

}  // namespace pandora_ha
