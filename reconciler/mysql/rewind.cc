#include "reconciler/mysql/rewind.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "reconciler/binlog/account.h"
#include "reconciler/binlog/archive.h"
#include "reconciler/model/own_tables.h"
#include "reconciler/mysql/dialect.h"
#include "reconciler/mysql/merge_tables.h"
#include "reconciler/mysql/quote.h"
#include "reconciler/mysql/rewind_tables.h"

namespace pandora_ha {
namespace {

constexpr std::size_t kBytesAtOnce = 256 * 1024;  // well below every max_allowed_packet
constexpr std::size_t kRowsAtOnce = 500;
constexpr std::size_t kStatementShown = 80;

struct OwnChange {
  TableName table;
  RowChange row;
};

// Everything that the node did by itself, in the order of its logs.
class OwnChanges final : public HistoryVisitor {
 public:
  OwnChanges(const OwnTransactions& which, std::size_t most_rows)
      : which_(which), most_rows_(most_rows) {}

  Result<bool> Begin(const TransactionHead& head) override {
    open_.clear();
    return which_.Holds(head);
  }
  Status Changed(const TableMap& table, const RowChange& change) override {
    const TableName name{table.schema, table.table};
    const auto& [known, added] = logged_.try_emplace(name, table);
    if (!added && known->second.columns != table.columns)
      return Error{ErrorCode::kUnsupported, "the columns of " + table.table + " changed meanwhile"};
    if (changes_.size() + open_.size() >= most_rows_) {
      return Error{ErrorCode::kUnsupported,
                   "it changed more than " + std::to_string(most_rows_) + " rows by itself"};
    }
    open_.push_back({name, change});
    return Ok();
  }
  Status Stated(std::string_view, std::string_view statement) override {
    return Error{ErrorCode::kUnsupported, "it executed a statement that no row change undoes: " +
                                              std::string(statement.substr(0, kStatementShown))};
  }
  Status Committed() override {
    ++transactions_;
    std::move(open_.begin(), open_.end(), std::back_inserter(changes_));
    open_.clear();
    return Ok();
  }

  std::uint64_t transactions() const { return transactions_; }
  const std::vector<OwnChange>& changes() const { return changes_; }
  const std::map<TableName, TableMap>& logged() const { return logged_; }

 private:
  const OwnTransactions& which_;
  const std::size_t most_rows_;
  std::uint64_t transactions_ = 0;
  std::vector<OwnChange> open_, changes_;
  std::map<TableName, TableMap> logged_;
};

class Rewinder {
 public:
  Rewinder(Session& node, const RewindOptions& options, const ArchiveManifest& manifest)
      : node_(node), options_(options), manifest_(manifest) {}

  Result<RewindReport> Run();

 private:
  Deadline Soon() const { return Deadline(SystemClock(), options_.patience); }
  Status Write(const std::string& sql) { return node_.Execute(sql, Soon()); }
  Status Prepare();
  Result<GtidSet> Executed();
  Result<bool> IsUndone();
  Result<RewindReport> Undo();
  Status UndoAll(const OwnChanges& own, const std::map<TableName, RewindTable>& tables);
  Status UndoPart(const std::string& sql, std::uint64_t rows);
  Status BeginLogsAnew(const GtidSet& kept);

