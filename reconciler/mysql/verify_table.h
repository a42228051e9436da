// A table for VerifyNode: its columns and how it is cut into pieces. SQL text only; nothing is
// asked here but its shape. Internal to verify.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "reconciler/base/result.h"
#include "reconciler/mysql/session.h"

namespace pandora_ha {

struct VerifyColumn {
  std::string name, type;  // as information_schema has it: "bigint", "varchar"
  bool nullable = false;

  bool operator==(const VerifyColumn&) const = default;
};

// Where a piece begins: the values of the key's columns, as literals.
using Boundary = std::vector<std::string>;

// From `from` on (none: from the beginning) to below `to` (none: to the end).
struct Piece {
  std::optional<Boundary> from, to;
};

class VerifyTable {
 public:
  // `key`: names of the columns that it is cut along; empty: it is one piece. `index`: of them.
  VerifyTable(std::string quoted, std::vector<VerifyColumn> columns, std::vector<std::string> key,
              std::string index);

  const std::vector<VerifyColumn>& columns() const { return columns_; }
  bool can_be_cut() const { return !key_.empty(); }

  // The first key that lies `rows` further than `from`; no row: the last piece begins there.
  std::string NextBoundary(const std::optional<Boundary>& from, std::size_t rows) const;
  // The first key above `from`: more than a piece of rows has this one.
  std::string NextKey(const Boundary& from) const;
  // Of an answer to one of the two.
  std::optional<Boundary> ReadBoundary(const Rows& rows) const;

  // One row: c (rows), s (their sum).
  std::string Sum(const Piece& piece) const;
  // Each row's key as text ("k") and hash ("h").
  std::string EachRow(const Piece& piece) const;
  // For people: "id_evento from 1001 to below 6001".
  std::string Where(const Piece& piece) const;

 private:
  const VerifyColumn& Column(const std::string& name) const;
  std::string From() const;  // "FROM table FORCE INDEX (…)"
  std::string Condition(const Piece& piece) const;
  std::string AtOrAbove(const Boundary& boundary, const char* last) const;
  std::string Below(const Boundary& boundary) const;
  std::string Hash() const;

  const std::string table_;
  const std::vector<VerifyColumn> columns_;
  const std::vector<std::string> key_;
  const std::string index_;
};

// The tables of a schema, by name. One whose names we do not quote is kept without columns.
Result<std::map<std::string, VerifyTable>> ReadVerifyTables(Session& session,
                                                            const std::string& schema,
                                                            Deadline deadline);

}  // namespace pandora_ha
