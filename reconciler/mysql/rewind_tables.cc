#include "reconciler/mysql/rewind_tables.h"

#include <utility>
#include <vector>

#include "reconciler/mysql/quote.h"

namespace pandora_ha {
namespace {

Error NotUndone(const std::string& table, const std::string& why) {
  return {ErrorCode::kUnsupported, "changes of " + table + " cannot be undone: " + why};
}

// What keeps rows of a table from being undone one by one: by table, of one schema.
Result<std::map<std::string, std::string>> ReadObstacles(Session& node, const std::string& schema,
                                                         Deadline deadline) {
  const std::string of = QuoteLiteral(schema);
  PHA_ASSIGN_OR_RETURN(
      const Rows rows,
      node.Query("SELECT TABLE_NAME AS t, CONCAT('its engine is ', COALESCE(ENGINE, '?')) AS why "
                 "FROM information_schema.TABLES WHERE TABLE_SCHEMA=" +
                     of +
                     " AND COALESCE(ENGINE, '?')<>'InnoDB' UNION ALL "
                     "SELECT EVENT_OBJECT_TABLE, CONCAT('it has the trigger ', TRIGGER_NAME) FROM "
                     "information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA=" +
                     of +
                     " UNION ALL SELECT TABLE_NAME, CONCAT('its column ', COLUMN_NAME, ' is "
                     "computed') FROM information_schema.COLUMNS WHERE TABLE_SCHEMA=" +
                     of + " AND IS_GENERATED='ALWAYS'",
                 deadline));
  std::map<std::string, std::string> obstacles;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const RowReader row(rows, i);
    obstacles.emplace(row.Text("t"), row.Text("why"));
  }
  return obstacles;
}

Result<std::map<std::string, RewindTable::Cascades>> ReadCascades(Session& node,
                                                                  const std::string& schema,
                                                                  Deadline deadline) {
  PHA_ASSIGN_OR_RETURN(
      const Rows rows,
      node.Query("SELECT k.REFERENCED_TABLE_NAME AS t, k.REFERENCED_COLUMN_NAME AS c, "
                 "r.DELETE_RULE NOT IN ('RESTRICT','NO ACTION') AS deleted, "
                 "r.UPDATE_RULE NOT IN ('RESTRICT','NO ACTION') AS updated "
                 "FROM information_schema.REFERENTIAL_CONSTRAINTS r JOIN "
                 "information_schema.KEY_COLUMN_USAGE k ON k.CONSTRAINT_SCHEMA=r.CONSTRAINT_SCHEMA "
                 "AND k.CONSTRAINT_NAME=r.CONSTRAINT_NAME AND k.TABLE_NAME=r.TABLE_NAME "
                 "WHERE k.REFERENCED_TABLE_SCHEMA=" +
                     QuoteLiteral(schema),
                 deadline));
  std::map<std::string, RewindTable::Cascades> cascades;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const RowReader row(rows, i);
    RewindTable::Cascades& one = cascades[row.Text("t")];
    one.deleted = one.deleted || row.True("deleted");
    if (row.True("updated")) one.changed.insert(row.Text("c"));
  }
  return cascades;
}

}  // namespace

Result<std::string> RewindTable::Undo(const RowChange& change) const {
  switch (change.kind) {
    case RowChange::Kind::kInsert: {
      PHA_ASSIGN_OR_RETURN(const std::string same, table_.Same(change.after));
      return "DELETE FROM " + table_.name() + " WHERE " + same + " LIMIT 1";
    }
    case RowChange::Kind::kDelete: {
      if (cascades_.deleted)
        return NotUndone(table_.name(),
                         "a row of it was deleted, and others may have gone with it");
      PHA_ASSIGN_OR_RETURN(const MergeTable::InsertParts parts, table_.Insert(change.before, {}));
      return "INSERT INTO " + table_.name() + " (" + parts.names + ") VALUES (" + parts.values +
             ")";
    }
    case RowChange::Kind::kUpdate:
      break;
  }
  for (const std::string& column : cascades_.changed) {
    const auto at = table_.Find(column);
    if (!at || change.before.at(*at) != change.after.at(*at))
      return NotUndone(table_.name(), column + " was changed, and other rows may have followed it");
  }
  PHA_ASSIGN_OR_RETURN(const std::string same, table_.Same(change.after));
  PHA_ASSIGN_OR_RETURN(const std::string update, table_.Update(change.before, {}, same));
  return update + " LIMIT 1";
}

Result<std::map<TableName, RewindTable>> ReadRewindTables(
    Session& node, const std::map<TableName, TableMap>& logged, Deadline deadline) {
  std::map<std::string, std::vector<std::string>> by_schema;
  for (const auto& [name, map] : logged) by_schema[name.schema].push_back(name.table);
  std::map<TableName, RewindTable> all;
  for (const auto& [schema, names] : by_schema) {
    PHA_ASSIGN_OR_RETURN(const auto tables, ReadMergeTables(node, schema, names, deadline));
    PHA_ASSIGN_OR_RETURN(const auto obstacles, ReadObstacles(node, schema, deadline));
    PHA_ASSIGN_OR_RETURN(auto cascades, ReadCascades(node, schema, deadline));
    for (const std::string& name : names) {
      const MergeTable& table = tables.at(name);
      if (!table.WhyOther(logged.at({schema, name})).empty())
        return NotUndone(table.name(), "its columns are not those of the log");
      if (const auto found = obstacles.find(name); found != obstacles.end())
        return NotUndone(table.name(), found->second);
      all.emplace(TableName{schema, name}, RewindTable(table, std::move(cascades[name])));
    }
  }
  return all;
}

}  // namespace pandora_ha
