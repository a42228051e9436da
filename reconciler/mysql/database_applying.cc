// Waiting until a replica has applied what it received.
#include <algorithm>

#include "reconciler/mysql/relay_tail.h"
#include "reconciler/mysql/sql_database_node.h"

namespace pandora_ha {
namespace {

constexpr Milliseconds kLongestServerWait{500};
// A question whose answer does not come in time closes the session, and the manager's lock with it.
constexpr Milliseconds kTooLateToAsk{20};

}  // namespace

Status SqlDatabaseNode::EnsureApplier(const ReplicaStanding& standing, Deadline deadline) {
  if (standing.channel->sql != ThreadState::kStopped) return Ok();
  RelayPlace from = standing.executed_to;
  if (standing.tail_unknown) {
    const auto tail = ReadRelayTail(*session_, standing, deadline);
    NoteDescriptor();
    if (!tail) return tail.error();
    if (!tail->first_unapplied && !tail->complete) {
      return Error{ErrorCode::kTimeout,
                   "the relay log at " + Where() +
                       " could not be read to its end, so what it holds is not known"};
    }
    if (!tail->first_unapplied) return Ok();
    from = *tail->first_unapplied;
  }
  const std::string alone = dialect_->StartApplierAlone(from);
  const bool both_stopped = standing.channel->io == ThreadState::kStopped;
  return Change(both_stopped && !alone.empty() ? alone : dialect_->StartApplier(), deadline);
}

Status SqlDatabaseNode::WaitUntilApplied(ReplicaStanding standing, Deadline deadline) {
  while (standing.channel && !standing.channel->applied_all) {
    if (standing.channel->sql_errno != 0) {
      return Error{ErrorCode::kRefused,
                   "the replica at " + Where() +
                       " cannot apply what it received: " + standing.channel->sql_error,
                   standing.channel->sql_errno};
    }
    if (deadline.left() < 2 * kTooLateToAsk) {
      return Error{ErrorCode::kTimeout,
                   "the replica at " + Where() +
                       " has not applied everything it received in the time allowed"};
    }
    // In slices, because an applier that stops on an error does not end the server's wait.
    const auto left = std::chrono::floor<Milliseconds>(deadline.left()) - kTooLateToAsk;
    const auto slice = std::min({kLongestServerWait, ServerShare(deadline), left});
    // A relay log whose transactions are not known by name can only be asked about again.
    const bool named = !standing.executed.Contains(standing.channel->received);
    const auto waited = Ask(
        named ? dialect_->WaitForExecuted(standing.channel->received, slice) : "DO SLEEP(0.005)",
        deadline);
    if (!waited) return waited.error();
    PHA_ASSIGN_OR_RETURN(standing, Standing(deadline));
  }
  return Ok();
}

Status SqlDatabaseNode::AwaitExecuted(const GtidSet& wanted, Deadline deadline) {
  std::string pause;
  bool settled = false;
  while (true) {
    PHA_ASSIGN_OR_RETURN(const ReplicaStanding standing, Standing(deadline));
    // MariaDB logs what it applies a moment before the rows can be seen; its own wait knows.
    if (standing.executed.Contains(wanted) && (settled || !standing.channel)) return Ok();
    if (standing.channel && standing.channel->sql_errno != 0) {
      return Error{ErrorCode::kRefused,
                   "the replica at " + Where() +
                       " cannot apply what it received: " + standing.channel->sql_error,
                   standing.channel->sql_errno};
    }
    if (deadline.left() < Milliseconds(2)) {
      return Error{ErrorCode::kTimeout,
                   "the server at " + Where() + " has not executed all that was waited for"};
    }
    // In slices, because an applier that stops on an error does not end the server's wait. MariaDB
    // ends it at once when only another server of the domain is further: hence the pause.
    const auto slice = std::min(kLongestServerWait, ServerShare(deadline));
    const auto waited = Ask(pause + dialect_->WaitForExecuted(wanted, slice), deadline);
    if (!waited) return waited.error();
    const Rows& answer = waited->tables.back();
    settled = !answer.empty() && answer.cells[0][0] == "0";
    pause = "DO SLEEP(0.001); ";
  }
}

Status SqlDatabaseNode::ApplyReceived(Deadline deadline) {
  PHA_TRY(MayChange());
  PHA_ASSIGN_OR_RETURN(const ReplicaStanding standing, Standing(deadline));
  if (!standing.channel || standing.channel->applied_all) return Ok();
  PHA_TRY(EnsureApplier(standing, deadline));
  PHA_ASSIGN_OR_RETURN(const ReplicaStanding now, Standing(deadline));
  // Still the state after a restart: the relay log was read and holds nothing new.
  if (now.tail_unknown) return Ok();
  return WaitUntilApplied(now, deadline);
}

}  // namespace pandora_ha
