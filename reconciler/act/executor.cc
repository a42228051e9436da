#include "reconciler/act/executor.h"

#include <set>

#include "reconciler/act/actions.h"

namespace pandora_ha {
namespace {

Status Try(const Step& step, const Hands& hands) {
  const Deadline deadline(hands.clock, step.deadline);
  for (const Condition& condition : step.requires_) {
    const Status holds = Ask(condition, hands, deadline);
    if (!holds.ok()) {
      return Error{ErrorCode::kRefused, "Not done, because this must hold first: " +
                                            Describe(condition) + ". " + holds.error().message};
    }
  }
  // Asked last: between the other questions and the deed as little time as possible passes.
  if (!hands.lease.Held()) {
    return Error{ErrorCode::kRefused, "Not done: this manager no longer holds the cluster."};
  }
  return Perform(step.action, hands, deadline);
}

StepOutcome OutcomeOf(const Status& status) {
  if (status.ok()) return StepOutcome::kDone;
  const ErrorCode code = status.error().code;
  return code == ErrorCode::kTimeout || code == ErrorCode::kUnreachable ? StepOutcome::kUnknown
                                                                        : StepOutcome::kFailed;
}

}  // namespace

Report Apply(const Plan& plan, const Hands& hands, const std::function<void()>& after_step) {
  Report report;
  std::set<NodeName> held_back;
  bool stopped = false;
  for (const Step& step : plan.steps) {
    StepReport line{Describe(step.action), StepOutcome::kNotTried, "", {}};
    const NodeName target = TargetOf(step.action);
    if ((plan.ordered && stopped) || held_back.contains(target)) {
      report.steps.push_back(std::move(line));
      continue;
    }
    line.began = hands.clock.Now().mono;
    const Status status = Try(step, hands);
    line.took = hands.clock.Now().mono - line.began;
    line.outcome = OutcomeOf(status);
    if (!status.ok()) {
      line.error = status.error().message;
      report.complete = false;
      if (!step.may_fail) {
        stopped = true;
        held_back.insert(target);
      }
    }
    report.steps.push_back(std::move(line));
    if (after_step) after_step();
  }
  return report;
}

}  // namespace pandora_ha
