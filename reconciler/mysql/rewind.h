// What a diverged MariaDB node committed by itself, taken back on the node: afterwards it holds
// what it held when the histories parted, and can follow the primary without a copy.
//
// Source: an archive (binlog/archive.h) with rows in full. The changes are undone in reverse order
// in one transaction; then the node's binary logs are begun anew, without the transactions that it
// has no longer, and it follows nobody. What interrupts it, running it again completes it. Why so,
// and what is refused: docs/decisions/0021-rewind-from-the-archive.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "reconciler/base/clock.h"
#include "reconciler/base/result.h"
#include "reconciler/mysql/session.h"

namespace pandora_ha {

struct RewindOptions {
  std::string archive;
  // One that committed more rows by itself is cheaper to copy than to undo row by row, and what is
  // undone is held in memory.
  std::size_t most_rows = 100000;
  Seconds patience{30};  // for each thing that the node does
  // Rows undone so far, and all of them; may be empty.
  std::function<void(std::uint64_t, std::uint64_t)> progress;
};

struct RewindReport {
  std::uint64_t transactions = 0, rows = 0;  // zero: an earlier call had undone them

  bool operator==(const RewindReport&) const = default;
};

// `node` is a session with the node, of an account that may write to a read-only server; it is not
// usable for anything else afterwards. kUnsupported: only a copy helps, the message says why, and
// nothing has changed but that its replication is stopped. kInvalid: the archive is not what was
// archived. kConflict: the node is not read-only, or it has executed more than the archive knows.
// kTimeout, kUnreachable: interrupted; run it again.
Result<RewindReport> RewindNode(Session& node, const RewindOptions& options);

}  // namespace pandora_ha
