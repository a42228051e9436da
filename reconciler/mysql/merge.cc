#include "reconciler/mysql/merge.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "reconciler/binlog/account.h"
#include "reconciler/binlog/archive.h"
#include "reconciler/model/own_tables.h"
#include "reconciler/mysql/merge_identity.h"
#include "reconciler/mysql/merge_ledger.h"
#include "reconciler/mysql/merge_tables.h"
#include "reconciler/mysql/merge_writers.h"
#include "reconciler/mysql/quote.h"

namespace pandora_ha {
namespace {

constexpr int kLockSeconds = 5;
constexpr std::int64_t kDay = 86400;

const std::vector<std::string>& TablesAsked() {
  static const std::vector<std::string> kNames = {
      "tagente", "tagente_modulo", "tagente_datos",  "tagente_datos_string",
      "tevento", "tevent_comment", "tevent_extended"};
  return kNames;
}

std::int64_t InSeconds(WallTime time) {
  return std::chrono::duration_cast<Seconds>(time.time_since_epoch()).count();
}

struct Change {
  std::string schema, table;
  std::string why_other;  // its columns are not those of the primary
  RowChange row;
};

// The number that the node gave it.
std::int64_t OldEvent(const MergeTable& table, const RowChange& change) {
  const bool gone = change.kind == RowChange::Kind::kDelete;
  return table.Number(gone ? change.before : change.after, "id_evento").value_or(0);
}

class Merger final : public HistoryVisitor {
 public:
  Merger(Session& session, const MergeOptions& options, const ArchiveManifest& manifest,
         const OwnTransactions& which, const std::map<std::string, MergeTable>& tables,
         Identities& identities)
      : session_(session),
        options_(options),
        manifest_(manifest),
        which_(which),
        tables_(tables),
        identities_(identities),
        writing_{session, options.dry_run, options.patience,
                 session.server_version().find("MariaDB") != std::string::npos},
        schema_(*QuoteIdentifier(manifest.schema)),
        data_(writing_, tables.at("tagente_datos"), false),
        texts_(writing_, tables.at("tagente_datos_string"), true),
        ledger_(writing_, manifest.schema, schema_),
        events_(writing_, tables.at("tevento"), ledger_.events_table()) {}

  Status Prepare();
  Result<bool> Begin(const TransactionHead& head) override;
  Status Changed(const TableMap& table, const RowChange& change) override;
  Status Stated(std::string_view, std::string_view) override;
  Status Committed() override;
  // What is still open.
  Status Finish();
  const MergeReport& report() const { return report_; }

 private:
  Deadline Soon() const { return Deadline(SystemClock(), options_.patience); }
  Status ReadLimits();
  Status CheckPrimary();
  Status OpenGroup();
  Status CloseGroup();
  Status RecallEvents();
  Status Apply(std::size_t place);
  // An earlier merge has dealt with it for good.
  void PassOver(const Change& change, MergedTable& count);
  // Each gives the reason for leaving the change out, or nothing.
  Result<std::string> ApplyTo(const MergeTable& table, const Change& change, MergedTable& count);
  Result<std::string> ApplyData(const MergeTable& table, const Change& change);
  Result<std::string> ApplyEvent(const MergeTable& table, const Change& change, MergedTable& count);
  Result<std::string> ApplyPartOfEvent(const MergeTable& table, const Change& change,
                                       MergedTable& count);
  Result<Identity> EventOnPrimary(std::int64_t id);
  // Empty: it may be added.
  std::string WhyLeftOut(const std::string& table, std::int64_t utimestamp) const;
  Status Write(const std::string& sql) { return writing_.Write(sql); }

