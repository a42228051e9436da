#include "reconciler/app/stop_signals.h"

#include <csignal>

namespace pandora_ha {
namespace {

sigset_t StopSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  return set;
}

}  // namespace

void HoldStopSignals() {
  const sigset_t set = StopSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

bool WaitForStop(Deadline deadline) {
  const sigset_t set = StopSignals();
  const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(deadline.left());
  const auto seconds = std::chrono::duration_cast<Seconds>(left);
  const timespec wait{seconds.count(), (left - seconds).count()};
  return sigtimedwait(&set, nullptr, &wait) > 0;
}

}  // namespace pandora_ha
