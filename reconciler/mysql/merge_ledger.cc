#include "reconciler/mysql/merge_ledger.h"

#include <algorithm>
#include <charconv>

#include "reconciler/mysql/quote.h"

namespace pandora_ha {
namespace {

constexpr int kNoSuchTable = 1146;

std::int64_t SecondOf(const TransactionHead& head) {
  return std::chrono::duration_cast<Seconds>(head.at.time_since_epoch()).count();
}

// The number that `text` begins with, which is taken off it.
bool TakeNumber(std::string_view* text, std::uint64_t* out) {
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), *out);
  if (error != std::errc()) return false;
  text->remove_prefix(static_cast<std::size_t>(end - text->data()));
  return true;
}

}  // namespace

RejectedPlaces RejectedPlaces::Parse(std::string_view text) {
  RejectedPlaces places;
  std::uint64_t first = 0, last = 0;
  while (TakeNumber(&text, &first)) {
    last = first;
    if (text.starts_with('-')) {
      text.remove_prefix(1);
      if (!TakeNumber(&text, &last)) break;
    }
    places.ranges_.emplace_back(first, last);
    if (!text.starts_with(',')) break;
    text.remove_prefix(1);
  }
  return places;
}

void RejectedPlaces::Add(std::uint64_t place) {
  if (!ranges_.empty() && ranges_.back().second + 1 == place) {
    ranges_.back().second = place;
  } else {
    ranges_.emplace_back(place, place);
  }
}

bool RejectedPlaces::Contains(std::uint64_t place) const {
  const auto after =
      std::upper_bound(ranges_.begin(), ranges_.end(), place,
                       [](std::uint64_t p, const auto& range) { return p < range.first; });
  return after != ranges_.begin() && place <= std::prev(after)->second;
}

std::string RejectedPlaces::ToString() const {
  std::string text;
  for (const auto& [first, last] : ranges_) {
    text += (text.empty() ? "" : ",") + std::to_string(first);
    if (last != first) text += "-" + std::to_string(last);
  }
  return text;
}

std::string MergeLedger::Key(const TransactionHead& head) {
  return QuoteLiteral(head.gtid.ToString()) + "," + std::to_string(SecondOf(head));
}

Status MergeLedger::Open() {
  PHA_ASSIGN_OR_RETURN(
      const Rows there,
      writing_.session.Query(
          "SELECT COUNT(*) AS c FROM information_schema.TABLES WHERE TABLE_SCHEMA=" +
              QuoteLiteral(name_) + " AND TABLE_NAME IN (" + QuoteLiteral(kMergedTable) + "," +
              QuoteLiteral(kMergedEventTable) + ")",
          writing_.Soon()));
  if (RowReader(there, 0).Number("c") != 2) {
    const std::string key =
        "gtid VARCHAR(120) CHARACTER SET ascii NOT NULL, committed_at BIGINT NOT NULL, ";
    PHA_TRY(writing_.Write(
        "CREATE TABLE IF NOT EXISTS " + table() + " (" + key +
        "archive VARCHAR(190) CHARACTER SET ascii NOT NULL, merged_at BIGINT NOT NULL, "
        "rejected MEDIUMTEXT CHARACTER SET ascii NOT NULL, "
        "PRIMARY KEY (gtid, committed_at)) ENGINE=InnoDB; CREATE TABLE IF NOT EXISTS " +
        events_table() + " (" + key +
        "old_id BIGINT UNSIGNED NOT NULL, new_id BIGINT UNSIGNED NOT NULL, "
        "PRIMARY KEY (gtid, committed_at, old_id)) ENGINE=InnoDB"));
  }
  return Read();
}

Status MergeLedger::Read() {
  const auto rows = writing_.session.Query("SELECT gtid, committed_at, rejected FROM " + table(),
                                           writing_.Soon());
  // A dry run has not made it.
  if (!rows.ok() && rows.error().number == kNoSuchTable) return Ok();
  if (!rows.ok()) return rows.error();
  for (std::size_t i = 0; i < rows->size(); ++i) {
    const RowReader row(*rows, i);
    before_[{row.Text("gtid"), row.Number("committed_at").value_or(0)}] =
        RejectedPlaces::Parse(row.Text("rejected"));
  }
  return Ok();
}

const RejectedPlaces* MergeLedger::Before(const TransactionHead& head) const {
  const auto found = before_.find({head.gtid.ToString(), SecondOf(head)});
  return found == before_.end() ? nullptr : &found->second;
}

Result<std::vector<std::pair<std::int64_t, std::int64_t>>> MergeLedger::EventsOf(
    const TransactionHead& head) const {
  PHA_ASSIGN_OR_RETURN(const Rows rows,
                       writing_.session.Query("SELECT old_id, new_id FROM " + events_table() +
                                                  " WHERE (gtid, committed_at)=(" + Key(head) + ")",
                                              writing_.Soon()));
  std::vector<std::pair<std::int64_t, std::int64_t>> events;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const RowReader row(rows, i);
    events.emplace_back(row.Number("old_id").value_or(0), row.Number("new_id").value_or(0));
  }
  return events;
}

void MergeLedger::Note(const TransactionHead& head, const RejectedPlaces& rejected,
                       const std::string& archive, std::int64_t now) {
  rows_ += (rows_.empty() ? "(" : ",(") + Key(head) + "," + QuoteLiteral(archive) + "," +
           std::to_string(now) + "," + QuoteLiteral(rejected.ToString()) + ")";
}

Status MergeLedger::Flush() {
  const std::string rows = std::exchange(rows_, "");
  if (rows.empty()) return Ok();
  return writing_.Write("INSERT INTO " + table() + " VALUES " + rows +
                        " ON DUPLICATE KEY UPDATE rejected=VALUES(rejected)");
}

}  // namespace pandora_ha
