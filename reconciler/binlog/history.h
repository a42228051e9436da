// What a server's binary logs say happened, transaction by transaction.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "reconciler/base/clock.h"
#include "reconciler/base/result.h"
#include "reconciler/binlog/binlog_file.h"
#include "reconciler/binlog/value.h"
#include "reconciler/model/gtid.h"
#include "reconciler/model/ids.h"

namespace pandora_ha {

struct TransactionHead {
  GtidSet gtid;   // of this one transaction
  WallTime at{};  // by the writing server's clock, whole seconds
};

struct TableMap {
  std::string schema, table;
  std::vector<ColumnType> columns;

  bool operator==(const TableMap&) const = default;
};

struct RowChange {
  enum class Kind { kInsert, kUpdate, kDelete };
  Kind kind = Kind::kInsert;
  Row before, after;  // empty: there is none
};

// Told in the order of the logs. An error that it returns ends the reading.
class HistoryVisitor {
 public:
  virtual ~HistoryVisitor() = default;

  // False: the rest of this transaction is not told.
  virtual Result<bool> Begin(const TransactionHead& head) = 0;
  // False: the rows of this table are not told, and not even read.
  virtual bool Wants(const TableMap& table) const {
    static_cast<void>(table);
    return true;
  }
  virtual Status Changed(const TableMap& table, const RowChange& change) = 0;
  // A change that is in the log as a statement, not as rows: DDL, or worse.
  virtual Status Stated(std::string_view schema, std::string_view statement) = 0;
  // Without it, what was told since Begin() was not committed and must be forgotten.
  virtual Status Committed() = 0;
};

// Reads the files of one server. What it cannot read it refuses with kUnsupported, with a reason:
// compressed or encrypted events, tagged or anonymous transactions, XA, partial JSON updates, what
// is logged although it was rolled back, and any event that it does not know and that is not marked
// as ignorable. A transaction never spans two files.
class HistoryReader {
 public:
  HistoryReader(Flavor flavor, HistoryVisitor& visitor) : flavor_(flavor), visitor_(visitor) {}

  // Oldest first. Only the last file may end with something that is not whole, as a crash leaves
  // it; kInvalid: another one does.
  Status ReadAll(const std::vector<std::string>& paths);
  Status Read(const std::string& path, bool last = true);
  // For what does not come from a file.
  Status Take(const BinlogEvent& event);

 private:
  Status BeginMySql(const BinlogEvent& event);
  Status BeginMariaDb(const BinlogEvent& event);
  Status Begin(TransactionHead head);
  Status Commit();
  Status TakeQuery(const BinlogEvent& event);
  Status TakeTableMap(const BinlogEvent& event);
  Status TakeRows(const BinlogEvent& event, RowChange::Kind kind, bool second_version);

  const Flavor flavor_;
  HistoryVisitor& visitor_;
  std::map<std::uint64_t, TableMap> tables_;  // of the running statement; those that are wanted
  std::set<std::uint64_t> unwanted_;
  bool open_ = false;        // within a transaction
  bool wanted_ = false;      // which the visitor wants to hear of
  bool standalone_ = false;  // which is one statement, and commits itself
};

// The transactions before a file: from its second event. kInvalid when it has none.
Result<GtidSet> HistoryBefore(Flavor flavor, const std::string& path);

}  // namespace pandora_ha
