// The tables of a rewind: whether a change of their rows can be undone, and by which statement.
// Internal to the rewind.
#pragma once

#include <compare>
#include <map>
#include <set>
#include <string>

#include "reconciler/base/result.h"
#include "reconciler/binlog/history.h"
#include "reconciler/mysql/merge_tables.h"
#include "reconciler/mysql/session.h"

namespace pandora_ha {

struct TableName {
  std::string schema, table;

  auto operator<=>(const TableName&) const = default;
};

class RewindTable {
 public:
  // `deleted` and `changed` cascade into other tables, which no binary log of a MariaDB tells:
  // rows of this table that are deleted, and columns of it that get another value.
  struct Cascades {
    bool deleted = false;
    std::set<std::string> changed;
  };
  RewindTable(MergeTable table, Cascades cascades)
      : table_(std::move(table)), cascades_(std::move(cascades)) {}

  // The statement that undoes it; it changes one row, or the row is not as the change left it.
  Result<std::string> Undo(const RowChange& change) const;

 private:
  const MergeTable table_;
  const Cascades cascades_;
};

// Those that were logged, as the node has them now. kUnsupported: one of them is not as the log has
// it, not transactional, or computes or changes more than its binary log tells.
Result<std::map<TableName, RewindTable>> ReadRewindTables(
    Session& node, const std::map<TableName, TableMap>& logged, Deadline deadline);

}  // namespace pandora_ha
