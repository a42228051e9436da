#include "reconciler/loop/pulse.h"

namespace pandora_ha {
namespace {

constexpr int kBeatsInLongest = 16;

}  // namespace

Pulse::Pulse(const Clock& clock, Duration longest)
    : clock_(clock), longest_(longest), last_(clock.Now().mono), thread_([this] {
        std::unique_lock lock(mutex_);
        while (!stop_.wait_for(lock, longest_ / kBeatsInLongest, [this] { return stopping_; }))
          Beat();
      }) {}

Pulse::~Pulse() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_.notify_all();
  thread_.join();
}

void Pulse::Beat() {
  const TimePoint now = clock_.Now().mono;
  if (now - last_ > longest_) gap_ended_ = now;
  last_ = now;
}

bool Pulse::MissedSince(TimePoint since) {
  const std::lock_guard lock(mutex_);
  Beat();
  return gap_ended_ > since;
}

}  // namespace pandora_ha
