#include "reconciler/mysql/relay_tail.h"

#include <cstdio>
#include <cstdlib>

#include "reconciler/mysql/quote.h"

namespace pandora_ha {
namespace {

constexpr std::int64_t kFirstPosition = 4;  // after a binary log's magic number
constexpr std::size_t kPageRows = 1000;
constexpr int kMostPages = 500;
constexpr int kCommandFailed = 1220;
constexpr Milliseconds kTooLateToAsk{50};  // an answer that comes too late closes the session

// "relay.000009" → "relay.000010"; empty when the name has no number.
std::string NextFile(const std::string& file) {
  const std::size_t dot = file.rfind('.');
  if (dot == std::string::npos) return "";
  char number[32];
  std::snprintf(number, sizeof number, "%06ld", std::atol(file.c_str() + dot + 1) + 1);
  return file.substr(0, dot + 1) + number;
}

// The transactions that begin on this page, into `tail`. The event before "GTID 0-1-8" may say
// BEGIN.
void ReadPage(const Rows& rows, const std::string& file, const GtidSet& executed, RelayTail* tail) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const RowReader row(rows, i);
    if (row.Text("Event_type") != "Gtid") continue;
    const std::string info = row.Text("Info");
    const std::size_t word = info.find("GTID ");
    if (word == std::string::npos) continue;
    const std::string name = info.substr(word + 5, info.find(' ', word + 5) - word - 5);
    const auto gtid = GtidSet::Parse(Flavor::kMariaDb, name);
    if (!gtid) continue;
    tail->holds = tail->holds.Union(*gtid);
    if (!tail->first_unapplied && !executed.Contains(*gtid)) {
      tail->first_unapplied = RelayPlace{file, row.Number("Pos").value_or(kFirstPosition)};
    }
  }
}

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
    ReadPage(rows, at.file, standing.executed, &tail);
    if (rows.size() < kPageRows) {
      at = {NextFile(at.file), kFirstPosition};
      if (at.file.empty()) return tail;
    } else {
      // The next page begins with this page's last event, because only its place is known.
      at.position = RowReader(rows, rows.size() - 1).Number("Pos").value_or(kFirstPosition);
    }
  }
  tail.complete = false;
  return tail;
}

}  // namespace pandora_ha
