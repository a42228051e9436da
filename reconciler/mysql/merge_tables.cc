#include "reconciler/mysql/merge_tables.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <utility>

#include "reconciler/base/overloaded.h"
#include "reconciler/mysql/quote.h"

namespace pandora_ha {
namespace {

// What a logged type and a declared one have in common. Widths may differ where a value fits; a
// value that does not is cut by no one: the server's own conversion is the same as in replication.
std::string_view FamilyOf(const std::string& data_type) {
  static const std::map<std::string_view, std::string_view> kFamilies = {
      {"tinyint", "integer"},    {"smallint", "integer"},  {"mediumint", "integer"},
      {"int", "integer"},        {"bigint", "integer"},    {"double", "double"},
      {"float", "float"},        {"decimal", "decimal"},   {"char", "string"},
      {"enum", "string"},        {"set", "string"},        {"binary", "string"},
      {"varchar", "varchar"},    {"varbinary", "varchar"}, {"tinytext", "blob"},
      {"text", "blob"},          {"mediumtext", "blob"},   {"longtext", "blob"},
      {"tinyblob", "blob"},      {"blob", "blob"},         {"mediumblob", "blob"},
      {"longblob", "blob"},      {"datetime", "datetime"}, {"date", "date"},
      {"timestamp", "timestamp"}};
  const auto found = kFamilies.find(data_type);
  return found == kFamilies.end() ? "other" : found->second;
}

std::string_view FamilyOf(ColumnType logged) {
  switch (logged.type) {
    case 1:
    case 2:
    case 3:
    case 8:
    case 9:
      return "integer";
    case 4:
      return "float";
    case 5:
      return "double";
    case 7:
    case 17:
      return "timestamp";
    case 10:
    case 14:
      return "date";
    case 12:
    case 18:
      return "datetime";
    case 15:
    case 253:
      return "varchar";
    case 246:
      return "decimal";
    case 249:
    case 250:
    case 251:
    case 252:
      return "blob";
    case 247:
    case 248:
    case 254:
      return "string";
    default:
      return "unknown";
  }
}

}  // namespace

std::string HexLiteral(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex = "x'";
  hex.reserve(bytes.size() * 2 + 3);
  for (const char c : bytes) {
    hex += kDigits[static_cast<unsigned char>(c) >> 4];
    hex += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return hex + "'";
}

MergeTable::MergeTable(std::string name, std::vector<MergeColumn> columns)
    : name_(std::move(name)), columns_(std::move(columns)) {}

std::string MergeTable::WhyOther(const TableMap& logged) const {
  if (!known()) return "the primary has no such table";
  if (logged.columns.size() != columns_.size()) return "its columns are not those of the primary";
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (FamilyOf(logged.columns[i]) != FamilyOf(columns_[i].data_type))
      return "its column " + columns_[i].name + " is not that of the primary";
  }
  return "";
}

std::optional<std::size_t> MergeTable::Find(std::string_view column) const {
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (columns_[i].name == column) return i;
  }
  return std::nullopt;
}

std::optional<std::int64_t> MergeTable::Number(const Row& row, std::string_view column) const {
  const auto at = Find(column);
  if (!at || *at >= row.size() || !row[*at]) return std::nullopt;
  const auto* integer = std::get_if<Integer>(&*row[*at]);
  if (integer == nullptr) return std::nullopt;
  return columns_[*at].is_unsigned ? static_cast<std::int64_t>(integer->Unsigned())
                                   : integer->Signed();
}

std::string MergeTable::Text(const Row& row, std::string_view column) const {
  const auto at = Find(column);
  if (!at || *at >= row.size() || !row[*at]) return "";
  const auto* text = std::get_if<std::string>(&*row[*at]);
  return text == nullptr ? "" : *text;
}

