#include "reconciler/mysql/merge_writers.h"

#include <algorithm>
#include <utility>

namespace pandora_ha {
namespace {

constexpr std::size_t kRowsAtOnce = 1000;
constexpr std::size_t kBytesAtOnce = 1 << 20;  // well below every max_allowed_packet

}  // namespace

Status DataWriter::Add(std::int64_t module, const std::string& value, std::int64_t second) {
  const bool first =
      rows_.insert(std::to_string(module) + "," + value + "," + std::to_string(second)).second;
  if (!first) ++counts_.already_there;
  if (first) bytes_ += value.size();
  return rows_.size() >= kRowsAtOnce || bytes_ >= kBytesAtOnce ? Flush() : Ok();
}

Status DataWriter::Flush() {
  const std::set<std::string> rows = std::exchange(rows_, {});
  bytes_ = 0;
  if (rows.empty()) return Ok();
  std::string list;
  for (const std::string& row : rows)
    list += (list.empty() ? "" : ",") + std::string(writing_.maria_db ? "(" : "ROW(") + row + ")";
  // Text byte by byte: a collation would take two texts for one.
  const std::string same =
      text_ ? "CAST(t.datos AS BINARY) <=> CAST(n.d AS BINARY)" : "t.datos <=> n.d";
  const std::string with = "WITH n(m,d,t) AS (VALUES " + list + ") SELECT ";
  const std::string rest = " FROM n WHERE NOT EXISTS (SELECT 1 FROM " + table_.name() +
                           " t WHERE t.id_agente_modulo=n.m AND t.utimestamp=n.t AND " + same + ")";
  std::uint64_t written = 0;
  if (writing_.dry_run) {
    PHA_ASSIGN_OR_RETURN(const Rows counted,
                         writing_.session.Query(with + "COUNT(*) AS c" + rest, writing_.Soon()));
    written = static_cast<std::uint64_t>(RowReader(counted, 0).Number("c").value_or(0));
  } else {
    PHA_ASSIGN_OR_RETURN(const Rows done,
                         writing_.session.Query("INSERT INTO " + table_.name() +
                                                    " (id_agente_modulo, datos, utimestamp) " +
                                                    with + "n.m, n.d, n.t" + rest,
                                                writing_.Soon()));
    written = done.matched;
  }
  counts_.merged += written;
  counts_.already_there += rows.size() - std::min<std::uint64_t>(written, rows.size());
  return Ok();
}

Status EventWriter::Add(const Row& row, std::int64_t agent, std::int64_t module,
                        std::int64_t old_id, const std::string& key) {
  PHA_ASSIGN_OR_RETURN(const MergeTable::InsertParts parts,
                       table_.Insert(row, {{"id_evento", ""},
                                           {"id_agente", std::to_string(agent)},
                                           {"id_agentmodule", std::to_string(module)}}));
  names_ = parts.names;
  values_ += (values_.empty() ? "(" : ",(") + parts.values + ")";
  waiting_.push_back({old_id, key});
  numbers_[old_id] = 0;
  const bool full = waiting_.size() >= kRowsAtOnce || values_.size() >= kBytesAtOnce;
  return full ? Flush() : Ok();
}

Status EventWriter::Flush() {
  const std::vector<Waiting> waiting = std::exchange(waiting_, {});
  const std::string values = std::exchange(values_, "");
  if (waiting.empty() || writing_.dry_run) return Ok();
  PHA_ASSIGN_OR_RETURN(const ResultSets done,
                       writing_.session.QueryAll("INSERT INTO " + table_.name() + " (" + names_ +
                                                     ") VALUES " + values +
                                                     "; SELECT LAST_INSERT_ID() AS first, "
                                                     "@@auto_increment_increment AS step",
                                                 writing_.Soon()));
  if (done.stopped_by) return *done.stopped_by;
  const RowReader told(done.tables.at(1), 0);
  const auto first = told.Number("first"), step = told.Number("step");
  if (!first || !step || done.tables.at(0).matched != waiting.size())
    return Error{ErrorCode::kInternal, "the server does not tell the numbers of the new events"};
  std::string ledger;
  std::int64_t next = *first;
  for (const Waiting& event : waiting) {
    ledger += (ledger.empty() ? "(" : ",(") + event.key + "," + std::to_string(event.old_id) + "," +
              std::to_string(next) + ")";
    numbers_[event.old_id] = next;
    next += *step;
  }
  return writing_.Write("INSERT INTO " + ledger_ + " VALUES " + ledger);
}

Result<std::int64_t> EventWriter::Number(std::int64_t old_id) {
  if (numbers_.at(old_id) == 0) PHA_TRY(Flush());
  return numbers_.at(old_id);
}

}  // namespace pandora_ha
