// Whether a node holds the same rows as the primary, found out while both serve.
//
// Reads only. How, and what a difference proves: docs/decisions/0019-verify-while-both-serve.md.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "reconciler/base/result.h"
#include "reconciler/mysql/session.h"

namespace pandora_ha {

struct VerifyProgress {
  std::string table;
  std::uint64_t rows = 0;      // compared so far, in all tables
  std::uint64_t expected = 0;  // as the primary estimates it; may be far off
};

struct VerifyOptions {
  std::string schema;
  std::vector<std::string> tables;  // empty: all of the schema, without our own
  std::size_t rows_a_piece = 5000;
  Seconds patience{60};       // for the reading of one piece
  Milliseconds locked{2000};  // for getting locks, and for each thing that is done under them
  std::function<void(const VerifyProgress&)> progress;  // after each piece; may be empty
};

// A piece that differs. Counts of rows; of a piece that is not settled only the first two.
struct PieceDifference {
  std::string where;  // "id_evento from 1001 to below 6001"; "all of it"
  std::uint64_t on_primary = 0, on_node = 0;
  bool settled = false;  // nothing of it changed between the two readings
  std::uint64_t only_primary = 0, only_node = 0, not_the_same = 0;
  std::vector<std::string> examples;  // "id_evento 1007 is only on the primary"; at most five
};

struct VerifiedTable {
  std::uint64_t rows = 0;  // on the primary
  std::uint64_t pieces = 0;
  std::vector<PieceDifference> differences;
  std::string why_not;  // it could not be compared: missing on one side, other columns
};

struct VerifyReport {
  std::map<std::string, VerifiedTable> tables;

  enum class Verdict { kSame, kNotSettled, kDifferent };
  Verdict verdict() const;
};

// kTimeout, kUnreachable: interrupted. kConflict: the node does not execute what the primary has
// executed.
Result<VerifyReport> VerifyNode(Session& primary, Session& node, const VerifyOptions& options);

}  // namespace pandora_ha
