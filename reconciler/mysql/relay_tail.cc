#include "reconciler/mysql/relay_tail.h"

#include "reconciler/mysql/quote.h"

namespace pandora_ha {
namespace {

constexpr std::size_t kPageRows = 1000;
constexpr int kMostPages = 500;

}  // namespace

Result<RelayTail> ReadRelayTail(Session& session, const ReplicaStanding& standing,
                                Deadline deadline) {
  RelayTail tail;
  RelayPlace at = standing.executed_to;
  for (int page = 0; page < kMostPages; ++page) {
    PHA_ASSIGN_OR_RETURN(
        const ResultSets answers,
        session.QueryAll("SHOW RELAYLOG EVENTS IN " + QuoteLiteral(at.file) + " FROM " +
                             std::to_string(at.position) + " LIMIT " + std::to_string(kPageRows),
                         deadline));
    if (answers.stopped_by) return tail;  // no such file: the one before was the last
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
