#include "reconciler/observe/in_the_way.h"

#include <memory>

#include "reconciler/port/database.h"

namespace pandora_ha {
namespace {

constexpr Duration kLongEnough = Seconds(1);

std::string Clause(const Blocker& blocker) {
  if (blocker.connection == 0) return "somebody holds a lock on " + blocker.statement;
  const std::string who = "session " + std::to_string(blocker.connection) + " of " + blocker.user +
                          "@" + blocker.host + " has been ";
  return who + (blocker.statement.empty() ? "holding a lock" : "at \"" + blocker.statement + "\"") +
         " for " + FormatDuration(blocker.age);
}

}  // namespace

Seen<std::vector<std::string>> AskWhatIsInTheWay(NodeRunner& node, const Clock& clock,
                                                 Duration within) {
  // The task may outlive a wait that timed out.
  auto clauses = std::make_shared<std::vector<std::string>>();
  const Status asked = node.Run(
      [clauses](DatabaseNode& server, Deadline deadline) -> Status {
        PHA_ASSIGN_OR_RETURN(const auto blockers, server.Blockers(kLongEnough, deadline));
        for (const Blocker& blocker : blockers) {
          if (blocker.HoldsUp()) clauses->push_back(Clause(blocker));
        }
        return Ok();
      },
      Deadline(clock, within));
  const TimePoint now = clock.Now().mono;
  if (!asked.ok()) return Seen<std::vector<std::string>>::Unknown(asked.error().message, now);
  return Seen<std::vector<std::string>>::Known(*clauses, now);
}

}  // namespace pandora_ha
