#include "reconciler/mysql/verify_table.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "reconciler/mysql/merge_tables.h"
#include "reconciler/mysql/quote.h"

namespace pandora_ha {
namespace {

constexpr std::size_t kMostKeyColumns = 2;

template <std::size_t N>
bool IsOneOf(const std::string& type, const std::array<std::string_view, N>& types) {
  return std::find(types.begin(), types.end(), type) != types.end();
}

bool IsText(const std::string& type) {
  static constexpr std::array<std::string_view, 8> kTypes = {
      "char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set"};
  return IsOneOf(type, kTypes);
}

bool IsBytes(const std::string& type) {
  static constexpr std::array<std::string_view, 7> kTypes = {
      "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "bit"};
  return IsOneOf(type, kTypes);
}

// May be longer than a statement's result may be: its own hash stands for it.
bool IsLong(const std::string& type) {
  return type.ends_with("text") || type.ends_with("blob");
}

// Two of its values may be printed alike, or the order of an enumeration is not that of its words.
bool CanBeKey(const std::string& type) {
  static constexpr std::array<std::string_view, 6> kNot = {"float", "double", "enum",
                                                           "set",   "bit",    "json"};
  return !IsOneOf(type, kNot) && !IsLong(type);
}

bool IsWhole(const std::string& value) {
  const std::size_t digits = value.starts_with('-') ? 1 : 0;
  return value.size() > digits &&
         value.find_first_not_of("0123456789", digits) == std::string::npos;
}

std::string Literal(const VerifyColumn& column, const std::string& value) {
  if (IsText(column.type)) return "_utf8mb4 " + HexLiteral(value);
  if (IsBytes(column.type)) return HexLiteral(value);
  return IsWhole(value) ? value : QuoteLiteral(value);
}

std::string Quoted(const std::string& name) {
  return "`" + name + "`";  // of an allowed name
}

std::string Joined(const std::vector<std::string>& parts, const std::string& between) {
  std::string all;
  for (const std::string& part : parts) all += (all.empty() ? "" : between) + part;
  return all;
}

}  // namespace

VerifyTable::VerifyTable(std::string quoted, std::vector<VerifyColumn> columns,
                         std::vector<std::string> key, std::string index)
    : table_(std::move(quoted)),
      columns_(std::move(columns)),
      key_(std::move(key)),
      index_(std::move(index)) {}

const VerifyColumn& VerifyTable::Column(const std::string& name) const {
  return *std::find_if(columns_.begin(), columns_.end(),
                       [&](const VerifyColumn& column) { return column.name == name; });
}

std::string VerifyTable::From() const {
  return " FROM " + table_ + (key_.empty() ? "" : " FORCE INDEX (" + Quoted(index_) + ")");
}

// `last`: how the last column compares, ">=" or ">".
std::string VerifyTable::AtOrAbove(const Boundary& boundary, const char* last) const {
  std::string condition = Quoted(key_.back()) + last + boundary.back();
  for (std::size_t i = key_.size() - 1; i-- > 0;) {
    condition = Quoted(key_[i]) + ">" + boundary[i] + " OR (" + Quoted(key_[i]) + "=" +
                boundary[i] + " AND (" + condition + "))";
  }
  return "(" + condition + ")";
}

// NULL sorts first.
std::string VerifyTable::Below(const Boundary& boundary) const {
  std::string condition;
  for (std::size_t i = key_.size(); i-- > 0;) {
    const std::string column = Quoted(key_[i]);
    const std::string less =
        column + "<" + boundary[i] + (Column(key_[i]).nullable ? " OR " + column + " IS NULL" : "");
    condition = condition.empty()
                    ? less
                    : less + " OR (" + column + "=" + boundary[i] + " AND (" + condition + "))";
  }
  return "(" + condition + ")";
}

std::string VerifyTable::Condition(const Piece& piece) const {
  std::vector<std::string> all;
  if (piece.from) all.push_back(AtOrAbove(*piece.from, ">="));
  if (piece.to) all.push_back(Below(*piece.to));
  return all.empty() ? "" : " WHERE " + Joined(all, " AND ");
}

std::string VerifyTable::NextBoundary(const std::optional<Boundary>& from, std::size_t rows) const {
  std::vector<std::string> columns, all;
  for (const std::string& name : key_) {
    columns.push_back(Quoted(name));
    if (Column(name).nullable) all.push_back(Quoted(name) + " IS NOT NULL");
  }
  if (from) all.push_back(AtOrAbove(*from, ">="));
  return "SELECT " + Joined(columns, ",") + From() +
         (all.empty() ? "" : " WHERE " + Joined(all, " AND ")) + " ORDER BY " +
         Joined(columns, ",") + " LIMIT 1 OFFSET " + std::to_string(rows);
}

std::string VerifyTable::NextKey(const Boundary& from) const {
  std::vector<std::string> columns;
  for (const std::string& name : key_) columns.push_back(Quoted(name));
  return "SELECT " + Joined(columns, ",") + From() + " WHERE " + AtOrAbove(from, ">") +
         " ORDER BY " + Joined(columns, ",") + " LIMIT 1";
}

std::optional<Boundary> VerifyTable::ReadBoundary(const Rows& rows) const {
  if (rows.empty()) return std::nullopt;
  const RowReader row(rows, 0);
  Boundary boundary;
  for (const std::string& name : key_) {
    if (!row.Get(name)) return std::nullopt;
    boundary.push_back(Literal(Column(name), *row.Get(name)));
  }
  return boundary;
}

// Hexadecimal digits need no quoting, whatever the column's character set, and are no "-".
std::string VerifyTable::Hash() const {
  std::vector<std::string> parts;
  for (const VerifyColumn& column : columns_) {
    const std::string name = Quoted(column.name);
    const bool as_it_is = column.type == "json" || column.type == "geometry";
    parts.push_back("COALESCE(" +
                    (IsLong(column.type) ? "SHA2(" + name + ",256)"
                     : as_it_is          ? "HEX(" + name + ")"
                                         : "HEX(CAST(" + name + " AS BINARY))") +
                    ",'-')");
  }
  return "CONV(LEFT(SHA2(CONCAT_WS(','," + Joined(parts, ",") + "),256),15),16,10)";
}

std::string VerifyTable::Sum(const Piece& piece) const {
  return "SELECT COUNT(*) AS c, COALESCE(SUM(CAST(" + Hash() + " AS UNSIGNED)),0) AS s" + From() +
         Condition(piece);
}

std::string VerifyTable::EachRow(const Piece& piece) const {
  std::vector<std::string> parts;
  for (const std::string& name : key_)
    parts.push_back("'" + name + " ',COALESCE(CAST(" + Quoted(name) + " AS CHAR),'NULL')");
  const std::string key = parts.empty() ? "''" : "CONCAT(" + Joined(parts, ",', ',") + ")";
  return "SELECT " + key + " AS k, " + Hash() + " AS h" + From() + Condition(piece);
}

std::string VerifyTable::Where(const Piece& piece) const {
  if (!piece.from && !piece.to) return "all of it";
  std::string says = Joined(key_, ", ");
  if (piece.from) says += " from " + Joined(*piece.from, ", ");
  if (piece.to) says += std::string(piece.from ? " to" : "") + " below " + Joined(*piece.to, ", ");
  return says;
}

namespace {

struct Index {
  std::string name;
  std::vector<std::string> columns;
  bool unique = false;
};

Result<std::map<std::string, std::vector<VerifyColumn>>> ReadColumns(Session& session,
                                                                     const std::string& schema,
                                                                     Deadline deadline) {
  const std::string of = QuoteLiteral(schema);
  PHA_ASSIGN_OR_RETURN(
      const Rows rows,
      session.Query(
          "SELECT TABLE_NAME AS t, COLUMN_NAME AS c, DATA_TYPE AS d, IS_NULLABLE AS n "
          "FROM information_schema.COLUMNS WHERE TABLE_SCHEMA=" +
              of +
              " AND TABLE_NAME IN (SELECT TABLE_NAME FROM "
              "information_schema.TABLES WHERE TABLE_TYPE='BASE TABLE' AND TABLE_SCHEMA=" +
              of + ") ORDER BY TABLE_NAME, ORDINAL_POSITION",
          deadline));
  std::map<std::string, std::vector<VerifyColumn>> columns;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const RowReader row(rows, i);
    columns[row.Text("t")].push_back({row.Text("c"), row.Text("d"), row.True("n")});
  }
  return columns;
}

Result<std::map<std::string, std::vector<Index>>> ReadIndexes(Session& session,
                                                              const std::string& schema,
                                                              Deadline deadline) {
  PHA_ASSIGN_OR_RETURN(
      const Rows rows,
      session.Query("SELECT TABLE_NAME AS t, INDEX_NAME AS i, COLUMN_NAME AS c, NON_UNIQUE=0 AS u, "
                    "SUB_PART IS NULL AND INDEX_TYPE='BTREE' AS whole "
                    "FROM information_schema.STATISTICS WHERE TABLE_SCHEMA=" +
                        QuoteLiteral(schema) +
                        " ORDER BY t, i<>'PRIMARY', NON_UNIQUE, i, SEQ_IN_INDEX",
                    deadline));
  std::map<std::string, std::vector<Index>> indexes;
  bool open = false;  // the columns of this index so far are whole ones
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const RowReader row(rows, i);
    std::vector<Index>& all = indexes[row.Text("t")];
    if (all.empty() || all.back().name != row.Text("i")) {
      all.push_back({row.Text("i"), {}, row.True("u")});
      open = true;
    }
    open = open && row.True("whole") && row.Get("c");
    if (open) all.back().columns.push_back(row.Text("c"));
  }
  return indexes;
}

// The first index that a table can be cut along, and how many of its columns.
Index ChooseIndex(const std::vector<Index>& indexes, const std::vector<VerifyColumn>& columns) {
  for (Index index : indexes) {
    const auto bad =
        std::find_if(index.columns.begin(), index.columns.end(), [&](const std::string& name) {
          const auto column = std::find_if(columns.begin(), columns.end(),
                                           [&](const VerifyColumn& c) { return c.name == name; });
          return column == columns.end() || !CanBeKey(column->type) || !QuoteIdentifier(name).ok();
        });
    index.columns.erase(bad, index.columns.end());
    if (index.columns.empty() || !QuoteIdentifier(index.name).ok()) continue;
    if (index.columns.size() > kMostKeyColumns) index.columns.resize(kMostKeyColumns);
    return index;
  }
  return {};
}

}  // namespace

Result<std::map<std::string, VerifyTable>> ReadVerifyTables(Session& session,
                                                            const std::string& schema,
                                                            Deadline deadline) {
  PHA_ASSIGN_OR_RETURN(const std::string quoted, QuoteIdentifier(schema));
  PHA_ASSIGN_OR_RETURN(auto columns, ReadColumns(session, schema, deadline));
  PHA_ASSIGN_OR_RETURN(auto indexes, ReadIndexes(session, schema, deadline));
  std::map<std::string, VerifyTable> tables;
  for (auto& [name, list] : columns) {
    const auto table = QuoteIdentifier(name);
    const bool usable =
        table.ok() && std::all_of(list.begin(), list.end(), [](const VerifyColumn& column) {
          return QuoteIdentifier(column.name).ok();
        });
    Index index = usable ? ChooseIndex(indexes[name], list) : Index{};
    if (!usable) list.clear();
    tables.emplace(name, VerifyTable(quoted + "." + (table.ok() ? *table : ""), std::move(list),
                                     std::move(index.columns), std::move(index.name)));
  }
  return tables;
}

}  // namespace pandora_ha
