// The product's own actions, with a hook around each: see crash_hook.h.
#define Perform PerformReally
#include "reconciler/act/actions.cc"  // NOLINT: the point of this file
#undef Perform

#include <signal.h>
#include <unistd.h>

#include <thread>

#include "tests/crash/crash_hook.h"

namespace pandora_ha {

namespace crash {
Control* control = nullptr;

namespace {

void Crash() {
  kill(getpid(), SIGKILL);
  while (true) pause();
}

// Waits without sleeping: a scheduler's tick is longer than many an action.
void CrashAfter(TimePoint began, Duration wait) {
  while (SystemClock().Now().mono - began < wait) {
  }
  Crash();
}

}  // namespace
}  // namespace crash

Status Perform(const Action& action, const Hands& hands, Deadline deadline);

Status Perform(const Action& action, const Hands& hands, Deadline deadline) {
  crash::Control* control = crash::control;
  if (control == nullptr || !control->armed) return PerformReally(action, hands, deadline);
  const int number = control->begun++;
  const auto slot = static_cast<std::size_t>(number);
  if (slot >= crash::kMostActions) return PerformReally(action, hands, deadline);
  const bool here = number == control->crash_at;
  control->kind[slot] = static_cast<int>(action.index());
  if (here && control->where == crash::Where::kBefore) crash::Crash();
  const TimePoint began = SystemClock().Now().mono;
  std::jthread killer;
  if (here && control->where == crash::Where::kInside)
    killer = std::jthread(crash::CrashAfter, began, Duration(control->inside_after));
  Status status = PerformReally(action, hands, deadline);
  control->took[slot] = (SystemClock().Now().mono - began).count();
  ++control->ended;
  if (here) crash::Crash();
  return status;
}

}  // namespace pandora_ha