  Session& node_;
  const RewindOptions& options_;
  const ArchiveManifest& manifest_;
  std::string ledger_;  // the table that says which transactions are undone already
};

Result<RewindReport> Rewinder::Run() {
  PHA_ASSIGN_OR_RETURN(const std::string schema, QuoteIdentifier(manifest_.schema));
  ledger_ = schema + ".`" + kRewoundTable + "`";
  PHA_TRY(Prepare());
  PHA_ASSIGN_OR_RETURN(const GtidSet executed, Executed());
  const GtidSet kept = executed.Subtract(manifest_.own);
  RewindReport report;
  if (kept != executed) {
    if (executed.Subtract(manifest_.known) != manifest_.own) {
      return Error{ErrorCode::kConflict,
                   "the node has executed other transactions than those of the archive"};
    }
    PHA_ASSIGN_OR_RETURN(const bool undone, IsUndone());
    if (!undone) {
      PHA_ASSIGN_OR_RETURN(report, Undo());
    }
    PHA_TRY(BeginLogsAnew(kept));
  }
  PHA_TRY(Write("DROP TABLE IF EXISTS " + ledger_));
  return report;
}

Status Rewinder::Prepare() {
  PHA_ASSIGN_OR_RETURN(
      const Rows rows,
      node_.Query("SELECT @@global.read_only AS closed, GET_LOCK('pandora_ha_rewind', 1) AS alone",
                  Soon()));
  const RowReader row(rows, 0);
  if (!row.True("closed")) return Error{ErrorCode::kConflict, "the node is not read-only"};
  if (!row.True("alone")) return Error{ErrorCode::kConflict, "it is being rewound already"};
  // Nothing of this is a transaction of the node. A value of 0 is one, not "the next number".
  return Write(
      "STOP ALL SLAVES; SET SESSION sql_log_bin=0, foreign_key_checks=0, "
      "sql_mode='NO_AUTO_VALUE_ON_ZERO'; "
      "CREATE TABLE IF NOT EXISTS " +
      ledger_ + " (own TEXT NOT NULL) ENGINE=InnoDB");
}

Result<GtidSet> Rewinder::Executed() {
  PHA_ASSIGN_OR_RETURN(
      const Rows rows,
      node_.Query("SELECT @@global.gtid_binlog_state AS s, @@global.gtid_slave_pos AS p", Soon()));
  const RowReader row(rows, 0);
  PHA_ASSIGN_OR_RETURN(const GtidSet logged, GtidSet::Parse(Flavor::kMariaDb, row.Text("s")));
  PHA_ASSIGN_OR_RETURN(const GtidSet applied, GtidSet::Parse(Flavor::kMariaDb, row.Text("p")));
  return logged.Union(applied);
}

// By the transactions, not by the archive: another archive may hold the same ones, and of rows that
// are there twice a second undoing would take one too many.
Result<bool> Rewinder::IsUndone() {
  PHA_ASSIGN_OR_RETURN(const Rows rows, node_.Query("SELECT own FROM " + ledger_, Soon()));
  if (rows.empty()) return false;
  if (rows.size() == 1 && RowReader(rows, 0).Text("own") == manifest_.own.ToString()) return true;
  return Error{ErrorCode::kUnsupported,
               "an earlier rewind of other transactions was not completed"};
}

Result<RewindReport> Rewinder::Undo() {
  const OwnTransactions which{manifest_.known, manifest_.own};
  OwnChanges own(which, options_.most_rows);
  HistoryReader reader(manifest_.flavor, own);
  std::vector<std::string> logs;
  for (const ArchivedFile& file : manifest_.files)
    logs.push_back(options_.archive + "/" + file.name);
  PHA_TRY(reader.ReadAll(logs));
  PHA_ASSIGN_OR_RETURN(const auto tables, ReadRewindTables(node_, own.logged(), Soon()));
  PHA_TRY(Write("BEGIN"));
  Status undone = UndoAll(own, tables);
  if (undone.ok())
    undone = Write("INSERT INTO " + ledger_ + " VALUES (" + QuoteLiteral(manifest_.own.ToString()) +
                   "); COMMIT");
  if (!undone.ok()) {
    if (!node_.broken()) (void)Write("ROLLBACK");
    return undone.error();
  }
  return RewindReport{own.transactions(), own.changes().size()};
}

Status Rewinder::UndoAll(const OwnChanges& own, const std::map<TableName, RewindTable>& tables) {
  std::string sql;
  std::uint64_t rows = 0, done = 0;
  const auto& changes = own.changes();
  for (auto change = changes.rbegin(); change != changes.rend(); ++change) {
    PHA_ASSIGN_OR_RETURN(const std::string undo, tables.at(change->table).Undo(change->row));
    sql += undo + "; SET @undone=@undone+ROW_COUNT(); ";
    ++rows;
    if (rows < kRowsAtOnce && sql.size() < kBytesAtOnce && std::next(change) != changes.rend())
      continue;
    PHA_TRY(UndoPart(sql, rows));
    done += std::exchange(rows, 0);
    sql.clear();
    if (options_.progress) options_.progress(done, changes.size());
  }
  return Ok();
}

Status Rewinder::UndoPart(const std::string& sql, std::uint64_t rows) {
  PHA_ASSIGN_OR_RETURN(const ResultSets answers,
                       node_.QueryAll("SET @undone=0; " + sql + "SELECT @undone AS n", Soon()));
  if (answers.stopped_by) {
    return Error{ErrorCode::kUnsupported,
                 "a change could not be undone: " + answers.stopped_by->message};
  }
  const auto undone = RowReader(answers.tables.back(), 0).Number("n");
  if (undone == static_cast<std::int64_t>(rows)) return Ok();
  return Error{ErrorCode::kUnsupported, "a row is not as its binary log left it"};
}

// The channel has stopped at what is undone now, and would not go on by itself. The position first:
// a crash before the last statement then leaves a node that knows what it has, or that still says
// that it diverged.
Status Rewinder::BeginLogsAnew(const GtidSet& kept) {
  PHA_TRY(Write("RESET SLAVE ALL; SET GLOBAL gtid_strict_mode=0; SET GLOBAL gtid_slave_pos=" +
                QuoteLiteral(MariaDbPosition(kept))));
  PHA_TRY(Write("RESET MASTER"));
  return Write("SET GLOBAL gtid_binlog_state=" + QuoteLiteral(kept.ToString()) +
               "; SET GLOBAL gtid_strict_mode=1");
}

}  // namespace

Result<RewindReport> RewindNode(Session& node, const RewindOptions& options) {
  PHA_TRY(VerifyArchive(options.archive));
  PHA_ASSIGN_OR_RETURN(const ArchiveManifest manifest, ReadManifest(options.archive));
  if (manifest.flavor != Flavor::kMariaDb)
    return Error{ErrorCode::kUnsupported, "only MariaDB can be rewound"};
  return Rewinder(node, options, manifest).Run();
}

}  // namespace pandora_ha
