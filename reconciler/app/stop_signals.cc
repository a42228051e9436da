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

SignalSeen WaitForSignal(Deadline deadline) {
  const sigset_t set = StopSignals();
  const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(deadline.left());
  const auto seconds = std::chrono::duration_cast<Seconds>(left);
  const timespec wait{seconds.count(), (left - seconds).count()};
  const int signal = sigtimedwait(&set, nullptr, &wait);
  if (signal <= 0) return SignalSeen::kNone;
  return signal == SIGHUP ? SignalSeen::kHangUp : SignalSeen::kStop;
}

bool WaitForStop(Deadline deadline) {
  return WaitForSignal(deadline) != SignalSeen::kNone;
}

}  // namespace pandora_ha
