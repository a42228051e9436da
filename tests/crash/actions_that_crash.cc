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

void Strike() {
  if (control->struck.exchange(1) != 0) return;
  const bool freeze = control->blow == Blow::kFreeze;
  kill(getpid(), freeze ? SIGSTOP : SIGKILL);
  // Not a step further on the way to the stop.
  while (control->thawed == 0) {
  }
}

// Waits without sleeping: a scheduler's tick is longer than many an action.
void StrikeAfter(TimePoint began, Duration wait) {
  while (SystemClock().Now().mono - began < wait) {
  }
  Strike();
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
  const bool here = number == control->strike_at;
  control->kind[slot] = static_cast<int>(action.index());
  if (here && control->where == crash::Where::kBefore) crash::Strike();
  const TimePoint began = SystemClock().Now().mono;
  std::jthread striker;
  if (here && control->where == crash::Where::kInside)
    striker = std::jthread(crash::StrikeAfter, began, Duration(control->inside_after));
  Status status = PerformReally(action, hands, deadline);
  control->took[slot] = (SystemClock().Now().mono - began).count();
  ++control->ended;
  if (here) crash::Strike();
  return status;
}

}  // namespace pandora_ha
