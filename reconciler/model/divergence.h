// What a node committed that the primary lacks, as its binary logs tell it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "reconciler/base/clock.h"

namespace pandora_ha {

struct RowCounts {
  std::uint64_t inserted = 0, updated = 0, deleted = 0;

  std::uint64_t all() const { return inserted + updated + deleted; }
  bool operator==(const RowCounts&) const = default;
};

struct Divergence {
  std::uint64_t transactions = 0;
  // Of these, what wrote to our own tables only: a manager's marks, which nobody misses.
  std::uint64_t marks = 0;
  // By the node's own clock, whole seconds; without the marks.
  std::optional<WallTime> first, last;
  // "schema.table", without our own tables. At most kMostTables, those with the most rows; the rest
  // is in `other_tables`.
  std::map<std::string, RowCounts> tables;
  RowCounts other_tables;
  // What is in the logs as a statement and not as rows (DDL, for the most part), shortened: the
  // first of them, and how many there are. Such a change is counted, but its rows cannot be.
  std::vector<std::string> statements;
  std::uint64_t statement_count = 0;

  static constexpr std::size_t kMostTables = 20;
  static constexpr std::size_t kMostStatements = 5;

  RowCounts rows() const {
    RowCounts sum = other_tables;
    for (const auto& [table, counts] : tables) {
      sum.inserted += counts.inserted;
      sum.updated += counts.updated;
      sum.deleted += counts.deleted;
    }
    return sum;
  }
  // Nobody would miss anything of it. What was not found in the logs is not known to be a mark.
  bool OnlyMarks() const { return transactions > 0 && marks == transactions; }
  bool operator==(const Divergence&) const = default;
};

// What became of a node's own changes of rows in the primary.
struct MergedRows {
  std::uint64_t merged = 0;
  std::uint64_t already_there = 0;  // by an earlier merge, or the same data
  std::uint64_t rejected = 0;       // left alone: they stay in the archive
  std::uint64_t statements = 0;     // likewise: changes that are in the log without rows (DDL)

  bool operator==(const MergedRows&) const = default;
};

// "12 rows merged, 3 were there already, 2 rows and 1 statement left in the archive"
std::string Describe(const MergedRows& rows);

// "23 rows (pandora.tevento: 20 inserted, 3 updated; …) and 1 statement (…), beside 2 marks of a
// manager, from … to …"
std::string Describe(const Divergence& divergence);

}  // namespace pandora_ha
