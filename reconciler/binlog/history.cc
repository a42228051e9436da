#include "reconciler/binlog/history.h"

#include <array>
#include <cstdio>
#include <utility>

namespace pandora_ha {
namespace {

constexpr std::size_t kMostColumns = 4096;

std::string Uuid(std::string_view bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    std::array<char, 3> hex{};
    std::snprintf(hex.data(), hex.size(), "%02x", static_cast<unsigned char>(bytes[i]));
    text += hex.data();
  }
  return text;
}

Error Unsupported(const std::string& what, const std::string& setting) {
  return {ErrorCode::kUnsupported,
          "the binary log holds " + what + ", which this version does not read (" + setting + ")"};
}

Error TooShort(const std::string& what) {
  return {ErrorCode::kInvalid, what + " in the binary log ends too early"};
}

bool Bit(std::string_view bits, std::size_t index) {
  return (static_cast<unsigned char>(bits[index / 8]) >> (index % 8) & 1) != 0;
}

Result<Row> ReadRow(Cursor& bytes, const TableMap& table, std::string_view present) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < table.columns.size(); ++i) count += Bit(present, i) ? 1 : 0;
  const std::string_view nulls = bytes.Take((count + 7) / 8);
  if (count == 0) return Error{ErrorCode::kInvalid, "a row without columns in the binary log"};
  if (bytes.Failed()) return TooShort("a row");
  Row row(table.columns.size());
  std::size_t index = 0;
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (!Bit(present, i)) continue;
    if (Bit(nulls, index++)) {
      row[i] = Null{};
      continue;
    }
    auto value = ReadValue(bytes, table.columns[i]);
    if (!value.ok()) return value.error();
    row[i] = *std::move(value);
  }
  if (bytes.Failed()) return TooShort("a row");
  return row;
}

// Settings of statements, texts of statements beside their rows, the server's own book-keeping.
bool IsHarmless(EventType type) {
  switch (static_cast<int>(type)) {
    case 5:    // INTVAR
    case 13:   // RAND
    case 14:   // USER_VAR
    case 27:   // HEARTBEAT
    case 28:   // IGNORABLE
    case 29:   // ROWS_QUERY
    case 36:   // TRANSACTION_CONTEXT
    case 37:   // VIEW_CHANGE
    case 41:   // HEARTBEAT_V2
    case 160:  // ANNOTATE_ROWS
    case 161:  // BINLOG_CHECKPOINT
      return true;
    default:
      return false;
  }
}

bool BeginsWith(std::string_view text, std::string_view word) {
  return text.substr(0, word.size()) == word;
}

}  // namespace

Status HistoryReader::ReadAll(const std::vector<std::string>& paths) {
  for (std::size_t i = 0; i < paths.size(); ++i) PHA_TRY(Read(paths[i], i + 1 == paths.size()));
  return Ok();
}

Status HistoryReader::Read(const std::string& path, bool last) {
  PHA_ASSIGN_OR_RETURN(BinlogFile file, BinlogFile::Open(path));
  open_ = wanted_ = false;
  tables_.clear();
  unwanted_.clear();
  for (;;) {
    PHA_ASSIGN_OR_RETURN(const auto event, file.Next());
    if (!event) break;
    if (const Status taken = Take(*event); !taken.ok()) {
      return Error{taken.error().code, path + " before " + std::to_string(file.position()) + ": " +
                                           taken.error().message};
    }
  }
  if (last || (!file.torn() && !open_)) return Ok();
  return Error{ErrorCode::kInvalid, path + " at " + std::to_string(file.position()) +
                                        ": it ends in the middle of something, and later logs "
                                        "follow"};
}

