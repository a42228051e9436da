// What a diverged node committed by itself, brought into the primary.
//
// Source: an archive (binlog/archive.h); the node itself is not needed. Merged are the rows that
// Pandora only ever adds: `tagente_datos`, `tagente_datos_string`, `tevento`, and what belongs to
// an event (`tevent_comment`, `tevent_extended`). Everything else (configuration, states, counters)
// is listed and left alone: two histories of it cannot both be right.
//
// One transaction of the node is one transaction on the primary, with a row in our ledger
// (`pandora_ha_merged`) beside its rows, so that whatever interrupts a merge, running it again adds
// nothing twice. Why so: docs/decisions/0017-merge-by-transaction.md.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "reconciler/base/clock.h"
#include "reconciler/base/result.h"
#include "reconciler/model/ids.h"
#include "reconciler/mysql/session.h"

namespace pandora_ha {

struct MergeOptions {
  std::string archive;
  Epoch epoch;           // of the primary; it must still be this one at each transaction
  bool dry_run = false;  // tell what would be done
  // A transaction of the primary is closed as soon as it has so many; one of the node's is never
  // divided.
  std::size_t rows_a_group = 10000;
  Seconds patience{30};  // for one transaction; with semi-sync it waits for an acknowledgement
  WallTime now{};        // what the primary's purge limits are counted from
  // Only data and events of this time, by their own `utimestamp` (whole seconds); the others are
  // rejected, and may be merged by a later call. none: no limit.
  std::optional<WallTime> since, until;  // the second one is not included
  // Transactions read so far; may be empty.
  std::function<void(std::uint64_t)> progress;
};

// Changes of rows, counted. diverged = merged + already there + the sum of `rejected`.
struct MergedTable {
  std::uint64_t diverged = 0;
  std::uint64_t merged = 0;
  std::uint64_t already_there = 0;                // by an earlier merge, or the same data
  std::map<std::string, std::uint64_t> rejected;  // by reason; they stay in the archive

  bool operator==(const MergedTable&) const = default;
};

struct MergeReport {
  std::uint64_t transactions = 0;             // of the node's own, marks included
  std::map<std::string, MergedTable> tables;  // "tevento"; of other schemas "schema.table"
  std::uint64_t statements = 0;               // changes without rows, left alone

  bool operator==(const MergeReport&) const = default;
};

// Waits for nothing but the primary. kInvalid: the archive is not what was archived. kConflict: the
// server is not the open primary of that epoch (any more), or Pandora's own maintenance or another
// merge is at work. kTimeout, kUnreachable: interrupted; run it again.
Result<MergeReport> MergeArchive(Session& primary, const MergeOptions& options);

}  // namespace pandora_ha