  Session& session_;
  const MergeOptions& options_;
  const ArchiveManifest& manifest_;
  const OwnTransactions& which_;
  const std::map<std::string, MergeTable>& tables_;
  Identities& identities_;
  const MergeWriting writing_;
  const std::string schema_;
  DataWriter data_, texts_;
  MergeLedger ledger_;
  EventWriter events_;
  std::map<std::string, std::int64_t> days_;  // limits of the primary's purge, by table
  MergeReport report_, group_report_;
  TransactionHead head_;
  std::vector<Change> changes_;  // of the transaction that is being told
  bool brought_ = false;         // it was a merge: these are another node's rows
  std::uint64_t statements_ = 0;
  std::set<std::int64_t> made_events_;       // by the node itself, merged or not
  std::string events_unreadable_;            // why it is not known which the node made
  const RejectedPlaces* earlier_ = nullptr;  // what an earlier merge left of the transaction
  RejectedPlaces rejected_;                  // of the transaction, by this one
  std::size_t rows_in_group_ = 0;
  bool group_open_ = false;
};

Status Merger::Prepare() {
  PHA_TRY(CheckPrimary());
  // Its reads must not keep Pandora from adding rows.
  PHA_TRY(session_.Execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", Soon()));
  PHA_TRY(ReadLimits());
  return ledger_.Open();
}

// What is older, the primary's own maintenance has deleted, and would delete again.
Status Merger::ReadLimits() {
  const auto rows =
      session_.Query("SELECT token, value FROM " + schema_ +
                         ".`tconfig` WHERE token IN ('days_purge','string_purge','event_purge')",
                     Soon());
  if (!rows.ok() && rows.error().number == 1146) return Ok();
  if (!rows.ok()) return rows.error();
  static const std::map<std::string, std::string> kTables = {
      {"days_purge", "tagente_datos"},
      {"string_purge", "tagente_datos_string"},
      {"event_purge", "tevento"}};
  for (std::size_t i = 0; i < rows->size(); ++i) {
    const RowReader row(*rows, i);
    const auto days = row.Number("value");
    const auto table = kTables.find(row.Text("token"));
    if (days && *days > 0 && table != kTables.end()) days_[table->second] = *days;
  }
  return Ok();
}

std::string Merger::WhyLeftOut(const std::string& table, std::int64_t utimestamp) const {
  if (brought_) return "a merge of another node's archive brought it there: merge that archive";
  const WallTime at{Seconds(utimestamp)};
  if (options_.since && at < *options_.since)
    return "before " + FormatWallTime(*options_.since) + ", which was asked for as the first";
  if (options_.until && at >= *options_.until)
    return "not before " + FormatWallTime(*options_.until) + ", which was asked for as the end";
  const auto days = days_.find(table);
  const std::int64_t now = InSeconds(options_.now);
  if (days == days_.end() || utimestamp >= now - days->second * kDay) return "";
  return "older than the " + std::to_string(days->second) + " days that the primary keeps";
}

Result<bool> Merger::Begin(const TransactionHead& head) {
  changes_.clear();
  statements_ = 0;
  brought_ = false;
  if (!which_.Holds(head)) return false;
  head_ = head;
  return true;
}

Status Merger::Changed(const TableMap& table, const RowChange& change) {
  if (table.schema == manifest_.schema && IsOwnTable(table.table)) {
    brought_ = brought_ || table.table == kMergedTable;
    return Ok();
  }
  const auto found = tables_.find(table.table);
  const bool asked = table.schema == manifest_.schema && found != tables_.end();
  changes_.push_back(
      {table.schema, table.table, asked ? found->second.WhyOther(table) : "", change});
  return Ok();
}

Status Merger::Stated(std::string_view, std::string_view) {
  ++statements_;
  return Ok();
}

Status Merger::Committed() {
  ++group_report_.transactions;
  group_report_.statements += statements_;
  earlier_ = ledger_.Before(head_);
  rejected_ = {};
  const bool something_to_do = !changes_.empty() && (earlier_ == nullptr || !earlier_->empty());
  if (something_to_do) PHA_TRY(OpenGroup());
  if (earlier_ != nullptr) PHA_TRY(RecallEvents());
  for (std::size_t place = 0; place < changes_.size(); ++place) PHA_TRY(Apply(place));
  if (something_to_do) ledger_.Note(head_, rejected_, manifest_.id, InSeconds(options_.now));
  rows_in_group_ += changes_.size() + 1;
  if (options_.progress) options_.progress(report_.transactions + group_report_.transactions);
  return rows_in_group_ >= options_.rows_a_group ? CloseGroup() : Ok();
}

// An earlier run has merged it; later transactions may speak of its events.
Status Merger::RecallEvents() {
  const bool events = std::any_of(changes_.begin(), changes_.end(),
                                  [](const Change& change) { return change.table == "tevento"; });
  if (!events) return Ok();
  PHA_ASSIGN_OR_RETURN(const auto numbers, ledger_.EventsOf(head_));
  for (const auto& [old_id, new_id] : numbers) events_.Know(old_id, new_id);
  return Ok();
}

Status Merger::CheckPrimary() {
  PHA_ASSIGN_OR_RETURN(const Rows rows,
                       session_.Query("SELECT (SELECT epoch FROM " + schema_ +
                                          ".`pandora_ha_heartbeat` WHERE id=1) AS epoch, "
                                          "CAST(@@global.read_only AS CHAR) IN ('0','OFF') AS open",
                                      Soon()));
  const RowReader row(rows, 0);
  if (row.True("open") && row.Number("epoch") == static_cast<std::int64_t>(options_.epoch.number))
    return Ok();
  return Error{ErrorCode::kConflict, "the server is not the open primary of epoch " +
                                         std::to_string(options_.epoch.number) +
                                         " any more; run it again"};
}

Status Merger::OpenGroup() {
  if (group_open_) return Ok();
  PHA_TRY(Write("BEGIN"));
  group_open_ = true;
  return CheckPrimary();
}

Status Merger::CloseGroup() {
  PHA_TRY(events_.Flush());
  for (const auto& [writer, name] :
       {std::pair{&data_, "tagente_datos"}, std::pair{&texts_, "tagente_datos_string"}}) {
    PHA_TRY(writer->Flush());
    const DataWriter::Counts counts = writer->Take();
    if (counts.merged + counts.already_there == 0) continue;
    group_report_.tables[name].merged += counts.merged;
    group_report_.tables[name].already_there += counts.already_there;
  }
  PHA_TRY(ledger_.Flush());
  // An account that may write to a read-only server is not stopped by a switchover.
  if (group_open_) {
    PHA_TRY(CheckPrimary());
    PHA_TRY(Write("COMMIT"));
    PHA_TRY(CheckPrimary());
  }
  group_open_ = false;
  rows_in_group_ = 0;
  report_.transactions += group_report_.transactions;
  report_.statements += group_report_.statements;
  for (const auto& [name, count] : group_report_.tables) {
    MergedTable& sum = report_.tables[name];
    sum.diverged += count.diverged;
    sum.merged += count.merged;
    sum.already_there += count.already_there;
    for (const auto& [reason, rows] : count.rejected) sum.rejected[reason] += rows;
  }
  group_report_ = {};
  return Ok();
}

Status Merger::Finish() {
  return CloseGroup();
}

void Merger::PassOver(const Change& change, MergedTable& count) {
  ++count.already_there;
  if (change.table == "tevento" && change.row.kind == RowChange::Kind::kDelete)
    events_.Forget(OldEvent(tables_.at("tevento"), change.row));
}

Status Merger::Apply(std::size_t place) {
  const Change& change = changes_[place];
  const bool ours = change.schema == manifest_.schema;
  const auto found = tables_.find(change.table);
  const bool merged = ours && found != tables_.end() && change.table != "tagente" &&
                      change.table != "tagente_modulo";
  MergedTable& count =
      group_report_.tables[ours ? change.table : change.schema + "." + change.table];
  ++count.diverged;
  if (!merged) {
    ++count.rejected["tables of this kind are not merged"];  // and never will be
    return Ok();
  }
  if (change.table == "tevento" && change.why_other.empty() &&
      change.row.kind == RowChange::Kind::kInsert)
    made_events_.insert(OldEvent(found->second, change.row));
  if (earlier_ != nullptr && !earlier_->Contains(place)) {
    PassOver(change, count);
    return Ok();
  }
  const auto why = ApplyTo(found->second, change, count);
  // A value that cannot be read is one row's matter.
  if (!why.ok() && why.error().code != ErrorCode::kUnsupported) return why.error();
  const std::string& reason = why.ok() ? *why : why.error().message;
  if (reason.empty()) return Ok();
  ++count.rejected[reason];
  rejected_.Add(place);
  return Ok();
}

Result<std::string> Merger::ApplyTo(const MergeTable& table, const Change& change,
                                    MergedTable& count) {
  if (!change.why_other.empty()) {
    if (change.table == "tevento") events_unreadable_ = change.why_other;
    return change.why_other;
  }
  if (change.table.starts_with("tagente_datos")) return ApplyData(table, change);
  if (change.table == "tevento") return ApplyEvent(table, change, count);
  return ApplyPartOfEvent(table, change, count);
}

// The writer counts what it writes.
Result<std::string> Merger::ApplyData(const MergeTable& table, const Change& change) {
  if (change.row.kind != RowChange::Kind::kInsert)
    return std::string("a row that was there is changed or deleted");
  const Row& row = change.row.after;
  const std::int64_t at = table.Number(row, "utimestamp").value_or(0);
  if (std::string why = WhyLeftOut(change.table, at); !why.empty()) return why;
  PHA_ASSIGN_OR_RETURN(const Identity module,
                       identities_.Module(table.Number(row, "id_agente_modulo").value_or(0)));
  if (!module.why_none.empty()) return module.why_none;
  const auto datos = table.Find("datos");
  if (!datos) return Error{ErrorCode::kUnsupported, table.name() + " has no column datos"};
  PHA_ASSIGN_OR_RETURN(const std::string value, table.Literal(row, *datos));
  PHA_TRY((change.table == "tagente_datos" ? data_ : texts_).Add(module.id, value, at));
  return std::string();
}

Result<std::string> Merger::ApplyEvent(const MergeTable& table, const Change& change,
                                       MergedTable& count) {
  const RowChange::Kind kind = change.row.kind;
  const Row& row = change.row.after;
  const std::int64_t old_id = OldEvent(table, change.row);
  if (kind != RowChange::Kind::kInsert && !events_.Knows(old_id))
    return std::string("an event that both sides had, or that was not merged, is changed");
  if (kind == RowChange::Kind::kDelete) {
    ++count.merged;
    PHA_ASSIGN_OR_RETURN(const std::int64_t number, events_.Number(old_id));
    events_.Forget(old_id);
    PHA_TRY(Write("DELETE FROM " + table.name() + " WHERE id_evento=" + std::to_string(number)));
    return std::string();
  }
  if (std::string why = WhyLeftOut(change.table, table.Number(row, "utimestamp").value_or(0));
      !why.empty())
    return why;
  PHA_ASSIGN_OR_RETURN(const Identity agent,
                       identities_.Agent(table.Number(row, "id_agente").value_or(0)));
  PHA_ASSIGN_OR_RETURN(const Identity module,
                       identities_.Module(table.Number(row, "id_agentmodule").value_or(0)));
  if (!agent.why_none.empty()) return agent.why_none;
  if (!module.why_none.empty()) return module.why_none;
  if (kind == RowChange::Kind::kInsert) {
    PHA_TRY(events_.Add(row, agent.id, module.id, old_id, MergeLedger::Key(head_)));
    ++count.merged;
    return std::string();
  }
  PHA_ASSIGN_OR_RETURN(const std::int64_t number, events_.Number(old_id));
  PHA_ASSIGN_OR_RETURN(const std::string sql,
                       table.Update(row,
                                    {{"id_evento", ""},
                                     {"id_agente", std::to_string(agent.id)},
                                     {"id_agentmodule", std::to_string(module.id)}},
                                    "id_evento=" + std::to_string(number)));
  ++count.merged;
  PHA_TRY(Write(sql));
  return std::string();
}

// A number that the node gave out may be another event's on the primary.
Result<Identity> Merger::EventOnPrimary(std::int64_t id) {
  if (!events_unreadable_.empty())
    return Identity{0, "its event cannot be read: " + events_unreadable_};
  if (events_.Knows(id)) {
    PHA_ASSIGN_OR_RETURN(const std::int64_t number, events_.Number(id));
    return Identity{number, ""};
  }
  if (made_events_.contains(id)) return Identity{0, "its event was not merged"};
  PHA_ASSIGN_OR_RETURN(const Rows rows, session_.Query("SELECT id_evento AS id FROM " +
                                                           tables_.at("tevento").name() +
                                                           " WHERE id_evento=" + std::to_string(id),
                                                       Soon()));
  if (rows.empty()) return Identity{0, "its event is not on the primary"};
  return Identity{id, ""};
}

Result<std::string> Merger::ApplyPartOfEvent(const MergeTable& table, const Change& change,
                                             MergedTable& count) {
  if (change.row.kind != RowChange::Kind::kInsert)
    return std::string("a row that was there is changed or deleted");
  const Row& row = change.row.after;
  if (const auto at = table.Number(row, "utimestamp")) {
    if (std::string why = WhyLeftOut(change.table, *at); !why.empty()) return why;
  }
  const std::string column = change.table == "tevent_comment" ? "id_event" : "id_evento";
  PHA_ASSIGN_OR_RETURN(const Identity event, EventOnPrimary(table.Number(row, column).value_or(0)));
  if (!event.why_none.empty()) return event.why_none;
  PHA_ASSIGN_OR_RETURN(const MergeTable::InsertParts parts,
                       table.Insert(row, {{"id", ""}, {column, std::to_string(event.id)}}));
  ++count.merged;
  PHA_TRY(Write("INSERT INTO " + table.name() + " (" + parts.names + ") VALUES (" + parts.values +
                ")"));
  return std::string();
}

// Pandora's maintenance asks for these names and stays away while somebody has one.
Status TakeLocks(Session& session, const std::string& schema, Deadline deadline) {
  std::string sql;
  for (const std::string& name :
       {"pandora_ha_merge:" + schema.substr(0, 47), std::string("merge-working"),
        std::string("merging-events"), (schema + "_pandora_db").substr(0, 64)}) {
    sql += (sql.empty() ? "SELECT " : " + ") + ("COALESCE(GET_LOCK(" + QuoteLiteral(name) + "," +
                                                std::to_string(kLockSeconds) + "),0)");
  }
  PHA_ASSIGN_OR_RETURN(const Rows rows, session.Query(sql + " AS held", deadline));
  if (RowReader(rows, 0).Number("held") == 4) return Ok();
  return Error{ErrorCode::kConflict,
               "another merge, or Pandora's own maintenance (pandora_db), is at work; try again "
               "when it is over"};
}

}  // namespace

Result<MergeReport> MergeArchive(Session& primary, const MergeOptions& options) {
  PHA_TRY(VerifyArchive(options.archive));
  PHA_ASSIGN_OR_RETURN(const ArchiveManifest manifest, ReadManifest(options.archive));
  const auto soon = [&] {
    return Deadline(SystemClock(), options.patience + Seconds(4 * kLockSeconds));
  };
  PHA_TRY(QuoteIdentifier(manifest.schema));
  PHA_TRY(TakeLocks(primary, manifest.schema, soon()));
  PHA_ASSIGN_OR_RETURN(const auto tables,
                       ReadMergeTables(primary, manifest.schema, TablesAsked(), soon()));
  const auto read = [&](HistoryVisitor& visitor) -> Status {
    HistoryReader reader(manifest.flavor, visitor);
    std::vector<std::string> logs;
    for (const ArchivedFile& file : manifest.files)
      logs.push_back(options.archive + "/" + file.name);
    return reader.ReadAll(logs);
  };
  const OwnTransactions which{manifest.known, manifest.own};
  OwnIdentities own(which, manifest.schema, tables.at("tagente"), tables.at("tagente_modulo"));
  PHA_TRY(read(own));
  Identities identities(primary, own, tables.at("tagente"), tables.at("tagente_modulo"),
                        options.patience);
  Merger merger(primary, options, manifest, which, tables, identities);
  const auto merge = [&]() -> Status {
    PHA_TRY(merger.Prepare());
    PHA_TRY(read(merger));
    return merger.Finish();
  };
  const Status merged = merge();
  // The group that is open is taken back; the locks go with the names.
  if (!primary.broken()) {
    const Status tidied = primary.Execute("ROLLBACK; DO RELEASE_ALL_LOCKS()", soon());
    if (merged.ok() && !tidied.ok()) return tidied.error();
  }
  if (!merged.ok()) return merged.error();
  return merger.report();
}

}  // namespace pandora_ha
