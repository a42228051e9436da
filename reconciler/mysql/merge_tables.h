// The tables of a merge or a rewind: how their columns are named, and how a value of a binary log
// becomes SQL. Internal to these two.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reconciler/base/result.h"
#include "reconciler/binlog/history.h"
#include "reconciler/mysql/session.h"

namespace pandora_ha {

// x'6162': bytes that no quoting can go wrong with.
std::string HexLiteral(std::string_view bytes);

struct MergeColumn {
  std::string name, data_type;  // as information_schema has it: "bigint", "text"
  bool is_unsigned = false;
  std::string charset;  // empty: no text
};

class MergeTable {
 public:
  MergeTable(std::string name, std::vector<MergeColumn> columns);

  // Empty: the log's rows have these columns. Names alone are not in the log.
  std::string WhyOther(const TableMap& logged) const;
  // Position of a column; nothing when there is none.
  std::optional<std::size_t> Find(std::string_view column) const;
  // Nothing: NULL, not a whole number, or the row image leaves it out.
  std::optional<std::int64_t> Number(const Row& row, std::string_view column) const;
  std::string Text(const Row& row, std::string_view column) const;

  // The value as a literal that needs no trust: texts are hexadecimal, in their own character set.
  Result<std::string> Literal(const Row& row, std::size_t column) const;
  // Literals by column in the place of the row's own; an empty one leaves the column out.
  using Replaced = std::map<std::string, std::string>;
  // "a,b" and "1,2" of an INSERT.
  struct InsertParts {
    std::string names, values;
  };
  Result<InsertParts> Insert(const Row& row, const Replaced& replaced) const;
  // "UPDATE … SET …", of one row.
  Result<std::string> Update(const Row& row, const Replaced& replaced,
                             const std::string& where) const;

  // A condition that holds for exactly these values (texts byte by byte), and that keys serve.
  Result<std::string> Same(const Row& row) const;

  const std::string& name() const { return name_; }
  bool known() const { return !columns_.empty(); }

 private:
  struct Assignment {
    std::string column, value;  // quoted; a literal
  };
  Result<std::vector<Assignment>> Assignments(const Row& row, const Replaced& replaced) const;

  const std::string name_;
  const std::vector<MergeColumn> columns_;
};

// `names` as the primary has them now; one that it lacks has no columns.
Result<std::map<std::string, MergeTable>> ReadMergeTables(Session& session,
                                                          const std::string& schema,
                                                          const std::vector<std::string>& names,
                                                          Deadline deadline);

}  // namespace pandora_ha