Status HistoryReader::Take(const BinlogEvent& event) {
  switch (event.type) {
    case EventType::kGtid:
      return BeginMySql(event);
    case EventType::kMariaGtid:
      return BeginMariaDb(event);
    case EventType::kXid:
      return Commit();
    case EventType::kQuery:
      return TakeQuery(event);
    case EventType::kTableMap:
      return TakeTableMap(event);
    case EventType::kWriteRowsV1:
    case EventType::kWriteRows:
      return TakeRows(event, RowChange::Kind::kInsert, event.type == EventType::kWriteRows);
    case EventType::kUpdateRowsV1:
    case EventType::kUpdateRows:
      return TakeRows(event, RowChange::Kind::kUpdate, event.type == EventType::kUpdateRows);
    case EventType::kDeleteRowsV1:
    case EventType::kDeleteRows:
      return TakeRows(event, RowChange::Kind::kDelete, event.type == EventType::kDeleteRows);
    case EventType::kBeginLoadQuery:
    case EventType::kExecuteLoadQuery:
      return wanted_ ? visitor_.Stated("", "LOAD DATA") : Ok();
    case EventType::kXaPrepare:
      if (wanted_) return Unsupported("XA transactions", "XA PREPARE");
      return Commit();
    case EventType::kAnonymousGtid:
      return Unsupported("transactions without a name", "gtid_mode");
    case EventType::kIncident:
      return Unsupported("a gap that the server itself reports", "an incident event");
    case EventType::kPartialUpdateRows:
      return Unsupported("partial updates of JSON", "binlog_row_value_options");
    case EventType::kTransactionPayload:
      return Unsupported("compressed transactions", "binlog_transaction_compression");
    case EventType::kTaggedGtid:
      return Unsupported("tagged transactions", "gtid_next = 'AUTOMATIC:tag'");
    case EventType::kMariaStartEncryption:
      return Unsupported("encrypted events", "encrypt_binlog");
    case EventType::kMariaQueryCompressed:
    case EventType::kMariaRowsCompressedFirst:
    case EventType::kMariaRowsCompressedLast:
      return Unsupported("compressed events", "log_bin_compress");
    case EventType::kStop:
    case EventType::kRotate:
    case EventType::kFormatDescription:
    case EventType::kPreviousGtids:
    case EventType::kMariaGtidList:
      return Ok();
  }
  if (event.type > EventType::kMariaRowsCompressedFirst &&
      event.type < EventType::kMariaRowsCompressedLast)
    return Unsupported("compressed events", "log_bin_compress");
  if (!wanted_ || event.ignorable || IsHarmless(event.type)) return Ok();
  return Unsupported("an event of type " + std::to_string(static_cast<int>(event.type)),
                     "a newer server");
}

Status HistoryReader::Begin(TransactionHead head) {
  PHA_ASSIGN_OR_RETURN(wanted_, visitor_.Begin(head));
  open_ = true;
  tables_.clear();
  unwanted_.clear();
  return Ok();
}

Status HistoryReader::Commit() {
  const bool told = std::exchange(open_, false) && std::exchange(wanted_, false);
  return told ? visitor_.Committed() : Ok();
}

Status HistoryReader::BeginMySql(const BinlogEvent& event) {
  Cursor body(event.body);
  body.Skip(1);  // flags
  const std::string source = Uuid(body.Take(16));
  const std::uint64_t number = body.Little(8);
  if (body.Failed()) return TooShort("a transaction's name");
  auto gtid = GtidSet::Parse(flavor_, source + ":" + std::to_string(number));
  if (!gtid.ok()) return gtid.error();
  standalone_ = true;  // until a BEGIN says otherwise
  return Begin({*std::move(gtid), WallTime(Seconds(event.timestamp))});
}

// Its set stands for all numbers of this writer up to the one that is named, as everywhere.
Status HistoryReader::BeginMariaDb(const BinlogEvent& event) {
  constexpr std::uint64_t kStandalone = 1;
  Cursor body(event.body);
  const std::uint64_t number = body.Little(8);
  const std::uint64_t domain = body.Little(4);
  const std::uint64_t flags = body.Little(1);
  if (body.Failed()) return TooShort("a transaction's name");
  auto gtid =
      GtidSet::Parse(flavor_, std::to_string(domain) + "-" + std::to_string(event.server_id) + "-" +
                                  std::to_string(number));
  if (!gtid.ok()) return gtid.error();
  standalone_ = (flags & kStandalone) != 0;
  return Begin({*std::move(gtid), WallTime(Seconds(event.timestamp))});
}

Status HistoryReader::TakeQuery(const BinlogEvent& event) {
  Cursor body(event.body);
  body.Skip(4 + 4);  // session, duration
  const std::uint64_t schema_length = body.Little(1);
  body.Skip(2);  // error
  const std::uint64_t variables = body.Little(2);
  body.Skip(variables);
  const std::string_view schema = body.Take(schema_length);
  body.Skip(1);
  if (body.Failed()) return TooShort("a statement");
  const std::string_view text = body.Rest();
  if (!open_) return Ok();
  if (text == "BEGIN") {
    standalone_ = false;
    return Ok();
  }
  if (text == "COMMIT") return Commit();
  if (text == "ROLLBACK") {
    if (wanted_)
      return Unsupported("a transaction that was rolled back", "tables without transactions");
    open_ = false;
    return Ok();
  }
  if (BeginsWith(text, "SAVEPOINT ")) return Ok();
  if (BeginsWith(text, "XA ")) {
    if (wanted_) return Unsupported("XA transactions", "XA START");
    return Ok();
  }
  if (wanted_) PHA_TRY(visitor_.Stated(schema, text));
  return standalone_ ? Commit() : Ok();
}