Result<std::string> MergeTable::Literal(const Row& row, std::size_t at) const {
  const MergeColumn& column = columns_[at];
  if (!row[at]) return Error{ErrorCode::kUnsupported, "the log leaves out column " + column.name};
  using Text = Result<std::string>;
  return std::visit(Overloaded{[](const Null&) -> Text { return std::string("NULL"); },
                               [&](const Integer& value) -> Text {
                                 return column.is_unsigned || column.data_type == "enum" ||
                                                column.data_type == "set"
                                            ? std::to_string(value.Unsigned())
                                            : std::to_string(value.Signed());
                               },
                               [](const double value) -> Text {
                                 if (!std::isfinite(value)) return std::string("NULL");
                                 // With an exponent it is a DOUBLE for the server, too, and not a
                                 // DECIMAL.
                                 std::array<char, 40> text{};
                                 std::snprintf(text.data(), text.size(), "%.16e", value);
                                 return std::string(text.data());
                               },
                               [&](const std::string& value) -> Text {
                                 if (column.data_type == "timestamp")
                                   return "FROM_UNIXTIME(" + value + ")";
                                 // Digits, as this program has printed them.
                                 if (column.data_type == "datetime" || column.data_type == "date")
                                   return "'" + value + "'";
                                 if (column.data_type == "decimal") return value;
                                 const std::string introducer =
                                     column.charset.empty() ? "" : "_" + column.charset + " ";
                                 return introducer + HexLiteral(value);
                               },
                               [&](const Opaque&) -> Text {
                                 return Error{
                                     ErrorCode::kUnsupported,
                                     "the values of column " + column.name + " cannot be read"};
                               }},
                    *row[at]);
}

Result<std::vector<MergeTable::Assignment>> MergeTable::Assignments(
    const Row& row, const Replaced& replaced) const {
  std::vector<Assignment> all;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    Assignment one;
    PHA_ASSIGN_OR_RETURN(one.column, QuoteIdentifier(columns_[i].name));
    if (const auto other = replaced.find(columns_[i].name); other == replaced.end()) {
      PHA_ASSIGN_OR_RETURN(one.value, Literal(row, i));
    } else if (other->second.empty()) {
      continue;
    } else {
      one.value = other->second;
    }
    all.push_back(std::move(one));
  }
  return all;
}

Result<MergeTable::InsertParts> MergeTable::Insert(const Row& row, const Replaced& replaced) const {
  PHA_ASSIGN_OR_RETURN(const auto assignments, Assignments(row, replaced));
  InsertParts parts;
  for (const Assignment& one : assignments) {
    parts.names += (parts.names.empty() ? "" : ",") + one.column;
    parts.values += (parts.values.empty() ? "" : ",") + one.value;
  }
  return parts;
}

Result<std::string> MergeTable::Update(const Row& row, const Replaced& replaced,
                                       const std::string& where) const {
  PHA_ASSIGN_OR_RETURN(const auto assignments, Assignments(row, replaced));
  std::string sets;
  for (const Assignment& one : assignments)
    sets += (sets.empty() ? "" : ",") + one.column + "=" + one.value;
  return "UPDATE " + name_ + " SET " + sets + " WHERE " + where;
}

Result<std::string> MergeTable::Same(const Row& row) const {
  PHA_ASSIGN_OR_RETURN(const auto assignments, Assignments(row, {}));
  std::string same;
  for (std::size_t i = 0; i < assignments.size(); ++i) {
    const auto& [column, value] = assignments[i];
    same += (same.empty() ? "" : " AND ") + column + "<=>" + value;
    // A collation takes two texts for one.
    const auto* text = std::get_if<std::string>(&*row[i]);
    if (text != nullptr && !columns_[i].charset.empty())
      same += " AND CAST(" + column + " AS BINARY)<=>" + HexLiteral(*text);
  }
  return same;
}

Result<std::map<std::string, MergeTable>> ReadMergeTables(Session& session,
                                                          const std::string& schema,
                                                          const std::vector<std::string>& names,
                                                          Deadline deadline) {
  PHA_ASSIGN_OR_RETURN(
      const Rows rows,
      session.Query("SELECT TABLE_NAME AS t, COLUMN_NAME AS c, DATA_TYPE AS d, "
                    "COLUMN_TYPE LIKE '%unsigned%' AS u, CHARACTER_SET_NAME AS s "
                    "FROM information_schema.COLUMNS WHERE TABLE_SCHEMA=" +
                        QuoteLiteral(schema) + " ORDER BY TABLE_NAME, ORDINAL_POSITION",
                    deadline));
  std::map<std::string, std::vector<MergeColumn>> columns;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const RowReader row(rows, i);
    columns[row.Text("t")].push_back({row.Text("c"), row.Text("d"), row.True("u"), row.Text("s")});
  }
  PHA_ASSIGN_OR_RETURN(const std::string quoted, QuoteIdentifier(schema));
  std::map<std::string, MergeTable> tables;
  for (const std::string& name : names) {
    PHA_ASSIGN_OR_RETURN(const std::string table, QuoteIdentifier(name));
    tables.emplace(name, MergeTable(quoted + "." + table, columns[name]));
  }
  return tables;
}

}  // namespace pandora_ha
