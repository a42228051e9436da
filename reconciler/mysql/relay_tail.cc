#include "reconciler/mysql/relay_tail.h"

#include "reconciler/mysql/quote.h"

namespace pandora_ha {
namespace {

constexpr std::size_t kPageRows = 1000;
constexpr int kMostPages = 500;
constexpr int kCommandFailed = 1220;
constexpr Milliseconds kTooLateToAsk{50};  // an answer that comes too late closes the session

}  // namespace

Result<RelayTail> ReadRelayTail(Session& session, const ReplicaStanding& standing,
                                Deadline deadline) {
  RelayTail tail;
  RelayPlace at = standing.executed_to;
  // The rest of the time is for what the caller asks next.
  const Deadline enough = deadline.Within(deadline.left() / 2);
  for (int page = 0; page < kMostPages && enough.left() > kTooLateToAsk; ++page) {
    PHA_ASSIGN_OR_RETURN(
        const ResultSets answers,
        session.QueryAll("SHOW RELAYLOG EVENTS IN " + QuoteLiteral(at.file) + " FROM " +
                             std::to_string(at.position) + " LIMIT " + std::to_string(kPageRows),
                         deadline));
    if (answers.stopped_by) {
      // The one before was the last file. Anything else leaves the rest unknown.
      const Error& why = *answers.stopped_by;
      const bool no_such_file = why.number == kCommandFailed &&
                                why.message.find("Could not find target log") != std::string::npos;
      tail.complete = page > 0 && no_such_file;
      return tail;
    }
    const Rows& rows = answers.tables.front();
    AddRelayPage(rows, at.file, standing.executed, &tail);
    if (rows.size() < kPageRows) {
      at = {NextRelayFile(at.file), kFirstRelayPosition};
      if (at.file.empty()) return tail;
    } else {
      // The next page begins with this page's last event, because only its place is known.
      at.position = RowReader(rows, rows.size() - 1).Number("Pos").value_or(kFirstRelayPosition);
    }
  }
  tail.complete = false;
  return tail;
}

}  // namespace pandora_ha