Status HistoryReader::TakeTableMap(const BinlogEvent& event) {
  if (!wanted_) return Ok();
  Cursor body(event.body);
  const std::uint64_t id = body.Little(6);
  body.Skip(2);  // flags
  TableMap table;
  table.schema = body.Take(body.Little(1));
  body.Skip(1);
  table.table = body.Take(body.Little(1));
  body.Skip(1);
  const std::string_view types = body.Take(body.Packed());
  if (types.size() > kMostColumns)
    return Error{ErrorCode::kInvalid, "a table of more columns than a server allows"};
  const Cursor meta(body.Take(body.Packed()));
  if (body.Failed()) return TooShort("a table's description");
  PHA_ASSIGN_OR_RETURN(table.columns, ReadColumnTypes(types, meta));
  unwanted_.erase(id);
  if (!visitor_.Wants(table)) {
    unwanted_.insert(id);
    return Ok();
  }
  tables_[id] = std::move(table);
  return Ok();
}

Status HistoryReader::TakeRows(const BinlogEvent& event, RowChange::Kind kind,
                               bool second_version) {
  if (!wanted_) return Ok();
  constexpr std::uint64_t kEndOfStatement = 1;
  Cursor body(event.body);
  const std::uint64_t id = body.Little(6);
  if (unwanted_.contains(id)) return Ok();
  const auto table = tables_.find(id);
  const std::uint64_t flags = body.Little(2);
  if (second_version) {
    const std::uint64_t more = body.Little(2);  // counts itself
    body.Skip(more < 2 ? body.Left() + 1 : more - 2);
  }
  const std::uint64_t columns = body.Packed();
  const std::string_view before = body.Take((columns + 7) / 8);
  const bool two = kind == RowChange::Kind::kUpdate;
  const std::string_view after = two ? body.Take((columns + 7) / 8) : before;
  if (body.Failed()) return TooShort("a change of rows");
  if (table == tables_.end() || table->second.columns.size() != columns)
    return Error{ErrorCode::kInvalid, "rows of a table that the binary log does not describe"};
  while (body.Left() > 0) {
    RowChange change;
    change.kind = kind;
    if (kind != RowChange::Kind::kInsert) {
      PHA_ASSIGN_OR_RETURN(change.before, ReadRow(body, table->second, before));
    }
    if (kind != RowChange::Kind::kDelete) {
      PHA_ASSIGN_OR_RETURN(change.after, ReadRow(body, table->second, after));
    }
    PHA_TRY(visitor_.Changed(table->second, change));
  }
  if ((flags & kEndOfStatement) != 0) tables_.clear();
  return Ok();
}

Result<GtidSet> HistoryBefore(Flavor flavor, const std::string& path) {
  PHA_ASSIGN_OR_RETURN(BinlogFile file, BinlogFile::Open(path));
  for (;;) {
    PHA_ASSIGN_OR_RETURN(const auto event, file.Next());
    if (!event) break;
    Cursor body(event->body);
    std::string text;
    if (event->type == EventType::kPreviousGtids) {
      const std::uint64_t sources = body.Little(8);
      // The highest byte tells the tagged form, whose count has another place.
      if (sources >> 56 != 0) return Unsupported("tagged transactions", "gtid_next");
      for (std::uint64_t i = 0; i < sources && !body.Failed(); ++i) {
        const std::string source = Uuid(body.Take(16));
        const std::uint64_t ranges = body.Little(8);
        text += (text.empty() ? "" : ",") + source;
        for (std::uint64_t range = 0; range < ranges && !body.Failed(); ++range) {
          const std::uint64_t first = body.Little(8);
          text += ":" + std::to_string(first) + "-" + std::to_string(body.Little(8) - 1);
        }
      }
    } else if (event->type == EventType::kMariaGtidList) {
      const std::uint64_t count = body.Little(4) & 0x0fffffff;  // flags above
      for (std::uint64_t i = 0; i < count && !body.Failed(); ++i) {
        const std::uint64_t domain = body.Little(4), server = body.Little(4);
        text += (text.empty() ? "" : ",") + std::to_string(domain) + "-" + std::to_string(server) +
                "-" + std::to_string(body.Little(8));
      }
    } else {
      continue;
    }
    if (body.Failed()) return TooShort("the list of earlier transactions");
    return GtidSet::Parse(flavor, text);
  }
  return Error{ErrorCode::kInvalid, path + " does not tell which transactions came before it"};
}

}  // namespace pandora_ha
